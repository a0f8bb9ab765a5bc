//! `blob rm`, `pin`, `unpin`, `reserve`

use std::time::Duration;

use crux_client::op::{Keep, KeepBlob, RemoveBlob};

use super::{Ui, Wait, find};
use crate::blobs::RESERVE;
use crate::cli::duration;
use crate::error::{Error, Kind};

/// Remove a blob from the node
///
/// Open readers continue. A registered file stays where it is. Asks before it removes a blob that is pinned, or the
/// image of a service.
#[derive(Debug, clap::Args)]
pub(super) struct Rm {
    /// Its id, or the first digits of it
    id: String,
    #[command(flatten)]
    wait: Wait,
}

/// Keep a blob on the node until it is unpinned
#[derive(Debug, clap::Args)]
pub(super) struct Pin {
    /// Its id, or the first digits of it
    id: String,
    #[command(flatten)]
    wait: Wait,
}

/// Let the node evict a blob again when it needs room
#[derive(Debug, clap::Args)]
pub(super) struct Unpin {
    /// Its id, or the first digits of it
    id: String,
    #[command(flatten)]
    wait: Wait,
}

/// Keep a blob on the node for a while
#[derive(Debug, clap::Args)]
pub(super) struct Reserve {
    /// Its id, or the first digits of it
    id: String,
    /// How long from now; 10m by default
    #[arg(long = "for", value_name = "DURATION", value_parser = duration::parse)]
    time: Option<Duration>,
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn rm(args: &Rm, ui: &mut Ui) -> Result<(), Error> {
    let id = find(&args.id, args.wait, ui)?;
    let removed = ui.call(&RemoveBlob { id, pinned: ui.yes() }, args.wait);
    match removed {
        Err(err) if err.kind() == Kind::NotConfirmed => {
            // The node says why: it is pinned, or the image of a service.
            let why = err.to_string();
            let asked = ui.confirm(|_| Ok(format!("The node keeps it: {why}.")));
            asked.map_err(|err| err.augment(why))?;
            ui.call(&RemoveBlob { id, pinned: true }, args.wait)?;
        }
        removed => removed?,
    }
    ui.say(&format!("Removed {id}"))
}

pub(super) fn pin(args: &Pin, ui: &mut Ui) -> Result<(), Error> {
    let id = find(&args.id, args.wait, ui)?;
    ui.call(&KeepBlob { id, keep: Keep::Pinned(true) }, args.wait)?;
    ui.say(&format!("Pinned {id}"))
}

pub(super) fn unpin(args: &Unpin, ui: &mut Ui) -> Result<(), Error> {
    let id = find(&args.id, args.wait, ui)?;
    ui.call(&KeepBlob { id, keep: Keep::Pinned(false) }, args.wait)?;
    ui.say(&format!("Unpinned {id}"))
}

pub(super) fn reserve(args: &Reserve, ui: &mut Ui) -> Result<(), Error> {
    let id = find(&args.id, args.wait, ui)?;
    let time = args.time.unwrap_or(RESERVE);
    ui.call(&KeepBlob { id, keep: Keep::Reserved(time) }, args.wait)?;
    ui.say(&format!("Reserved {id} for {} s", time.as_secs_f64()))
}
