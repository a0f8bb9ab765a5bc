//! `blob rm`, `pin`, `unpin`, `reserve`

use std::time::Duration;

use super::{Ui, Wait};
use crate::blobs::RESERVE;
use crate::cli::duration;
use crate::cli::output::block_on;
use crate::error::Error;
use crate::parse;

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
    block_on(async { ui.connect(args.wait.timeout).await?.remove_blob(id).await })?;
    ui.say(&format!("Removed {id}"))
}

pub(super) fn pin(args: &Pin, ui: &mut Ui) -> Result<(), Error> {
    let id = parse::blob(&args.id)?;
    block_on(async { ui.connect(args.wait.timeout).await?.pin_blob(id, true).await })?;
    ui.say(&format!("Pinned {id}"))
}

pub(super) fn unpin(args: &Unpin, ui: &mut Ui) -> Result<(), Error> {
    let id = parse::blob(&args.id)?;
    block_on(async { ui.connect(args.wait.timeout).await?.pin_blob(id, false).await })?;
    ui.say(&format!("Unpinned {id}"))
}

pub(super) fn reserve(args: &Reserve, ui: &mut Ui) -> Result<(), Error> {
    let id = parse::blob(&args.id)?;
    let time = args.time.unwrap_or(RESERVE);
    block_on(async { ui.connect(args.wait.timeout).await?.reserve_blob(id, time).await })?;
    ui.say(&format!("Reserved {id} for {} s", time.as_secs_f64()))
}
