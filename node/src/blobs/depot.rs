//! The store as blocking code: called from a few threads at once.

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crux_crdt::blob::{BlobId, PieceSet, Root};

use super::BlobError;
use super::age::{Age, WRITE_EVERY, write_time_of_use};
use super::config::Config;
use super::error::Doing as _;
use super::index::{Index, Listed, Sealed};
use super::journal::Journal;
use super::layout::{Layout, remove};
use super::record::{self, Keep, Place};

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

    /// Forgets what was under way of a blob. The commits are locked: its files are known by name, and another
    /// one takes the name as soon as it is out of the index.
    pub(super) fn drop_partial(&self, id: &BlobId) -> Result<(), BlobError> {
        let partials = self.index().partials.remove(id);
        partials.into_iter().flatten().try_for_each(|partial| partial.delete())
    }

    /// Gives up what was under way of a blob by one root. Nothing happens when nothing was. How the blob is
    /// kept stays for another tree of it: a tree that is false says nothing about the blob.
    pub(super) fn abandon(&self, id: &BlobId, of: (Root, u64)) -> Result<(), BlobError> {
        let _committing = self.committing();
        let partial = self.index().take_tree(id, of);
        self.step("given up");
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
                Err(err) if err.kind() == std::io::ErrorKind::NotFound => self.reopen_data(id),
                opened => opened.doing("reading", &path),
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

    /// The data of a blob was not there: somebody deleted the file, or the blob left and may be back.
    fn reopen_data(&self, id: &BlobId) -> Result<File, BlobError> {
        self.step("no data");
        let is_lost = |now: &Sealed| now.place.is_none() && !now.dir.data(id).exists();
        let now = self.sealed(id)?;
        if self.forget_if(id, is_lost)? {
            let bad = crux_crdt::blob::piece_count(now.size);
            return Err(BlobError::Damaged { id: *id, bad });
        }
        let now = self.sealed(id)?;
        let path = now.place.map_or_else(|| now.dir.data(id), |place| place.path);
        File::open(&path).doing("reading", &path)
    }

    /// Ends the registration of a file that changed, unless the blob is kept another way by now; returns the
    /// error that says so.
    pub(super) fn withdraw(&self, id: &BlobId, place: &Place) -> Result<BlobError, BlobError> {
        if self.forget_if(id, |now| now.place.as_ref() == Some(place))? {
            tracing::warn!(blob = %id, path = %place.path.display(), "a registered file changed; it is withdrawn");
        }
        Ok(BlobError::Changed(place.path.clone()))
    }

    /// As [`Depot::remove`], but not what is pinned, and no image of a service.
    pub(super) fn remove_unpinned(&self, id: &BlobId) -> Result<(), BlobError> {
        let index = self.index();
        if index.keeps.get(id).is_some_and(|keep| keep.pinned) {
            return Err(BlobError::Pinned(*id));
        }
        if index.images.contains(id) {
            return Err(BlobError::Image(*id));
        }
        drop(index);
        self.remove(id)
    }

    /// Removes a blob, sealed or under way. Open readers continue; a registered file stays.
    pub(super) fn remove(&self, id: &BlobId) -> Result<(), BlobError> {
        let known = self.have(id).is_some();
        self.forget_if(id, |_| true)?;
        let _committing = self.committing();
        self.drop_partial(id)?;
        // Put again meanwhile, it may be kept again.
        if known && self.have(id).is_none() {
            self.forget_keep(id)?;
        }
        if known { Ok(()) } else { Err(BlobError::Unknown(*id)) }
    }

    /// Removes a sealed blob, if it is one that is to be removed when nobody else changes it any more.
    /// Returns whether it was.
    fn forget_if(
        &self,
        id: &BlobId,
        is_meant: impl Fn(&Sealed) -> bool,
    ) -> Result<bool, BlobError> {
        let _committing = self.committing();
        let mut index = self.index();
        if !index.sealed.get(id).is_some_and(is_meant) {
            return Ok(false);
        }
        let Some(sealed) = index.remove(id) else { return Ok(false) };
        drop(index);
        if let Err(err) = self.delete_data(id, &sealed) {
            let mut index = self.index();
            index.insert(*id, sealed);
            // Whether its names were durable is forgotten.
            index.unsettled.insert(*id, self.next_number());
            return Err(err);
        }
        self.index().keeps.remove(id);
        self.delete_beside(id, &sealed)?;
        Ok(true)
    }

    /// Deletes the data of a sealed blob, or the record that leads to somebody else's: the moment at which
    /// it vanishes. When this fails it is here as before.
    pub(super) fn delete_data(&self, id: &BlobId, sealed: &Sealed) -> Result<(), BlobError> {
        let dir = &sealed.dir;
        remove(&if sealed.place.is_some() { dir.meta(id) } else { dir.data(id) })?;
        self.step("data removed");
        Ok(())
    }

    /// Deletes what is beside data that is gone. The journal hears of it after that has made room.
    pub(super) fn delete_beside(&self, id: &BlobId, sealed: &Sealed) -> Result<(), BlobError> {
        let dir = &sealed.dir;
        let deleted = remove(&dir.meta(id)).and_then(|()| remove(&dir.tree(id)));
        self.journal().left(id);
        deleted.and_then(|()| remove(&dir.keep(id)))
    }

    /// Changes how a blob is kept. It is here, sealed or under way.
    pub(super) fn keep(&self, id: &BlobId, change: impl Fn(&mut Keep)) -> Result<Keep, BlobError> {
        let _committing = self.committing();
        // Found to be here, it is not evicted before it is kept.
        let _here = self.keep_here(*id);
        let (dir, mut keep) = {
            let index = self.index();
            let sealed = index.sealed.get(id).map(|sealed| &sealed.dir);
            let partial = index.partial(id).map(|partial| &partial.dir);
            let dir = sealed.or(partial).ok_or(BlobError::Unknown(*id))?.clone();
            (dir, index.keeps.get(id).copied().unwrap_or_default())
        };
        self.step("found to be kept");
        change(&mut keep);
        // Of a tree in another directory that was given up.
        let dirs = self.index().dirs.clone();
        let mut others = dirs.iter().filter(|other| !Arc::ptr_eq(other, &dir));
        others.try_for_each(|other| remove(&other.keep(id)))?;
        if keep == Keep::default() {
            remove(&dir.keep(id))?;
            self.index().keeps.remove(id);
        } else {
            write_keep(&dir, id, &keep, self.now())?;
            self.index().keeps.insert(*id, keep);
        }
        Ok(keep)
    }

    /// Forgets how a blob is kept that is not here.
    fn forget_keep(&self, id: &BlobId) -> Result<(), BlobError> {
        let (keep, dirs) = {
            let mut index = self.index();
            (index.keeps.remove(id), index.dirs.clone())
        };
        let mut dirs = dirs.iter().filter(|_| keep.is_some());
        dirs.try_for_each(|dir| remove(&dir.keep(id)))
    }

    /// Keeps a blob, if it is here, from being evicted while what is returned lives.
    pub(super) fn keep_here(&self, id: BlobId) -> Here<'_> {
        self.index().hold(id);
        Here { depot: self, id }
    }

    /// Notes that a blob was of use.
    pub(super) fn touch(&self, id: &BlobId) {
        self.touch_if(id, |_| true);
    }

    /// Notes that a blob was of use if it is here and one that is meant; returns whether. Then it is the last
    /// to be evicted.
    pub(super) fn touch_if(&self, id: &BlobId, is_meant: impl Fn(&Sealed) -> bool) -> bool {
        let now = self.now();
        let mut index = self.index();
        let Some(sealed) = index.sealed.get_mut(id).filter(|sealed| is_meant(sealed)) else {
            return false;
        };
        sealed.used = now;
        let is_due = now.saturating_sub(sealed.written) >= WRITE_EVERY;
        if !is_due {
            return true;
        }
        sealed.written = now;
        let path = sealed.dir.meta(id);
        drop(index);
        write_time_of_use(&path, now);
        self.age.write_if_due();
        true
    }
}

/// Writes down, durably, how a blob is kept, and the age at which that was said.
pub(super) fn write_keep(
    dir: &Layout,
    id: &BlobId,
    keep: &Keep,
    now: Duration,
) -> Result<(), BlobError> {
    dir.make_shard(id)?;
    record::write(&dir.keep(id), keep)?;
    write_time_of_use(&dir.keep(id), now);
    dir.sync_shard(id)
}

/// Keeps a blob from being evicted while this lives.
pub(super) struct Here<'a> {
    depot: &'a Depot,
    id: BlobId,
}

impl Drop for Here<'_> {
    fn drop(&mut self) {
        self.depot.index().let_go(&self.id);
    }
}
