//! `members`

use crux_client::model::Member;
use crux_client::op::GetMembers;

use super::{Ui, Wait, table};
use crate::error::Error;

/// List every member the node knows, in any state
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let members = ui.call(&GetMembers, args.wait)?;
    ui.answer(&members, || text(&members))
}

/// A value in which there is a space could pass for several labels.
fn label(key: &str, value: &str) -> String {
    if value.contains([' ', '"']) { format!("{key}={value:?}") } else { format!("{key}={value}") }
}

pub(super) fn text(members: &[Member]) -> String {
    let row = |member: &Member| {
        let labels = member.labels.iter().map(|(key, value)| label(key, value));
        [
            member.node.to_string(),
            table::short(&member.principal),
            member.addr.as_ref().map_or("-".to_owned(), ToString::to_string),
            member.state.to_string(),
            member.incarnation.to_string(),
            labels.collect::<Vec<_>>().join(" "),
        ]
    };
    let header = ["NODE", "PRINCIPAL", "ADDR", "STATE", "INCARNATION", "LABELS"];
    let mut by_name: Vec<_> = members.iter().collect();
    by_name.sort_by(|a, b| a.node.cmp(&b.node));
    table::render(header, by_name.into_iter().map(row).collect())
}
