//! `doc`: what the operator and users want of the flock.

mod ls;
mod put;
mod rm;
mod show;

use crux_client::model::WrittenDocument;
use crux_client::op::{ListDocuments, ShowDocument};

use super::sign::{AnySigner, Content, Draft, Session, Writing, Written, read};
use super::{Ui, Wait};
use crate::error::{Error, Kind};

/// Write and read documents: what the operator and users want of the flock
///
/// A document has a key, KIND/NAME, and at most 64 KiB of content. It is signed by a user whose grant covers the key,
/// or by the operator, and every node has it. `doc ls` says which have effect.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Put(put::Args),
    Ls(ls::Args),
    Show(show::Args),
    Rm(rm::Args),
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    match &args.command {
        Command::Put(args) => put::run(args, ui),
        Command::Ls(args) => ls::run(args, ui),
        Command::Show(args) => show::run(args, ui),
        Command::Rm(args) => rm::run(args, ui),
    }
}

/// Signs one document, hands it in, and tells so.
fn write(
    session: &Session,
    draft: Draft,
    how: Writing,
    verb: &str,
    ui: &mut Ui,
) -> Result<(), Error> {
    let Written::Put(written) = session.write(vec![draft], how, ui)? else { return Ok(()) };
    let written = only(written)?;
    ui.answer(&written, || {
        let WrittenDocument { key, generation, .. } = &written;
        format!("{verb} {key}, generation {generation}")
    })
}

/// The answer for one document.
fn only(written: Vec<WrittenDocument>) -> Result<WrittenDocument, Error> {
    let none = || Error::new(Kind::Internal, "the node's answer has no document");
    written.into_iter().next().ok_or_else(none)
}
