//! `service rm`

use crux_client::op::{ListInstances, RemoveService};
use crux_crdt::name::ServiceName;

use super::until::{Stopping, answer};
use super::{Ui, Wait, named};
use crate::error::Error;

/// Stop a service in order, and forget it
///
/// Its own directory stays, for a service of that name that is added again; delete it by hand. `logs` reads its log
/// until 16 other services were removed after it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name of the service
    name: String,
    #[command(flatten)]
    stopping: Stopping,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let service = named(&args.name)?;
    let (until, wait) = (args.stopping.until(), args.stopping.wait());
    ui.confirm(|ui| question(&service, wait, ui))?;
    let settled = ui.call(&RemoveService { service, until }, wait)?;
    answer(&settled, ui)
}

/// Names the node, where it was found, and how much runs.
fn question(service: &ServiceName, wait: Wait, ui: &mut Ui) -> Result<String, Error> {
    let found = ui.settle()?.map_or(String::new(), |dir| format!(" of {}", dir.display()));
    let op = ListInstances { service: Some(service.clone()), all: true };
    let running = ui.call(&op, wait)?.iter().filter(|it| it.pid.is_some()).count();
    Ok(format!("The node{found} will stop {service} ({running} running) and forget its config."))
}
