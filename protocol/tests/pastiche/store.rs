//! A store that holds no bytes: a piece is its root and its index.

use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::blob::{BLOB_BYTES_MAX, BlobId, PIECE_BYTES, PieceSet, Root};
use crux_protocol::pastiche::{Holding, SealFailure, StoreFailure, WriteFailure};

use crate::fixture::ROOT;

#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) holding: Holding,
    pub(crate) sealed: bool,
}

#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) kept: BTreeMap<BlobId, Kept>,
    /// How often each piece was written.
    pub(crate) writes: BTreeMap<u32, usize>,
    /// How large a blob may be.
    pub(crate) room: u64,
    /// The most bytes that it ever held.
    pub(crate) most: u64,
    /// What nobody goes on with.
    pub(crate) resting: BTreeSet<BlobId>,
}

pub(crate) fn piece(root: Root, index: u32) -> Vec<u8> {
    [&root.0[..], &index.to_be_bytes()].concat()
}

impl Default for Store {
    fn default() -> Self {
        let (kept, writes, resting) = Default::default();
        Self { kept, writes, room: BLOB_BYTES_MAX, most: 0, resting }
    }
}

impl Store {
    /// A blob that is sealed here, whatever it is.
    pub(crate) fn keep(&mut self, blob: BlobId, root: Root, size: u64) {
        let holding = Holding { root, size, pieces: PieceSet::all(size) };
        self.kept.insert(blob, Kept { holding, sealed: true });
    }

    /// Those pieces of a blob, as a fetch leaves them that did not come to its end.
    pub(crate) fn keep_part(
        &mut self,
        (blob, root, size): (BlobId, Root, u64),
        pieces: impl IntoIterator<Item = u32>,
    ) {
        let mut kept = PieceSet::none(size);
        pieces.into_iter().for_each(|index| _ = kept.insert(index));
        let holding = Holding { root, size, pieces: kept };
        self.kept.insert(blob, Kept { holding, sealed: false });
    }

    /// How many bytes this holds.
    pub(crate) fn used(&self) -> u64 {
        let bytes = |kept: &Kept| u64::from(kept.holding.pieces.held()) * PIECE_BYTES;
        self.kept.values().map(bytes).sum()
    }

    pub(crate) fn begin(
        &mut self,
        blob: BlobId,
        root: Root,
        size: u64,
    ) -> Result<PieceSet, StoreFailure> {
        if size > self.room {
            return Err(StoreFailure::Quota);
        }
        let kept = self.kept.get(&blob).map(|kept| &kept.holding);
        let same = kept.filter(|holding| (holding.root, holding.size) == (root, size));
        Ok(same.map_or(PieceSet::none(size), |holding| holding.pieces.clone()))
    }

    pub(crate) fn write(
        &mut self,
        (blob, root, size): (BlobId, Root, u64),
        index: u32,
        body: &[u8],
    ) -> Result<(), WriteFailure> {
        if body != piece(root, index) {
            return Err(WriteFailure::Damaged);
        }
        let fresh = Holding { root, size, pieces: PieceSet::none(size) };
        let kept = self.kept.entry(blob).or_insert(Kept { holding: fresh.clone(), sealed: false });
        if (kept.holding.root, kept.holding.size) != (root, size) {
            kept.holding = fresh;
        }
        kept.holding.pieces.insert(index);
        *self.writes.entry(index).or_default() += 1;
        self.most = self.most.max(self.used());
        Ok(())
    }

    pub(crate) fn seal(&mut self, blob: BlobId, root: Root, size: u64) -> Result<(), SealFailure> {
        let fresh = Holding { root, size, pieces: PieceSet::none(size) };
        let kept = self.kept.entry(blob).or_insert(Kept { holding: fresh, sealed: false });
        assert!(kept.holding.pieces.is_complete(), "sealed before all pieces were there");
        if kept.holding.root != ROOT {
            self.kept.remove(&blob);
            return Err(SealFailure::Mismatch);
        }
        kept.sealed = true;
        Ok(())
    }

    pub(crate) fn read(&self, blob: BlobId, root: Root, index: u32) -> Option<Vec<u8>> {
        let kept = self.kept.get(&blob).filter(|kept| kept.holding.root == root)?;
        kept.holding.pieces.contains(index).then(|| piece(root, index))
    }
}
