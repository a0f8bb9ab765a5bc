//! `setting`: settings of the whole flock.

mod ls;
mod set;

use crux_crdt::document::Setting;

use super::named::Named;
use super::sign::{Content, OperatorSigner, Session, Writing, Written};
use super::{Ui, Wait};
use crate::error::Error;

/// Set what holds for the whole flock at once
///
/// Settings are documents of the operator, `setting/…`, and have effect on each node as soon as it has them:
/// `forget_after DURATION`, how long a member is dead before it is forgotten; `log FILTER`, what nodes log, as `run --log`
/// takes it; `labels/NODE k=v,k=v`, labels of a node beside those that it gives itself.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Ls(ls::Args),
    Set(set::Set),
    Unset(set::Unset),
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    match &args.command {
        Command::Ls(args) => ls::run(args, ui),
        Command::Set(args) => set::set(args, ui),
        Command::Unset(args) => set::unset(args, ui),
    }
}
