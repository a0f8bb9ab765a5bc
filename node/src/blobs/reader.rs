use std::sync::Arc;

use bytes::Bytes;
use crux_crdt::blob::{BlobId, piece_count};

use super::BlobError;
use super::depot::Depot;
use super::gates::Gates;
use super::read::{Files, Held};

/// A sealed blob, open. It is not evicted while this lives; removed, it can still be read to its end.
#[derive(Debug)]
pub struct Reader {
    open: Arc<Open>,
    next: u32,
    gates: Arc<Gates>,
}

/// A reader without the way to its threads.
#[derive(Debug)]
pub(super) struct Opened(Open);

#[derive(Debug)]
struct Open {
    id: BlobId,
    files: Files,
    depot: Arc<Depot>,
    _held: Held,
}

impl Opened {
    pub(super) fn with(self, gates: Arc<Gates>) -> Reader {
        Reader { open: Arc::new(self.0), next: 0, gates }
    }
}

impl Reader {
    pub(super) fn open(depot: &Arc<Depot>, id: BlobId) -> Result<Opened, BlobError> {
        // Held first, so that it is not evicted in between.
        let held = Held::new(depot, id)?;
        let files = depot.files(id)?;
        Ok(Opened(Open { id, files, depot: depot.clone(), _held: held }))
    }

    /// How many bytes the blob has.
    pub fn size(&self) -> u64 {
        self.open.files.size()
    }

    /// Goes on from the piece at `index`.
    pub const fn seek(&mut self, index: u32) {
        self.next = index;
    }

    /// The next bytes, at most [`crux_crdt::blob::PIECE_BYTES`], checked against the root; none: that
    /// was all.
    ///
    /// # Errors
    /// [`BlobError::Damaged`], [`BlobError::Changed`]: what came before was still good.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BlobError> {
        if self.next >= piece_count(self.size()) {
            return Ok(None);
        }
        let (open, index) = (self.open.clone(), self.next);
        let bytes = self.gates.short(move || open.depot.read(open.id, &open.files, index)).await?;
        self.next += 1;
        Ok(Some(bytes))
    }
}
