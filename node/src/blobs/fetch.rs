//! Blobs that come in from other nodes, piece by piece.

use std::sync::{Arc, MutexGuard};

use bytes::Bytes;
use crux_crdt::blob::{
    BLOB_BYTES_MAX, BlobHasher, BlobId, Descriptor, PIECE_BYTES, PieceSet, Root, piece_len,
};

use super::BlobError;
use super::commit::{Ready, Source};
use super::depot::Depot;
use super::error::Doing as _;
use super::index::{Index, Lack, PARTIALS_MAX, Victim};
use super::layout::Slot;
use super::partial::Partial;
use super::put::Claim;
use super::record::Have;
use super::space::BLOB_FILES;
use super::tree;

impl Depot {
    /// What is here already of a blob that is to come in pieces. Takes no room, memory or file: a root and
    /// a size are claims, and only a piece that checks shows that somebody has a file of that root.
    ///
    /// Refuses what could never fit, whatever were evicted for it.
    pub(super) fn begin(&self, id: BlobId, root: Root, size: u64) -> Result<PieceSet, BlobError> {
        if size > BLOB_BYTES_MAX {
            return Err(BlobError::TooLarge { max: BLOB_BYTES_MAX });
        }
        if self.index().sealed.contains_key(&id) {
            return Ok(PieceSet::all(size));
        }
        // What is here by other roots stays, and makes room for others.
        if let Some(partial) = self.index().go_on(&id, (root, size), self.now()) {
            return Ok(partial.pieces());
        }
        self.could_fit(size)?;
        Ok(PieceSet::none(size))
    }

    /// Takes in a piece as it travels; false: it was here already. The first one of a third root takes the
    /// place of the one of which less is here.
    pub(super) fn write_piece(
        self: &Arc<Self>,
        id: BlobId,
        (root, size): (Root, u64),
        index: u32,
        encoded: &[u8],
    ) -> Result<bool, BlobError> {
        // Another way may have brought all of it.
        if self.index().sealed.contains_key(&id) {
            return Ok(false);
        }
        let piece = tree::check(root, size, index, encoded);
        let piece = piece.ok_or(BlobError::WrongPiece { id, index })?;
        let Some(partial) = self.partial_for(id, (root, size), index)? else { return Ok(false) };
        partial.write(index, &piece)?;
        self.note_fetched(encoded.len());
        Ok(true)
    }

    /// What a piece that checked is written to, with room for that piece; none: it is here, or being
    /// written.
    fn partial_for(
        self: &Arc<Self>,
        id: BlobId,
        (root, size): (Root, u64),
        piece: u32,
    ) -> Result<Option<Arc<Partial>>, BlobError> {
        let _committing = self.committing();
        if self.index().sealed.contains_key(&id) {
            return Ok(None);
        }
        let here = self.index().go_on(&id, (root, size), self.now());
        let partial = match here {
            Some(partial) => {
                if !partial.lacks(piece) {
                    return Ok(None);
                }
                let mut index = self.index();
                self.grow(&mut index, &partial.dir, piece_len(size, piece))?;
                partial.expect(piece);
                partial
            }
            None => {
                let smaller = self.index().take_smaller(&id);
                smaller.map_or(Ok(()), |smaller| smaller.delete())?;
                self.make_partial(id, (root, size), piece)?
            }
        };
        Ok(Some(partial))
    }

    fn make_partial(
        self: &Arc<Self>,
        id: BlobId,
        (root, size): (Root, u64),
        piece: u32,
    ) -> Result<Arc<Partial>, BlobError> {
        let mut index = self.index();
        self.make_place(&mut index)?;
        let bytes = piece_len(size, piece);
        let dir = self.make_room(&mut index, bytes)?;
        // Claimed while its files are made, so that nobody else takes the room.
        let ahead = Lack { bytes, files: BLOB_FILES };
        let mut claim = Claim::make(self, &mut index, &dir, bytes, ahead);
        let slot = index.free_slot(&id).unwrap_or(Slot::First);
        drop(index);
        self.step("room made");
        let have = Have { id, root, size, pieces: PieceSet::none(size) };
        let opened = dir.check().and_then(|()| Partial::open(dir, slot, have, self.now()));
        let partial = Arc::new(opened?);
        let mut index = self.index();
        claim.end(&mut index);
        partial.expect(piece);
        index.add_partial(partial.clone());
        Ok(partial)
    }

    /// Makes a place for one more blob under way.
    fn make_place(&self, index: &mut MutexGuard<'_, Index>) -> Result<(), BlobError> {
        if index.under_way() < PARTIALS_MAX {
            return Ok(());
        }
        let idle = index.idle(None, self.now()).min_by_key(|partial| partial.bytes()).cloned();
        let full = BlobError::Limit { what: "blobs under way", max: PARTIALS_MAX };
        self.evict(index, &[Victim::Partial(idle.ok_or(full)?)])
    }

    /// Nobody fetches a partial blob any more: it makes room for others before anything else does.
    pub(super) fn rest(&self, id: &BlobId) {
        self.index().partials.get(id).into_iter().flatten().for_each(|partial| partial.rest());
    }

    /// Has the SHA-3 of a blob under way follow behind. What fails shows when it is sealed.
    pub(super) fn follow(&self, id: &BlobId) {
        let partial = self.index().partial(id).cloned();
        if let Some(Err(error)) = partial.map(|partial| partial.follow()) {
            tracing::debug!(blob = %id, %error, "not hashed yet");
        }
    }

    /// A piece as it travels, checked as it is read.
    pub(super) fn read_piece(
        &self,
        id: BlobId,
        root: Root,
        index: u32,
    ) -> Result<Bytes, BlobError> {
        let piece = if self.is_sealed_as(&id, root) {
            self.reading(id)?.encode(index)?
        } else {
            self.partial_of(&id, root)?.encode(index)?
        };
        self.note_sent(piece.len());
        Ok(piece)
    }

    /// Takes in all of a blob that is one piece of the root that is said to be its own, if its SHA-3 is
    /// right. Nothing is written before that.
    pub(super) fn try_piece(
        self: &Arc<Self>,
        id: BlobId,
        (root, size): (Root, u64),
        encoded: &[u8],
    ) -> Result<(), BlobError> {
        if size > PIECE_BYTES {
            return Err(BlobError::TooLarge { max: PIECE_BYTES });
        }
        let piece = tree::check(root, size, 0, encoded);
        let piece = piece.ok_or(BlobError::WrongPiece { id, index: 0 })?;
        let mut hasher = BlobHasher::default();
        hasher.update(&piece.data);
        let found = hasher.finish();
        if found != id {
            return Err(BlobError::Mismatch { id, found, root });
        }
        self.note_fetched(encoded.len());
        self.put_bytes(&piece.data).map(drop)
    }

    /// All of a sealed blob of at most one piece.
    pub(super) fn read_whole(&self, id: BlobId) -> Result<Bytes, BlobError> {
        let files = self.files(id)?;
        if files.size() > PIECE_BYTES {
            return Err(BlobError::TooLarge { max: PIECE_BYTES });
        }
        let bytes = if files.size() == 0 { Bytes::new() } else { self.read(id, &files, 0)? };
        self.note_sent(bytes.len());
        Ok(bytes)
    }

    /// Takes the SHA-3 and, if it is the blob's id, makes the blob visible.
    pub(super) fn seal(
        self: &Arc<Self>,
        id: BlobId,
        (root, size): (Root, u64),
    ) -> Result<Descriptor, BlobError> {
        if let Ok(sealed) = self.sealed(&id) {
            // Sealed twice is sealed.
            self.settle(&id)?;
            return Ok(Descriptor { blob: id, root: sealed.root, size: sealed.size });
        }
        if size == 0 {
            return self.seal_empty(id, root);
        }
        let partial = self.partial(&id, (root, size)).map_err(|_| BlobError::Unsealed(id))?;
        if !partial.pieces().is_complete() {
            return Err(BlobError::Unsealed(id));
        }
        let found = partial.hash()?;
        if found != id {
            let bad = partial.check_all()?;
            if bad > 0 {
                return Err(BlobError::Damaged { id, bad });
            }
            self.abandon(&id, (root, size))?;
            return Err(BlobError::Mismatch { id, found, root });
        }
        partial.sync()?;
        self.step("all pieces durable");
        let dir = partial.dir.clone();
        let pairs = partial.tree_path();
        let data = Source::Ours(partial.data_path());
        let (claim, partial) = (None, Some(partial));
        self.commit(Ready { id, root, size, dir, data, pairs, claim, partial })
    }

    /// An empty blob has no piece that could check.
    fn seal_empty(self: &Arc<Self>, id: BlobId, root: Root) -> Result<Descriptor, BlobError> {
        let found = BlobHasher::default().finish();
        if found != id || root != tree::empty_root() {
            return Err(BlobError::Mismatch { id, found, root });
        }
        self.put_bytes(&[])
    }

    /// Writes the marks of everything under way, so that a start does not have to look for them, and the age
    /// of the store.
    pub(super) fn save(&self) -> Result<(), BlobError> {
        self.end_journal()?;
        let partials: Vec<_> = self.index().partials.values().flatten().cloned().collect();
        partials.iter().try_for_each(|partial| partial.save())?;
        self.age.write()
    }

    /// Takes what is left of a damaged blob back to where blobs under way are. Its good pieces count
    /// as fetched, and rest until somebody fetches the others. Returns how many do not count.
    ///
    /// Where as many are under way as may be, and none of them rests, it stays as it is: what of it is read
    /// is checked, and the next look finds it again.
    pub(super) fn demote(&self, id: &BlobId, good: PieceSet) -> Result<u32, BlobError> {
        let _committing = self.committing();
        let sealed = self.index().sealed.get(id).cloned();
        let Some(sealed) = sealed.filter(|sealed| sealed.place.is_none()) else { return Ok(0) };
        let bad = good.count() - good.held();
        if let Err(error) = self.make_place(&mut self.index()) {
            tracing::warn!(blob = %id, bad, %error, "a damaged blob stays as it is");
            return Ok(bad);
        }
        self.journal().gone(id)?;
        let dir = &sealed.dir;
        let have = Have { id: *id, root: sealed.root, size: sealed.size, pieces: good };
        super::record::write(&dir.partial_have(id, Slot::First), &have)?;
        self.step("marks written");
        // The pairs may be what is damaged, and missing: then they are fetched with the pieces.
        std::fs::rename(dir.tree(id), dir.partial_tree(id, Slot::First)).ok();
        self.step("tree taken back");
        let data = dir.data(id);
        std::fs::rename(&data, dir.partial_data(id, Slot::First)).doing("setting aside", &data)?;
        self.step("data taken back");
        // Lost with the power, the names would be lost with the record: all that is good goes then.
        super::flush::dir(&dir.partials_dir())?;
        self.step("what was taken back is durable");
        super::layout::remove(&dir.meta(id))?;
        let partial = Partial::open(dir.clone(), Slot::First, have, self.now())?;
        partial.rest();
        let mut index = self.index();
        index.remove(id);
        index.add_partial(Arc::new(partial));
        Ok(bad)
    }

    fn is_sealed_as(&self, id: &BlobId, root: Root) -> bool {
        self.index().sealed.get(id).is_some_and(|sealed| sealed.root == root)
    }

    fn partial(&self, id: &BlobId, of: (Root, u64)) -> Result<Arc<Partial>, BlobError> {
        self.find_partial(id, |partial| partial.is_of(of))
    }

    fn partial_of(&self, id: &BlobId, root: Root) -> Result<Arc<Partial>, BlobError> {
        self.find_partial(id, |partial| partial.root == root)
    }

    fn find_partial(
        &self,
        id: &BlobId,
        is_it: impl Fn(&Partial) -> bool,
    ) -> Result<Arc<Partial>, BlobError> {
        let index = self.index();
        let first = index.partial(id).ok_or(BlobError::Unknown(*id))?;
        let found = index.partials.get(id).into_iter().flatten().find(|partial| is_it(partial));
        found.cloned().ok_or_else(|| first.other())
    }
}
