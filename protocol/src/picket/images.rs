//! The images that are ready to be executed.
//!
//! **Invariant**: nothing is started from an image before the shell said that it is sealed.

use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::blob::BlobId;

use super::command::Command;
use super::desired::Image;

/// The images of this node's services.
#[derive(Debug, Default)]
pub(super) struct Images {
    /// Whether each is sealed in memory; none: not said yet.
    ready: BTreeMap<BlobId, Option<bool>>,
    /// The images that the shell was told to keep.
    pinned: Option<BTreeSet<BlobId>>,
}

impl Images {
    /// Whether an image is ready, and how; it is made so if nobody did yet.
    pub(super) fn want(&mut self, image: &Image, out: &mut Vec<Command>) -> Option<bool> {
        if let Some(ready) = self.ready.get(&image.blob()) {
            return *ready;
        }
        self.ready.insert(image.blob(), crux_crdt::planted!(SpawnsUnsealed).then_some(true));
        out.push(Command::Seal(image.clone()));
        None
    }

    /// An image is ready.
    pub(super) fn on_sealed(&mut self, blob: BlobId, sealed: bool) {
        if let Some(ready) = self.ready.get_mut(&blob) {
            *ready = Some(sealed);
        }
    }

    /// An image cannot be executed. The next start tries again.
    pub(super) fn on_failed(&mut self, blob: BlobId) {
        self.ready.remove(&blob);
    }

    /// Keeps exactly these.
    pub(super) fn pin(&mut self, wanted: BTreeSet<BlobId>, out: &mut Vec<Command>) {
        if self.pinned.as_ref() == Some(&wanted) {
            return;
        }
        self.ready.retain(|blob, _| wanted.contains(blob));
        out.push(Command::Pins(wanted.clone()));
        self.pinned = Some(wanted);
    }

    /// How much is kept.
    pub(super) fn footprint(&self) -> usize {
        self.ready.len() + self.pinned.as_ref().map_or(0, BTreeSet::len)
    }
}
