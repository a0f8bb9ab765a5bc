//! A store that holds no bytes: a piece is its root and its index.

use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::blob::{BLOB_BYTES_MAX, BlobId, PIECE_BYTES, PieceSet, Root};
use crux_protocol::pastiche::{Holding, SealFailure, StoreFailure, TryFailure, WriteFailure};

use crate::fixture::ROOT;

#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) holding: Holding,
    pub(crate) sealed: bool,
}

#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) kept: BTreeMap<BlobId, Kept>,
    /// What is kept of another tree of the blob.
    pub(crate) aside: BTreeMap<BlobId, Holding>,
    /// How often each piece was written.
    pub(crate) writes: BTreeMap<u32, usize>,
    /// How large a blob may be.
    pub(crate) room: u64,
    /// The most bytes that it ever held of what was gone on with, and of all: the rest makes room.
    pub(crate) most: u64,
    pub(crate) most_of_all: u64,
    /// Whether nothing stays of a tree when a piece of another one comes, as where there is no room.
    pub(crate) forgets: bool,
    /// What nobody goes on with.
    pub(crate) resting: BTreeSet<BlobId>,
}

pub(crate) fn piece(root: Root, index: u32) -> Vec<u8> {
    [&root.0[..], &index.to_be_bytes()].concat()
}

fn bytes(holding: &Holding) -> u64 {
    u64::from(holding.pieces.held()) * PIECE_BYTES
}

impl Default for Store {
    fn default() -> Self {
        let (kept, aside, writes, resting) = Default::default();
        Self {
            kept,
            aside,
            writes,
            room: BLOB_BYTES_MAX,
            most: 0,
            most_of_all: 0,
            forgets: false,
            resting,
        }
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

    /// How many bytes this holds, and makes no room of for others.
    pub(crate) fn used(&self) -> u64 {
        self.kept.values().map(|kept| bytes(&kept.holding)).sum()
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
        let kept = self.kept.get(&blob).map(|kept| &kept.holding).into_iter();
        let mut kept = kept.chain(self.aside.get(&blob));
        let same = kept.find(|holding| (holding.root, holding.size) == (root, size));
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
        let is_it = |holding: &Holding| (holding.root, holding.size) == (root, size);
        if !is_it(&kept.holding) {
            let next = self.aside.remove(&blob);
            let (it, other) = next.map_or((fresh.clone(), None), |next| {
                if is_it(&next) { (next, None) } else { (fresh, Some(next)) }
            });
            let before = std::mem::replace(&mut kept.holding, it);
            let held = |holding: &Holding| holding.pieces.held();
            let larger = [Some(before), other].into_iter().flatten().max_by_key(held);
            let larger = larger.filter(|_| !self.forgets);
            self.aside.extend(larger.map(|larger| (blob, larger)));
        }
        kept.holding.pieces.insert(index);
        *self.writes.entry(index).or_default() += 1;
        self.most = self.most.max(self.used());
        let aside: u64 = self.aside.values().map(bytes).sum();
        self.most_of_all = self.most_of_all.max(self.used() + aside);
        Ok(())
    }

    pub(crate) fn seal(&mut self, blob: BlobId, root: Root, size: u64) -> Result<(), SealFailure> {
        let pieces = self.begin(blob, root, size).unwrap();
        assert!(pieces.is_complete(), "sealed before all pieces were there");
        if root != ROOT {
            self.abandon(blob, root, size);
            return Err(SealFailure::Mismatch);
        }
        self.keep(blob, root, size);
        self.aside.remove(&blob);
        Ok(())
    }

    /// What the only piece of a tree is.
    pub(crate) fn try_piece(
        &mut self,
        (blob, root, size): (BlobId, Root, u64),
        body: &[u8],
    ) -> Result<(), TryFailure> {
        assert!(size <= PIECE_BYTES, "one piece is all of it");
        if body != piece(root, 0) {
            return Err(TryFailure::Damaged);
        }
        if root != ROOT {
            return Err(TryFailure::Mismatch);
        }
        self.keep(blob, root, size);
        self.aside.remove(&blob);
        Ok(())
    }

    /// Throws away the pieces of a tree.
    pub(crate) fn abandon(&mut self, blob: BlobId, root: Root, size: u64) {
        let is_it = |holding: &Holding| (holding.root, holding.size) == (root, size);
        self.aside.retain(|of, holding| *of != blob || !is_it(holding));
        if self.kept.get(&blob).is_some_and(|kept| is_it(&kept.holding)) {
            self.kept.remove(&blob);
            let next = self.aside.remove(&blob);
            let next = next.map(|holding| (blob, Kept { holding, sealed: false }));
            self.kept.extend(next);
        }
    }

    pub(crate) fn read(&self, blob: BlobId, root: Root, index: u32) -> Option<Vec<u8>> {
        let kept = self.kept.get(&blob).filter(|kept| kept.holding.root == root)?;
        kept.holding.pieces.contains(index).then(|| piece(root, index))
    }
}
