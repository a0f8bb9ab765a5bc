//! `members`

use crux_client::model::{Member, NodeUse};
use crux_client::op::GetMembers;

use super::live::{self, Live};
use super::output::to_json;
use super::table::Cell;
use super::{Ui, Wait, table};
use crate::error::Error;

/// List every member the node knows, in any state
///
/// By name, n2 before n10. SINCE is when this node began to show the member in its state, at the earliest
/// its own start; VERSION is the one that the member says it runs. USE is what targets make of it: open, cordoned,
/// draining, or drained, when nothing that they placed is left.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    live: Live,
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let shown = (|members: &Vec<Member>| to_json(members), |members: &Vec<Member>| text(members));
    live::list(&GetMembers, (args.wait, args.live), ui, &shown).map(drop)
}

fn used(node_use: NodeUse) -> Cell {
    match node_use {
        NodeUse::Open => node_use.as_str().into(),
        _ => Cell::painted(node_use, node_use.as_str()),
    }
}

pub(super) fn text(members: &[Member]) -> String {
    let row = |member: &Member| {
        [
            Cell::from(member.node.to_string()),
            table::short(&member.principal).into(),
            member.addr.as_ref().map_or("-".to_owned(), ToString::to_string).into(),
            Cell::painted(member.state, member.state.as_str()),
            used(member.node_use),
            member.since.to_string().into(),
            member.version.as_deref().unwrap_or("-").into(),
            member.incarnation.to_string().into(),
            table::labels(&member.labels).into(),
            table::labels(&member.signed_labels).into(),
        ]
    };
    let header = [
        "NODE",
        "PRINCIPAL",
        "ADDR",
        "STATE",
        "USE",
        "SINCE",
        "VERSION",
        "INCARNATION",
        "LABELS",
        "SIGNED LABELS",
    ];
    table::render(header, members.iter().map(row).collect())
}
