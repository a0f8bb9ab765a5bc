//! `blob rm`, `pin`, `unpin`, `reserve`

use std::time::Duration;

use crux_client::op::{Keep, KeepBlob, RemoveBlob};
use crux_client::parse;

use super::{Ui, Wait};
use crate::blobs::RESERVE;
use crate::cli::duration;
use crate::error::Error;

/// Remove a blob from the node
///
/// Whoever reads it reads on. A file that was registered stays where it is.
#[derive(Debug, clap::Args)]
pub(super) struct Rm {
    /// Which one
    id: String,
    #[command(flatten)]
    wait: Wait,
}

/// Keep a blob on the node until it is unpinned
#[derive(Debug, clap::Args)]
pub(super) struct Pin {
    /// Which one
    id: String,
    #[command(flatten)]
    wait: Wait,
}

/// Let the node evict a blob again when it needs room
#[derive(Debug, clap::Args)]
pub(super) struct Unpin {
    /// Which one
    id: String,
    #[command(flatten)]
    wait: Wait,
}

/// Keep a blob on the node for a while
#[derive(Debug, clap::Args)]
pub(super) struct Reserve {
    /// Which one
    id: String,
    /// How long from now; 10m by default
    #[arg(long = "for", value_name = "DURATION", value_parser = duration::parse)]
    time: Option<Duration>,
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn rm(args: &Rm, ui: &mut Ui) -> Result<(), Error> {
    let id = parse::blob(&args.id)?;
    ui.call(&RemoveBlob { id }, args.wait)?;
    ui.say(&format!("Removed {id}"))
}

pub(super) fn pin(args: &Pin, ui: &mut Ui) -> Result<(), Error> {
    let id = parse::blob(&args.id)?;
    ui.call(&KeepBlob { id, keep: Keep::Pinned(true) }, args.wait)?;
    ui.say(&format!("Pinned {id}"))
}

pub(super) fn unpin(args: &Unpin, ui: &mut Ui) -> Result<(), Error> {
    let id = parse::blob(&args.id)?;
    ui.call(&KeepBlob { id, keep: Keep::Pinned(false) }, args.wait)?;
    ui.say(&format!("Unpinned {id}"))
}

pub(super) fn reserve(args: &Reserve, ui: &mut Ui) -> Result<(), Error> {
    let id = parse::blob(&args.id)?;
    let time = args.time.unwrap_or(RESERVE);
    ui.call(&KeepBlob { id, keep: Keep::Reserved(time) }, args.wait)?;
    ui.say(&format!("Reserved {id} for {} s", time.as_secs_f64()))
}
