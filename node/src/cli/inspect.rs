//! `inspect`

use crux_client::model::{CheckState, Inspected, InstanceExit};
use crux_client::op::InspectService;
use crux_client::parse;

use super::paint::Colour;
use super::table::Cell;
use super::{Ui, Wait, ps, table};
use crate::error::Error;
use crate::services;

/// Show all that the node knows of one of its services
///
/// Its config, its instances, what each check answered last, how instances ended, what a rollback returns to, and
/// what keeps its programs apart from others.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name of the service
    name: String,
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let service = parse::service_name("the service", &args.name)?;
    let inspected = ui.call(&InspectService { service }, args.wait)?;
    let config = services::print(&inspected.config)?;
    ui.answer(&inspected, || text(&inspected, &config))
}

fn text(inspected: &Inspected, config: &str) -> String {
    let Inspected { instances, checks, exits, previous, isolation, .. } = inspected;
    let mut parts = Vec::new();
    let mut part = |title: &str, text: String| parts.push(format!("{title}\n{}", indent(&text)));
    part("config", config.to_owned());
    if !inspected.wanted {
        part("wanted", "no: it was stopped, and `service start` starts it".to_owned());
    }
    if !instances.is_empty() {
        part("instances", ps::text(instances));
    }
    if !checks.is_empty() {
        part("checks", self::checks(checks));
    }
    if !exits.is_empty() {
        part("exits", self::exits(exits));
    }
    if let Some(previous) = previous {
        part("previous", format!("{} {}", previous.rev, previous.image));
    }
    if !isolation.is_empty() {
        let rows = isolation.iter().map(|(name, value)| [name.clone(), value.clone()]);
        let table = table::render(["", ""], rows.collect());
        part("isolation", table.trim_start_matches('\n').to_owned());
    }
    parts.join("\n\n")
}

fn indent(text: &str) -> String {
    let lines = text.lines().map(|line| format!("  {line}").trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

fn checks(checks: &[CheckState]) -> String {
    let row = |it: &CheckState| {
        let result = match (it.passed, it.failures) {
            (None, _) => Cell::painted(Colour::Faint, "not yet"),
            (Some(true), _) => Cell::painted(Colour::Good, "passed"),
            (Some(false), 0 | 1) => Cell::painted(Colour::Bad, "failed"),
            (Some(false), times) => Cell::painted(Colour::Bad, format!("failed {times} times")),
        };
        [
            Cell::from(it.instance.as_str()),
            it.check.as_str().into(),
            result,
            it.ago.map_or("-".to_owned(), |ago| format!("{} ago", table::span(ago))).into(),
            it.text.as_str().into(),
        ]
    };
    let header = ["INSTANCE", "CHECK", "RESULT", "LAST", "TEXT"];
    table::render(header, checks.iter().map(row).collect())
}

fn exits(exits: &[InstanceExit]) -> String {
    let row = |it: &InstanceExit| {
        let how = match (it.code, it.signal) {
            (_, Some(signal)) => format!("signal {signal}"),
            (Some(code), None) => format!("exit {code}"),
            (None, None) => "unknown".to_owned(),
        };
        [it.at.to_string(), it.instance.clone(), how, table::span(it.ran), it.reason.clone()]
    };
    table::render(["AT", "INSTANCE", "ENDED", "AFTER", "REASON"], exits.iter().map(row).collect())
}
