//! `plan`, `apply`, `diff`, `target`, `why` and `status --target`: what a horde is to run, where, and how far it is.
//!
//! ```text
//!   PATH… ─ files ─▶ Site ─ images ─▶ configs ─┐
//!          every mistake with its place        ├─▶ Next ── Target ── signed ──▶ a node
//!   node ─ the document target/main ─▶ State ──┘      takes over the history
//!        └ blobs of earlier generations
//! ```
//!
//! A target is one document, so a command changes all of it or nothing. **Invariants**: nothing is put or signed before
//! every file was read and every rule checked. What is signed names the target that the node has as the generation
//! before, whose content the node then keeps as a blob: there is always one to go back to.

mod apply;
mod current;
mod diff;
mod history;
mod image;
mod lines;
mod plan;
mod progress;
mod rollback;
mod show;
mod site;
mod upgrade;
mod why;
mod write;

pub(super) use apply::{Args as Apply, run as apply};
pub(super) use diff::{Args as Diff, run as diff};
pub(super) use plan::{Args as Plan, run as plan};
pub(super) use progress::status;
pub(super) use why::{Args as Why, run as why};

use crux_crdt::name::Label;

use super::sign::{AnySigner, Content, Session, Writing, Written, read_file};
use super::{Ui, Wait};
use crate::error::Error;

/// Show the target, its history, and change it
///
/// The target says what the flock is to run: a program, which says on which nodes, and a document for each service. It
/// is made by `apply`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Show(show::Args),
    History(history::Args),
    Rollback(rollback::Args),
    Upgrade(upgrade::Args),
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    match &args.command {
        Command::Show(args) => show::run(args, ui),
        Command::History(args) => history::run(args, ui),
        Command::Rollback(args) => rollback::run(args, ui),
        Command::Upgrade(args) => upgrade::run(args, ui),
    }
}

/// The horde whose target it is: there is one horde today.
fn horde() -> Label {
    Label::main_horde()
}
