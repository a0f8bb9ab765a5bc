//! `service`: programs that the node keeps running.

mod add;
mod change;
mod config;
mod image;
mod remove;
mod show;
mod until;
mod update;

use crux_client::parse;
use crux_crdt::name::ServiceName;

use super::{Ui, Wait, duration};
use crate::error::Error;

/// Run programs: add, update, stop and remove services of the node
///
/// A service is a program that the node keeps running: it is started again when it ends, registered while it is
/// well, and its output is kept. `ps` lists what runs, `inspect` shows all that is known of one, `logs` what it
/// wrote, and `events` what happened.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Add(add::Args),
    Update(update::Args),
    Rollback(change::Rollback),
    Start(change::Start),
    Stop(change::Stop),
    Restart(change::Restart),
    Rm(remove::Args),
    Check(show::Check),
    Show(show::Show),
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    match &args.command {
        Command::Add(args) => add::run(args, ui),
        Command::Update(args) => update::run(args, ui),
        Command::Rollback(args) => change::rollback(args, ui),
        Command::Start(args) => change::start(args, ui),
        Command::Stop(args) => change::stop(args, ui),
        Command::Restart(args) => change::restart(args, ui),
        Command::Rm(args) => remove::run(args, ui),
        Command::Check(args) => show::check(args, ui),
        Command::Show(args) => show::show(args, ui),
    }
}

/// The service that a person names.
fn named(name: &str) -> Result<ServiceName, Error> {
    parse::service_name("the service", name)
}
