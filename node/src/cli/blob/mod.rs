//! `blob`: files by their hash.

mod get;
mod keep;
mod ls;
mod place;
mod progress;
mod put;
mod stream;
#[cfg(test)]
mod tests;

pub(super) use put::put_one;

use crux_client::model::BlobRef;
use crux_client::op::FindBlob;
use crux_client::parse;
use crux_crdt::blob::BlobId;

use super::{Ui, Wait};
use crate::error::Error;

/// Put, get and keep blobs: files by the hash of what is in them
///
/// A blob's id is the SHA3-256 of the file, as `openssl dgst -sha3-256 FILE` prints it. Commands take its
/// first digits, too: 4 or more, and as many as tell it from the others. Every byte that comes out was checked.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Put(put::Args),
    Get(get::Args),
    Ls(ls::Args),
    Rm(keep::Rm),
    Path(place::Path),
    Pin(keep::Pin),
    Unpin(keep::Unpin),
    Reserve(keep::Reserve),
    Register(place::Register),
    AddDir(place::AddDir),
    Scrub(place::Scrub),
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    match &args.command {
        Command::Put(args) => put::run(args, ui),
        Command::Get(args) => get::run(args, ui),
        Command::Ls(args) => ls::run(args, ui),
        Command::Rm(args) => keep::rm(args, ui),
        Command::Path(args) => place::path(args, ui),
        Command::Pin(args) => keep::pin(args, ui),
        Command::Unpin(args) => keep::unpin(args, ui),
        Command::Reserve(args) => keep::reserve(args, ui),
        Command::Register(args) => place::register(args, ui),
        Command::AddDir(args) => place::add_dir(args, ui),
        Command::Scrub(args) => place::scrub(args, ui),
    }
}

/// The blob of the node that a person means.
fn find(text: &str, wait: Wait, ui: &Ui) -> Result<BlobId, Error> {
    match parse::blob_ref(text)? {
        BlobRef::Id(id) => Ok(id),
        BlobRef::Prefix(prefix) => ui.call(&FindBlob { prefix, elsewhere: false }, wait),
    }
}
