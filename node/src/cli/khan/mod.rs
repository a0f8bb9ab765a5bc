//! `khan`: programs that say where services belong.

mod check;
mod file;
mod fmt;
mod solve;

use super::{Ui, output, paint, table};
use crate::error::{Error, Exit};

/// Check, format and solve programs that say where services belong
///
/// A program in khan says on which nodes services run, and in which order they start. These commands need no
/// node.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Check(check::Args),
    Fmt(fmt::Args),
    Solve(solve::Args),
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, Error> {
    match &args.command {
        Command::Check(args) => check::run(args, ui),
        Command::Fmt(args) => fmt::run(args, ui),
        Command::Solve(args) => solve::run(args, ui).map(|()| Exit::Done),
    }
}
