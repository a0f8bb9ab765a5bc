//! `blob ls`

use crux_client::model::Blob;
use crux_client::op::ListBlobs;
use serde_json::{Value, json};

use super::{Ui, Wait};
use crate::cli::live::{self, Live};
use crate::cli::output::to_json;
use crate::cli::table;
use crate::error::Error;

/// List the blobs of the node, whole or under way
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    live: Live,
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let shown = (
        |blobs: &Vec<Blob>| to_json(&blobs.iter().map(value).collect::<Vec<_>>()),
        |blobs: &Vec<Blob>| text(blobs),
    );
    live::list(&ListBlobs, (args.wait, args.live), ui, &shown).map(drop)
}

fn value(blob: &Blob) -> Value {
    let left = blob.reserved_for.map(|left| u64::try_from(left.as_millis()).ok());
    json!({
        "id": blob.id.to_string(),
        "size": blob.size,
        "sealed": blob.sealed,
        "held": blob.held,
        "pieces": blob.pieces,
        "pinned": blob.pinned,
        "reserved_for_ms": left,
        "registered": blob.registered,
    })
}

fn text(blobs: &[Blob]) -> String {
    let row = |blob: &Blob| {
        let state = match blob.sealed {
            true => "sealed".to_owned(),
            false => format!("{} of {} pieces", blob.held, blob.pieces),
        };
        let mut kept = Vec::new();
        if blob.pinned {
            kept.push("pinned".to_owned());
        }
        if blob.reserved_for.is_some() {
            kept.push("reserved".to_owned());
        }
        if let Some(path) = &blob.registered {
            kept.push(format!("at {}", path.display()));
        }
        [blob.id.to_string(), blob.size.to_string(), state, kept.join(", ")]
    };
    table::render(["BLOB", "SIZE", "STATE", "KEPT"], blobs.iter().map(row).collect())
}
