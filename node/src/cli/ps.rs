//! `ps`

use crux_client::model::Instance;
use crux_client::op::ListInstances;
use crux_client::order;
use crux_client::parse;

use super::live::{self, Live};
use super::output::to_json;
use super::table::Cell;
use super::{Ui, Wait, table};
use crate::error::Error;

/// List what the node runs
///
/// By service, n2 before n10, then by ordinal. SINCE is how long the instance has been in its state; MEMORY is
/// that of the program and of all that it started.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only instances of this service
    name: Option<String>,
    /// Also of services that are stopped or done
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    live: Live,
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let name = args.name.as_ref().map(|name| parse::service_name("the service", name));
    let op = ListInstances { service: name.transpose()?, all: args.all };
    let shown =
        (|all: &Vec<Instance>| to_json(&sorted(all)), |all: &Vec<Instance>| text(&sorted(all)));
    let instances = live::list(&op, (args.wait, args.live), ui, &shown)?;
    if instances.is_empty() && !ui.json() {
        ui.note(hint(args));
    }
    Ok(())
}

fn hint(args: &Args) -> &'static str {
    match (args.all, &args.name) {
        (false, _) => {
            "Nothing is to run here. `--all` shows what is stopped or done, too; `service add` runs a program."
        }
        (true, Some(_)) => "The service has no instance yet. `inspect` shows its config.",
        (true, None) => {
            "There are no services here. `crux-node service add NAME -- CMD ARG…` runs a program."
        }
    }
}

/// By service, then by ordinal.
fn sorted(instances: &[Instance]) -> Vec<Instance> {
    let mut sorted = instances.to_vec();
    sorted.sort_by(order::by_instance);
    sorted
}

pub(super) fn text(instances: &[Instance]) -> String {
    let or_dash = |text: Option<String>| Cell::from(text.unwrap_or_else(|| "-".to_owned()));
    let row = |it: &Instance| {
        [
            Cell::from(it.service.to_string()),
            it.rev.to_string().into(),
            or_dash(it.instance.clone()),
            Cell::painted(it.state, it.state.as_str()),
            table::span(it.since).into(),
            or_dash(it.pid.map(|pid| pid.to_string())),
            it.restarts.to_string().into(),
            or_dash(it.memory.map(table::size)),
            or_dash(Some(table::ports(&it.ports)).filter(|ports| !ports.is_empty())),
            it.reason.as_deref().unwrap_or_default().into(),
        ]
    };
    let header = [
        "SERVICE", "REV", "INSTANCE", "STATE", "SINCE", "PID", "RESTARTS", "MEMORY", "PORTS",
        "REASON",
    ];
    table::render(header, instances.iter().map(row).collect())
}
