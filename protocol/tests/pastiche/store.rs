//! A store that holds no bytes: a piece is its root and its index.

use std::collections::BTreeMap;

use crux_crdt::blob::{BlobId, PieceSet, Root};
use crux_protocol::pastiche::{Holding, SealFailure, StoreFailure, WriteFailure};

use crate::fixture::ROOT;

#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) holding: Holding,
    pub(crate) sealed: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) kept: BTreeMap<BlobId, Kept>,
    /// How often each piece was written.
    pub(crate) writes: BTreeMap<u32, usize>,
    pub(crate) full: bool,
}

pub(crate) fn piece(root: Root, index: u32) -> Vec<u8> {
    [&root.0[..], &index.to_be_bytes()].concat()
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

    pub(crate) fn begin(
        &mut self,
        blob: BlobId,
        root: Root,
        size: u64,
    ) -> Result<PieceSet, StoreFailure> {
        if self.full {
            return Err(StoreFailure::Quota);
        }
        let fresh = Holding { root, size, pieces: PieceSet::none(size) };
        let kept = self.kept.entry(blob).or_insert(Kept { holding: fresh.clone(), sealed: false });
        if (kept.holding.root, kept.holding.size) != (root, size) {
            kept.holding = fresh;
        }
        Ok(kept.holding.pieces.clone())
    }

    pub(crate) fn write(
        &mut self,
        blob: BlobId,
        root: Root,
        index: u32,
        body: &[u8],
    ) -> Result<(), WriteFailure> {
        if body != piece(root, index) {
            return Err(WriteFailure::Damaged);
        }
        let gone = WriteFailure::Store(StoreFailure::Other("gone".to_owned()));
        self.kept.get_mut(&blob).ok_or(gone)?.holding.pieces.insert(index);
        *self.writes.entry(index).or_default() += 1;
        Ok(())
    }

    pub(crate) fn seal(&mut self, blob: BlobId) -> Result<(), SealFailure> {
        let kept = self.kept.get_mut(&blob).unwrap();
        assert!(kept.holding.pieces.is_complete(), "sealed before all pieces were there");
        if kept.holding.root != ROOT {
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
