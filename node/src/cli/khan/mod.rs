//! `khan`: programs that say where services belong.

mod check;
mod file;
mod fmt;

use super::{Ui, paint};
use crate::error::{Error, Exit};

/// Check and format programs that say where services belong
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
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, Error> {
    match &args.command {
        Command::Check(args) => check::run(args, ui),
        Command::Fmt(args) => fmt::run(args, ui),
    }
}
