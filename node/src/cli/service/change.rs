//! `service rollback`, `start`, `stop`, `restart`

use crux_client::op::{RestartService, RollBackService, StartService, StopService};

use super::until::{Stopping, Waiting, answer};
use super::{Ui, named};
use crate::error::Error;

/// Take a service back to the config before its last update
#[derive(Debug, clap::Args)]
pub(super) struct Rollback {
    /// Name of the service
    name: String,
    #[command(flatten)]
    waiting: Waiting,
}

/// Start a service that was stopped, or that failed, at once
#[derive(Debug, clap::Args)]
pub(super) struct Start {
    /// Name of the service
    name: String,
    #[command(flatten)]
    waiting: Waiting,
}

/// Stop a service in order
///
/// It stays stopped, also when the node starts again, until it is started.
#[derive(Debug, clap::Args)]
pub(super) struct Stop {
    /// Name of the service
    name: String,
    #[command(flatten)]
    stopping: Stopping,
}

/// Stop a service in order, and start it again
#[derive(Debug, clap::Args)]
pub(super) struct Restart {
    /// Name of the service
    name: String,
    #[command(flatten)]
    waiting: Waiting,
}

pub(super) fn rollback(args: &Rollback, ui: &mut Ui) -> Result<(), Error> {
    let (service, until) = (named(&args.name)?, args.waiting.until());
    let settled = ui.call(&RollBackService { service, until }, args.waiting.wait())?;
    answer(&settled, ui)
}

pub(super) fn start(args: &Start, ui: &mut Ui) -> Result<(), Error> {
    let (service, until) = (named(&args.name)?, args.waiting.until());
    let settled = ui.call(&StartService { service, until }, args.waiting.wait())?;
    answer(&settled, ui)
}

pub(super) fn stop(args: &Stop, ui: &mut Ui) -> Result<(), Error> {
    let (service, until) = (named(&args.name)?, args.stopping.until());
    let settled = ui.call(&StopService { service, until }, args.stopping.wait())?;
    answer(&settled, ui)
}

pub(super) fn restart(args: &Restart, ui: &mut Ui) -> Result<(), Error> {
    let (service, until) = (named(&args.name)?, args.waiting.until());
    let settled = ui.call(&RestartService { service, until }, args.waiting.wait())?;
    answer(&settled, ui)
}
