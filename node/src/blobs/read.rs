//! Reading sealed blobs: every piece is checked as it is read.

use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;
use crux_crdt::blob::{BlobId, PieceSet, piece_count};

use super::BlobError;
use super::depot::Depot;
use super::error::Doing as _;
use super::index::Sealed;
use super::put::build_tree;
use super::tree::{Failure, Tree, has_pairs};

/// Keeps a blob from being evicted while this lives.
#[derive(Debug)]
pub(super) struct Held {
    depot: Arc<Depot>,
    id: BlobId,
}

impl Held {
    pub(super) fn new(depot: &Arc<Depot>, id: BlobId) -> Result<Self, BlobError> {
        let mut index = depot.index();
        if !index.sealed.contains_key(&id) && !index.partials.contains_key(&id) {
            return Err(BlobError::Unknown(id));
        }
        index.hold(id);
        drop(index);
        Ok(Self { depot: depot.clone(), id })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.depot.index().let_go(&self.id);
    }
}

/// A sealed blob, open. Removed, it can still be read to its end.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    depot: &'a Depot,
    id: BlobId,
    files: Files,
}

/// The open files of a sealed blob.
#[derive(Debug)]
pub(super) struct Files {
    sealed: Sealed,
    data: File,
    pairs: Option<File>,
}

impl Depot {
    /// Opens a sealed blob, which counts as an access.
    pub(super) fn files(&self, id: BlobId) -> Result<Files, BlobError> {
        let files = self.files_untouched(id)?;
        self.touch(&id);
        Ok(files)
    }

    /// Opens a sealed blob.
    pub(super) fn files_untouched(&self, id: BlobId) -> Result<Files, BlobError> {
        let sealed = self.sealed(&id)?;
        let data = self.open_data(&id, &sealed)?;
        let pairs = if has_pairs(sealed.size) {
            let path = sealed.dir.tree(&id);
            match File::open(&path) {
                Ok(file) => Some(file),
                Err(err) if err.kind() == std::io::ErrorKind::NotFound => {
                    self.mend(id)?;
                    Some(File::open(&path).doing("reading", &path)?)
                }
                Err(err) => return Err(BlobError::io("reading", &path, &err)),
            }
        } else {
            None
        };
        Ok(Files { sealed, data, pairs })
    }

    pub(super) fn reading(&self, id: BlobId) -> Result<Reading<'_>, BlobError> {
        Ok(Reading { depot: self, id, files: self.files(id)? })
    }

    /// The bytes of a piece of an open blob.
    pub(super) fn read(&self, id: BlobId, files: &Files, index: u32) -> Result<Bytes, BlobError> {
        files.tree().read(&files.data, index).or_else(|failure| {
            self.mend_after(id, files, failure)?;
            // The pairs were wrong and the bytes were not.
            let files = self.files(id)?;
            files.tree().read(&files.data, index).map_err(|_| BlobError::Damaged { id, bad: 1 })
        })
    }

    fn mend_after(&self, id: BlobId, files: &Files, failure: Failure) -> Result<(), BlobError> {
        match (failure, &files.sealed.place) {
            (Failure::Io(err), _) => {
                Err(BlobError::io("reading", &files.sealed.dir.data(&id), &err))
            }
            (Failure::Wrong, Some(place)) => Err(self.withdraw(&id, place)?),
            (Failure::Wrong, None) => self.mend(id),
        }
    }

    /// Looks at every byte of a sealed blob that failed somewhere. If only its pairs were damaged they
    /// are rewritten; if bytes are, the good pieces are kept and the rest has to be fetched.
    pub(super) fn mend(&self, id: BlobId) -> Result<(), BlobError> {
        // Not evicted while its files are moved.
        let _here = self.keep_here(id);
        let sealed = self.sealed(&id)?;
        let data = self.open_data(&id, &sealed)?;
        let path = sealed.dir.data(&id);
        let bad = || BlobError::Damaged { id, bad: piece_count(sealed.size) };
        let built = build_tree(self, &sealed.dir, &data, sealed.size, &path);
        let is_whole = data.metadata().is_ok_and(|meta| meta.len() == sealed.size);
        match built {
            Ok((root, pairs)) if root == sealed.root && is_whole => {
                if let Some(pairs) = pairs {
                    let to = sealed.dir.tree(&id);
                    std::fs::rename(&pairs.path, &to).doing("mending", &to)?;
                }
                tracing::warn!(blob = %id, "the hashes of a blob were damaged; they were rewritten");
                return Ok(());
            }
            Ok(_) | Err(BlobError::Changed(_)) => {}
            Err(err) => return Err(err),
        }
        if let Some(place) = &sealed.place {
            return Err(self.withdraw(&id, place)?);
        }
        let pairs = File::open(sealed.dir.tree(&id)).ok();
        let mut good = PieceSet::none(sealed.size);
        let tree = Tree { root: sealed.root, size: sealed.size, pairs: pairs.as_ref() };
        for index in 0..good.count() {
            if tree.encode(&data, index).is_ok() {
                good.insert(index);
            }
        }
        let bad_count = self.demote(&id, good)?;
        tracing::warn!(blob = %id, pieces = bad_count, "a blob is damaged; what is lost has to be fetched");
        Err(if bad_count == 0 { bad() } else { BlobError::Damaged { id, bad: bad_count } })
    }
}

impl Reading<'_> {
    /// A piece as it travels.
    pub(super) fn encode(&self, index: u32) -> Result<Bytes, BlobError> {
        let Self { depot, id, files } = self;
        if index >= piece_count(files.sealed.size) {
            return Err(BlobError::NoPiece { id: *id, index });
        }
        files.tree().encode(&files.data, index).or_else(|failure| {
            depot.mend_after(*id, files, failure)?;
            let files = depot.files(*id)?;
            let again = files.tree().encode(&files.data, index);
            again.map_err(|_| BlobError::Damaged { id: *id, bad: 1 })
        })
    }
}

impl Files {
    /// How many bytes the blob has.
    pub(super) const fn size(&self) -> u64 {
        self.sealed.size
    }

    fn tree(&self) -> Tree<'_> {
        Tree { root: self.sealed.root, size: self.sealed.size, pairs: self.pairs.as_ref() }
    }
}
