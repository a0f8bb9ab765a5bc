//! Blobs that come in from other nodes, piece by piece.

use std::sync::Arc;

use bytes::Bytes;
use crux_crdt::blob::{BLOB_BYTES_MAX, BlobId, Descriptor, PIECE_BYTES, PieceSet, Root};

use super::BlobError;
use super::depot::{Depot, Ready, Source};
use super::error::Doing as _;
use super::index::PARTIALS_MAX;
use super::partial::Partial;
use super::record::Have;
use super::tree;

impl Depot {
    /// Begins a blob or goes on with it; returns what is here already. Room for all of it is made
    /// before anything is reserved.
    pub(super) fn begin(&self, id: BlobId, root: Root, size: u64) -> Result<PieceSet, BlobError> {
        if size > BLOB_BYTES_MAX {
            return Err(BlobError::TooLarge { max: BLOB_BYTES_MAX });
        }
        let _committing = self.committing();
        if let Some(have) = self.have(&id) {
            if (have.root, have.size) == (root, size) {
                if let Some(partial) = self.index().partials.get(&id) {
                    partial.touch(self.now());
                }
                return Ok(have.pieces);
            }
            return Err(BlobError::OtherRoot { id, root: have.root, size: have.size });
        }
        let mut index = self.index();
        if index.partials.len() >= PARTIALS_MAX {
            let idle: Vec<_> = index.idle(None, self.now()).map(|(id, _)| id).collect();
            self.evict(&mut index, &idle)?;
        }
        if index.partials.len() >= PARTIALS_MAX {
            return Err(BlobError::Limit { what: "blobs under way", max: PARTIALS_MAX });
        }
        let dir = self.make_room(&mut index, size)?;
        // Claimed while its files are made, so that nobody else takes the room.
        index.claim(size);
        drop(index);
        let have = Have { id, root, size, pieces: PieceSet::none(size) };
        let opened = dir.check().and_then(|()| Partial::open(dir, have, self.now()));
        let mut index = self.index();
        index.release(size);
        let partial = Arc::new(opened?);
        let pieces = partial.pieces();
        index.partials.insert(id, partial);
        Ok(pieces)
    }

    /// Takes in a piece as it travels; false: it was here already.
    pub(super) fn write_piece(
        &self,
        id: BlobId,
        root: Root,
        index: u32,
        encoded: &[u8],
    ) -> Result<bool, BlobError> {
        let partial = match self.partial(&id, root) {
            Ok(partial) => partial,
            // The other end of a race: another way brought all of it.
            Err(_) if self.is_sealed_as(&id, root) => return Ok(false),
            Err(err) => return Err(err),
        };
        partial.touch(self.now());
        let is_new = partial.write(index, encoded)?;
        if is_new {
            self.note_fetched(encoded.len());
        }
        Ok(is_new)
    }

    /// Has the SHA-3 of a blob under way follow behind. What fails shows when it is sealed.
    pub(super) fn follow(&self, id: &BlobId) {
        let partial = self.index().partials.get(id).cloned();
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
            self.partial(&id, root)?.encode(index)?
        };
        self.note_sent(piece.len());
        Ok(piece)
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
    pub(super) fn seal(&self, id: BlobId) -> Result<Descriptor, BlobError> {
        let Some(partial) = self.index().partials.get(&id).cloned() else {
            // Sealed twice is sealed.
            let sealed = self.sealed(&id)?;
            self.settle(&id)?;
            return Ok(Descriptor { blob: id, root: sealed.root, size: sealed.size });
        };
        if !partial.pieces().is_complete() {
            return Err(BlobError::Unsealed(id));
        }
        let found = partial.hash()?;
        let Partial { root, size, .. } = *partial;
        if found != id || (size == 0 && root != tree::empty_root()) {
            let bad = partial.check_all()?;
            if bad > 0 {
                return Err(BlobError::Damaged { id, bad });
            }
            self.abandon(&id)?;
            return Err(BlobError::Mismatch { id, found, root });
        }
        partial.sync()?;
        self.step("all pieces durable");
        let dir = partial.dir.clone();
        let pairs = tree::has_pairs(size).then(|| dir.partial_tree(&id));
        let data = Source::Ours(dir.partial_data(&id));
        self.commit(Ready { id, root, size, dir, data, pairs })
    }

    /// Writes the marks of everything under way, so that a start does not have to look for them, and the age
    /// of the store.
    pub(super) fn save(&self) -> Result<(), BlobError> {
        self.end_journal()?;
        let partials: Vec<_> = self.index().partials.values().cloned().collect();
        partials.iter().try_for_each(|partial| partial.save())?;
        self.age.write()
    }

    /// Takes what is left of a damaged blob back to where blobs under way are. Its good pieces count
    /// as fetched. Returns how many do not.
    pub(super) fn demote(&self, id: &BlobId, good: PieceSet) -> Result<u32, BlobError> {
        let _committing = self.committing();
        let sealed = self.index().sealed.get(id).cloned();
        let Some(sealed) = sealed.filter(|sealed| sealed.place.is_none()) else { return Ok(0) };
        let bad = good.count() - good.held();
        self.journal().gone(id)?;
        let dir = &sealed.dir;
        let have = Have { id: *id, root: sealed.root, size: sealed.size, pieces: good };
        super::record::write(&dir.partial_have(id), &have)?;
        self.step("marks written");
        // The pairs may be what is damaged, and missing: then they are fetched with the pieces.
        std::fs::rename(dir.tree(id), dir.partial_tree(id)).ok();
        self.step("tree taken back");
        let data = dir.data(id);
        std::fs::rename(&data, dir.partial_data(id)).doing("setting aside", &data)?;
        self.step("data taken back");
        super::layout::remove(&dir.meta(id))?;
        let partial = Partial::open(dir.clone(), have, self.now())?;
        let mut index = self.index();
        index.remove(id);
        index.partials.insert(*id, Arc::new(partial));
        Ok(bad)
    }

    fn is_sealed_as(&self, id: &BlobId, root: Root) -> bool {
        self.index().sealed.get(id).is_some_and(|sealed| sealed.root == root)
    }

    fn partial(&self, id: &BlobId, root: Root) -> Result<Arc<Partial>, BlobError> {
        let partial = self.index().partials.get(id).cloned().ok_or(BlobError::Unknown(*id))?;
        if partial.root != root {
            let Partial { id, root, size, .. } = *partial;
            return Err(BlobError::OtherRoot { id, root, size });
        }
        Ok(partial)
    }
}
