//! Looking at every byte again, before somebody needs it.

use std::sync::Arc;

use crux_crdt::blob::{BlobId, PIECE_BYTES, piece_count};

use super::BlobError;
use super::depot::Depot;

/// How many pieces one step looks at, so that others get a turn between steps.
pub(super) const STEP_PIECES: u32 = 16;

/// What a scrub found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scrubbed {
    /// How many blobs were verified.
    pub blobs: u64,
    /// How many bytes.
    pub bytes: u64,
    /// Blobs of which pieces are lost, and how many. They are under way again: what fetches them
    /// fetches only what is lost.
    pub damaged: Vec<(BlobId, u32)>,
    /// Files that were registered in place and changed; they are registered no longer.
    pub changed: Vec<BlobId>,
}

/// How far the scrub of one blob got.
pub(super) enum Step {
    /// This many bytes were verified, and there is more.
    More(u64),
    /// This many bytes were verified, and those were the last.
    Done(u64),
}

impl Depot {
    /// The blobs to look at.
    pub(super) fn to_scrub(&self) -> Vec<BlobId> {
        self.index().sealed.keys().copied().collect()
    }

    /// Looks at some pieces of a blob.
    pub(super) fn scrub_step(self: &Arc<Self>, id: BlobId, from: u32) -> Result<Step, BlobError> {
        let files = self.files_untouched(id)?;
        let end = piece_count(files.size());
        let to = end.min(from.saturating_add(STEP_PIECES));
        for index in from..to {
            self.read(id, &files, index)?;
        }
        let start = (u64::from(from) * PIECE_BYTES).min(files.size());
        let bytes = (u64::from(to) * PIECE_BYTES).min(files.size()) - start;
        Ok(if to == end { Step::Done(bytes) } else { Step::More(bytes) })
    }
}

impl Scrubbed {
    /// Notes how a blob came out. An error that is about no single blob ends the scrub.
    pub(super) fn note(
        &mut self,
        id: BlobId,
        done: Result<u64, BlobError>,
    ) -> Result<(), BlobError> {
        match done {
            Ok(bytes) => self.bytes += bytes,
            Err(BlobError::Damaged { bad, .. }) => self.damaged.push((id, bad)),
            Err(BlobError::Changed(_)) => self.changed.push(id),
            // Removed meanwhile.
            Err(BlobError::Unknown(_) | BlobError::Unsealed(_)) => return Ok(()),
            Err(err) => return Err(err),
        }
        self.blobs += 1;
        Ok(())
    }
}
