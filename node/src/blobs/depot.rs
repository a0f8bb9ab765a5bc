//! The store as blocking code: called from a few threads at once.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crux_crdt::blob::{BlobId, Descriptor, PieceSet, Root};

use super::BlobError;
use super::age::{Age, WRITE_EVERY, write_time_of_use};
use super::config::Config;
use super::error::Doing as _;
use super::index::{BLOBS_MAX, Index, Listed, Sealed};
use super::journal::Journal;
use super::layout::{Layout, remove};
use super::record::{self, Keep, Meta, Place};

/// What is here of a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Have {
    /// How many bytes it has.
    pub size: u64,
    /// Its BLAKE3 root: for a blob under way, the one it is fetched by.
    pub root: Root,
    /// Whether it is whole and its SHA-3 matched.
    pub sealed: bool,
    /// Which pieces are here, each checked against the root.
    pub pieces: PieceSet,
}

/// The store.
#[derive(Debug)]
pub(super) struct Depot {
    pub(super) config: Config,
    pub(super) age: Age,
    pub(super) index: Mutex<Index>,
    // Taken by whoever makes a blob appear or vanish, around the renames; before the index.
    pub(super) commit: Mutex<()>,
    // Held only to append, never while the disk is waited for; nothing else is taken under it.
    journal: Mutex<Journal>,
    numbers: AtomicU64,
    sent: AtomicU64,
    fetched: AtomicU64,
}

/// What went to other nodes and came from them since the store was opened, in bytes of pieces with
/// their proofs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moved {
    /// Given to others.
    pub sent: u64,
    /// Taken from others, and not had before.
    pub fetched: u64,
}

/// What [`Depot::commit`] makes visible.
pub(super) struct Ready {
    pub(super) id: BlobId,
    pub(super) root: Root,
    pub(super) size: u64,
    pub(super) dir: Arc<Layout>,
    /// Where the bytes are; both durable.
    pub(super) data: Source,
    pub(super) pairs: Option<PathBuf>,
}

/// Where the bytes of a blob are that is about to be sealed.
pub(super) enum Source {
    /// In a file of ours, to be renamed.
    Ours(PathBuf),
    /// In somebody else's, which stays.
    Place(Place),
}

impl Source {
    fn place(&self) -> Option<Place> {
        match self {
            Self::Place(place) => Some(place.clone()),
            Self::Ours(_) => None,
        }
    }
}

/// A file on its way to a name, deleted if it did not get there.
struct Unnamed(PathBuf);

impl Drop for Unnamed {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}

impl Depot {
    pub(super) fn new(config: Config, journal: Journal, age: Age) -> Self {
        let (index, commit) = (Mutex::default(), Mutex::default());
        let journal = Mutex::new(journal);
        let (numbers, sent, fetched) = Default::default();
        Self { config, age, index, commit, journal, numbers, sent, fetched }
    }

    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        // Every change under the lock is complete at each step: what a panic left can be used.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn committing(&self) -> MutexGuard<'_, ()> {
        self.commit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The age of the store.
    pub(super) fn now(&self) -> Duration {
        self.age.now()
    }

    pub(super) fn step(&self, what: &'static str) {
        self.config.world.step(what);
    }

    pub(super) fn moved(&self) -> Moved {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Moved { sent: of(&self.sent), fetched: of(&self.fetched) }
    }

    pub(super) fn note_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn note_fetched(&self, bytes: usize) {
        self.fetched.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Makes a blob visible whose hashes matched, and durable. The rename of the data is the moment:
    /// before it the blob is not there, after it it is, whatever happens.
    pub(super) fn commit(&self, ready: Ready) -> Result<Descriptor, BlobError> {
        let Ready { id, root, size, dir, .. } = &ready;
        let (id, dir) = (*id, dir.clone());
        let descriptor = Descriptor { blob: id, root: *root, size: *size };
        dir.check()?;
        if self.index().sealed.len() >= BLOBS_MAX {
            return Err(BlobError::Limit { what: "blobs", max: BLOBS_MAX });
        }
        dir.make_shard(&id)?;
        // What waits for the disk is done outside of the lock, so that many wait together.
        // A record replaces one on the same disk.
        let held = self.index().sealed.get(&id).map(|held| held.dir.clone());
        let meta = held.as_ref().unwrap_or(&dir).incoming(self.next_number());
        let meta = Unnamed(meta);
        let place = ready.data.place();
        record::write(&meta.0, &Meta { id, root: *root, size: *size, place })?;
        write_time_of_use(&meta.0, self.now());
        self.show(ready, &meta.0)?;
        self.step("shown");
        self.settle(&id)?;
        Ok(descriptor)
    }

    /// Makes the names of a sealed blob durable, unless they are. Whoever acknowledges a blob calls this,
    /// also when somebody else put it: that one may still be waiting for the disk.
    pub(super) fn settle(&self, id: &BlobId) -> Result<(), BlobError> {
        let (renames, dir) = {
            let index = self.index();
            let Some(renames) = index.unsettled.get(id).copied() else { return Ok(()) };
            // Removed meanwhile, there is nothing to wait for.
            let Some(sealed) = index.sealed.get(id) else { return Ok(()) };
            (renames, sealed.dir.clone())
        };
        dir.sync_shard(id)?;
        self.step("names durable");
        let mut index = self.index();
        // What was put again meanwhile has other names to wait for.
        if index.unsettled.get(id) == Some(&renames) {
            index.unsettled.remove(id);
        }
        Ok(())
    }

    /// The renames of a commit, unless the blob is there already.
    fn show(&self, ready: Ready, meta: &Path) -> Result<(), BlobError> {
        let Ready { id, root, size, dir, data, pairs } = ready;
        let _committing = self.committing();
        let place = data.place();
        let held = self.index().sealed.get(&id).cloned();
        if held.is_some() && place.is_none() {
            self.touch(&id);
            return self.drop_partial(&id);
        }
        if let (Some(pairs), None) = (pairs, &held) {
            fs::rename(&pairs, dir.tree(&id)).doing("sealing", &pairs)?;
            self.step("tree renamed");
        }
        self.journal().gone(&id)?;
        // What the store has is replaced where it is: its tree stays, and its copy goes.
        let dir = held.map_or(dir, |held| held.dir);
        fs::rename(meta, dir.meta(&id)).doing("sealing", meta)?;
        self.step("meta written");
        match &data {
            Source::Ours(path) => fs::rename(path, dir.data(&id)).doing("sealing", path)?,
            Source::Place(_) => remove(&dir.data(&id))?,
        }
        self.step("data renamed");
        let (used, renames) = (self.now(), self.next_number());
        let sealed = Sealed { root, size, dir, place, used, written: used };
        let mut index = self.index();
        index.insert(id, sealed);
        index.unsettled.insert(id, renames);
        drop(index);
        self.age.write_if_due();
        self.drop_partial(&id)
    }

    /// Forgets what was under way of a blob.
    pub(super) fn drop_partial(&self, id: &BlobId) -> Result<(), BlobError> {
        let partials = self.index().partials.remove(id);
        partials.into_iter().flatten().try_for_each(|partial| partial.delete())
    }

    /// Forgets what was under way of a blob by one root.
    pub(super) fn drop_tree(&self, id: &BlobId, of: (Root, u64)) -> Result<(), BlobError> {
        let partial = self.index().take_tree(id, of);
        partial.map_or(Ok(()), |partial| partial.delete())
    }

    /// What is here of a blob.
    pub(super) fn have(&self, id: &BlobId) -> Option<Have> {
        let index = self.index();
        if let Some(Sealed { size, root, .. }) = index.sealed.get(id) {
            let pieces = PieceSet::all(*size);
            return Some(Have { size: *size, root: *root, sealed: true, pieces });
        }
        let partial = index.partial(id)?;
        let pieces = partial.pieces();
        Some(Have { size: partial.size, root: partial.root, sealed: false, pieces })
    }

    pub(super) fn list(&self) -> Vec<Listed> {
        let now = self.now();
        self.index().list(now)
    }

    /// How many sealed blobs there are.
    pub(super) fn count(&self) -> usize {
        self.index().sealed.len()
    }

    /// A sealed blob.
    pub(super) fn sealed(&self, id: &BlobId) -> Result<Sealed, BlobError> {
        let index = self.index();
        match index.sealed.get(id) {
            Some(sealed) => Ok(sealed.clone()),
            None if index.partials.contains_key(id) => Err(BlobError::Unsealed(*id)),
            None => Err(BlobError::Unknown(*id)),
        }
    }

    /// Where the bytes of a sealed blob are: a file that others must only read.
    pub(super) fn path(&self, id: &BlobId) -> Result<PathBuf, BlobError> {
        let sealed = self.sealed(id)?;
        self.open_data(id, &sealed)?;
        self.touch(id);
        Ok(sealed.place.map_or_else(|| sealed.dir.data(id), |place| place.path))
    }

    /// Opens the bytes of a sealed blob. A file registered in place has to be as it was then; if it is
    /// not, it is registered no longer.
    pub(super) fn open_data(&self, id: &BlobId, sealed: &Sealed) -> Result<File, BlobError> {
        let Some(place) = &sealed.place else {
            let path = sealed.dir.data(id);
            return match File::open(&path) {
                Ok(file) => Ok(file),
                Err(err) if err.kind() == std::io::ErrorKind::NotFound => {
                    self.forget(id)?;
                    Err(BlobError::Damaged {
                        id: *id,
                        bad: crux_crdt::blob::piece_count(sealed.size),
                    })
                }
                Err(err) => Err(BlobError::io("reading", &path, &err)),
            };
        };
        let file = File::open(&place.path);
        let same =
            |file: &File| file.metadata().is_ok_and(|now| Place::of(&place.path, &now) == *place);
        match file {
            Ok(file) if same(&file) => Ok(file),
            _ => Err(self.withdraw(id, place)?),
        }
    }

    /// Ends the registration of a file that changed; returns the error that says so.
    pub(super) fn withdraw(&self, id: &BlobId, place: &Place) -> Result<BlobError, BlobError> {
        tracing::warn!(blob = %id, path = %place.path.display(), "a registered file changed; it is withdrawn");
        self.forget(id)?;
        Ok(BlobError::Changed(place.path.clone()))
    }

    /// Removes a blob, sealed or under way. Whoever reads it reads on; a registered file stays.
    pub(super) fn remove(&self, id: &BlobId) -> Result<(), BlobError> {
        let known = self.have(id).is_some();
        self.forget(id)?;
        self.drop_partial(id)?;
        if known { Ok(()) } else { Err(BlobError::Unknown(*id)) }
    }

    /// Removes a sealed blob: the data first, which is the moment; then what is beside it.
    pub(super) fn forget(&self, id: &BlobId) -> Result<(), BlobError> {
        let _committing = self.committing();
        let mut index = self.index();
        let Some(sealed) = index.remove(id) else { return Ok(()) };
        index.keeps.remove(id);
        drop(index);
        self.delete(id, &sealed)
    }

    /// Deletes the files of a sealed blob that is no longer in the index.
    pub(super) fn delete(&self, id: &BlobId, sealed: &Sealed) -> Result<(), BlobError> {
        let dir = &sealed.dir;
        self.journal().gone(id)?;
        if sealed.place.is_some() {
            remove(&dir.meta(id))?;
        }
        remove(&dir.data(id))?;
        self.step("data removed");
        remove(&dir.meta(id))?;
        remove(&dir.tree(id))?;
        remove(&dir.keep(id))
    }

    /// Gives up what was under way of a blob by one root. Nothing happens when nothing was.
    pub(super) fn abandon(&self, id: &BlobId, of: (Root, u64)) -> Result<(), BlobError> {
        self.drop_tree(id, of)?;
        let mut index = self.index();
        let is_here = index.sealed.contains_key(id) || index.partials.contains_key(id);
        if !is_here && index.keeps.remove(id).is_some() {
            let dirs = index.dirs.clone();
            drop(index);
            dirs.iter().try_for_each(|dir| remove(&dir.keep(id)))?;
        }
        Ok(())
    }

    /// Changes how a blob is kept. It is here, sealed or under way.
    pub(super) fn keep(&self, id: &BlobId, change: impl Fn(&mut Keep)) -> Result<Keep, BlobError> {
        let _committing = self.committing();
        let (dir, mut keep) = {
            let index = self.index();
            let sealed = index.sealed.get(id).map(|sealed| &sealed.dir);
            let partial = index.partial(id).map(|partial| &partial.dir);
            let dir = sealed.or(partial).ok_or(BlobError::Unknown(*id))?.clone();
            (dir, index.keeps.get(id).copied().unwrap_or_default())
        };
        change(&mut keep);
        if keep == Keep::default() {
            remove(&dir.keep(id))?;
            self.index().keeps.remove(id);
        } else {
            dir.make_shard(id)?;
            record::write(&dir.keep(id), &keep)?;
            dir.sync_shard(id)?;
            self.index().keeps.insert(*id, keep);
        }
        Ok(keep)
    }

    /// Notes that a blob was of use.
    pub(super) fn touch(&self, id: &BlobId) {
        let now = self.now();
        let mut index = self.index();
        let Some(sealed) = index.sealed.get_mut(id) else { return };
        sealed.used = now;
        let is_due = now.saturating_sub(sealed.written) >= WRITE_EVERY;
        if !is_due {
            return;
        }
        sealed.written = now;
        let path = sealed.dir.meta(id);
        drop(index);
        write_time_of_use(&path, now);
        self.age.write_if_due();
    }
}
