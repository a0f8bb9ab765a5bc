//! `why`

use std::fmt::Write as _;

use crux_client::model::{NodeReasons, PlanProblem, ServiceReasons};
use crux_client::op::ExplainService;
use crux_client::parse;

use super::{Ui, Wait};
use crate::cli::table;
use crate::error::Error;

/// Show why a service runs on a node, or does not
///
/// For each node how many instances of the service it has, how many it is to have, and the rules that keep it from
/// having more.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// A service of the target
    service: String,
    /// Name of a node; each of them by default
    node: Option<String>,
    #[command(flatten)]
    wait: Wait,
}

pub(in crate::cli) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let service = parse::service_name("the service", &args.service)?;
    let node = args.node.clone();
    let reasons = ui.call(&ExplainService { service, node }, args.wait)?;
    ui.answer(&reasons, || text(&reasons))
}

fn text(reasons: &ServiceReasons) -> String {
    let ServiceReasons { service, wanted, problem, nodes } = reasons;
    let wanted = wanted.map_or_else(
        || "a number without a value".to_owned(),
        |wanted| format!("{wanted} wanted in all"),
    );
    let mut text = format!("{service}: {wanted}");
    if let Some(PlanProblem { kind, missing, why, .. }) = problem {
        let missing = if *missing > 0 { format!(" by {missing}") } else { String::new() };
        // Writing to a string does not fail.
        _ = write!(text, "; {kind}{missing}: {why}");
    }
    let row = |it: &NodeReasons| {
        let NodeReasons { node, present, wanted, reasons } = it;
        [node.clone(), wanted.to_string(), present.to_string(), reasons.join(", ")]
    };
    let rows = nodes.iter().map(row).collect();
    format!("{text}\n\n{}", table::render(["NODE", "WANTED", "HAS", "WHY NOT MORE"], rows))
}
