//! `status`

use crux_client::model::{Joining, NodeUse, Status};
use crux_client::op::GetStatus;

use super::{Ui, Wait, table};
use crate::error::Error;

/// Show what a node is and what it sees
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let status = ui.call(&GetStatus, args.wait)?;
    ui.answer(&status, || text(&status))
}

fn joining(joining: Joining) -> String {
    match joining {
        Joining::Joined => "joined",
        Joining::Alone => "alone: no --join entry",
        Joining::Pending => "pending: no --join entry let this node in yet",
        Joining::Failed => "failed: no --join entry leads anywhere; `doctor` says why",
    }
    .to_owned()
}

fn process(pid: u32, picket: Option<u32>) -> String {
    picket.map_or(pid.to_string(), |picket| format!("{pid}, started by its picket {picket}"))
}

pub(super) fn text(status: &Status) -> String {
    let counts = status.members;
    let row = |name: &str, value: String| [name.to_owned(), value];
    let mut rows = vec![
        row("flock", format!("{} ({})", status.flock, status.flock_id.short())),
        row("node", format!("{} ({})", status.node, table::short(&status.principal))),
    ];
    rows.extend(status.lost_name.as_ref().map(|name| {
        row("name", format!("{name} is held by another member; start with another --name"))
    }));
    let node_use = Some(status.node_use).filter(|it| *it != NodeUse::Open);
    rows.extend(node_use.map(|node_use| row("use", node_use.to_string())));
    rows.extend([
        row("incarnation", status.incarnation.to_string()),
        row("leader", table::leader(status.leader.as_ref())),
        row("join", joining(status.joining)),
        row(
            "members",
            format!("{} alive, {} suspect, {} dead", counts.alive, counts.suspect, counts.dead),
        ),
        row("services", status.services.to_string()),
        row("blobs", status.blobs.to_string()),
        row("state digest", status.state_digest.to_string()),
        row("process", process(status.pid, status.picket_pid)),
    ]);
    // The header is empty: the names say it all.
    table::render(["", ""], rows).trim_start_matches('\n').to_owned()
}
