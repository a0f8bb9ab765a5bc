//! Room: the quota over all directories, and what stays free on each disk, in bytes and in files.

use std::cmp::Reverse;
use std::sync::{Arc, MutexGuard};

use super::BlobError;
use super::config::Room;
use super::depot::Depot;
use super::error::Doing as _;
use super::index::{Index, Lack, Victim};
use super::layout::Layout;

/// The share of a disk that stays free, one part in so many, and the most that it has to be.
const HEADROOM_SHARE: u64 = 20;
const HEADROOM_MAX: u64 = 1 << 30;
/// The same for files, where the file system has a fixed number of them.
const FILES_HEADROOM_MAX: u64 = 1024;
/// How many files a blob takes at most while it is made: data, hash pairs, record, how it is kept, and a
/// directory.
pub(super) const BLOB_FILES: u64 = 5;

impl Depot {
    /// Makes room for `needed` bytes more; returns the directory they go to. What is evicted for them
    /// is gone even if they never come.
    pub(super) fn make_room(
        &self,
        index: &mut MutexGuard<'_, Index>,
        needed: u64,
    ) -> Result<Arc<Layout>, BlobError> {
        self.make_quota(index, needed)?;
        let mut refused = BlobError::Closed;
        let mut dirs = Vec::new();
        for dir in index.dirs.clone() {
            match self.spare(index, &dir, needed) {
                Ok(spare) => dirs.push((spare, dir)),
                Err(err) => refused = err,
            }
        }
        // The emptiest disk first that has files to spare; of equals the first in the configuration.
        dirs.sort_by_key(|(spare, _)| Reverse((spare.files >= 0, spare.bytes)));
        for (spare, dir) in dirs {
            let lack = spare.lack();
            if lack == Lack::default() {
                return Ok(dir);
            }
            match self.make_room_in(index, &dir, needed, lack) {
                Ok(()) => return Ok(dir),
                Err(err) => refused = err,
            }
        }
        Err(refused)
    }

    /// Makes room for `needed` bytes more of a stream that goes to a directory already.
    pub(super) fn grow(
        &self,
        index: &mut MutexGuard<'_, Index>,
        dir: &Arc<Layout>,
        needed: u64,
    ) -> Result<(), BlobError> {
        self.make_quota(index, needed)?;
        // It has its files already.
        match (Lack { files: 0, ..self.spare(index, dir, needed)?.lack() }) {
            Lack { bytes: 0, .. } => Ok(()),
            lack => self.make_room_in(index, dir, needed, lack),
        }
    }

    /// Refuses a blob of `size` bytes that would not fit whatever were evicted for it. Nothing is evicted:
    /// nobody knows yet whether there is such a blob.
    pub(super) fn could_fit(&self, size: u64) -> Result<(), BlobError> {
        // What is here under another root would make room: it rests.
        let (index, needed) = (self.index(), size);
        if let Some(quota) = self.config.quota {
            let over = index.used().saturating_add(needed).saturating_sub(quota);
            let lack = Lack { bytes: over, files: 0 };
            let fits = index.victims(lack, None, self.now()).is_some();
            fits.then_some(()).ok_or(BlobError::Quota { needed: size, quota })?;
        }
        let mut refused = BlobError::Closed;
        for dir in &index.dirs {
            let lack = self.spare(&index, dir, needed)?.lack();
            if index.victims(lack, Some(dir), self.now()).is_some() {
                return Ok(());
            }
            refused = self.no_room(dir, size, lack)?;
        }
        Err(refused)
    }

    /// The error that says what is lacking on a disk.
    fn no_room(&self, dir: &Layout, needed: u64, lack: Lack) -> Result<BlobError, BlobError> {
        let room = self.room(dir)?;
        if let Some(files) = room.files.filter(|_| lack.bytes == 0) {
            let headroom = files_headroom(files.total);
            return Ok(BlobError::NoFiles { free: files.free, headroom });
        }
        let headroom = self.headroom(room.total);
        Ok(BlobError::DiskFull { needed, free: room.free, headroom })
    }

    fn make_quota(&self, index: &mut MutexGuard<'_, Index>, needed: u64) -> Result<(), BlobError> {
        let Some(quota) = self.config.quota else { return Ok(()) };
        let over = index.used().saturating_add(needed).saturating_sub(quota);
        let lack = Lack { bytes: over, files: 0 };
        let victims = index.victims(lack, None, self.now());
        self.evict(index, &victims.ok_or(BlobError::Quota { needed, quota })?)
    }

    /// What a disk has to spare beyond `needed` bytes for a blob, and what was promised to others.
    fn spare(&self, index: &Index, dir: &Layout, needed: u64) -> Result<Spare, BlobError> {
        let room = self.room(dir)?;
        let ahead = index.ahead(dir.disk());
        let wanted = needed.saturating_add(self.headroom(room.total)).saturating_add(ahead.bytes);
        let bytes = i128::from(room.free) - i128::from(wanted);
        let files = room.files.map_or(i128::MAX, |files| {
            let wanted = BLOB_FILES + files_headroom(files.total) + ahead.files;
            i128::from(files.free) - i128::from(wanted)
        });
        Ok(Spare { bytes, files })
    }

    fn room(&self, dir: &Layout) -> Result<Room, BlobError> {
        self.config.world.room(dir.root()).doing("looking at", dir.root())
    }

    fn make_room_in(
        &self,
        index: &mut MutexGuard<'_, Index>,
        dir: &Arc<Layout>,
        needed: u64,
        lack: Lack,
    ) -> Result<(), BlobError> {
        let Some(victims) = index.victims(lack, Some(dir), self.now()) else {
            return Err(self.no_room(dir, needed, lack)?);
        };
        self.evict(index, &victims)
    }

    fn headroom(&self, total: u64) -> u64 {
        self.config.headroom.unwrap_or_else(|| (total / HEADROOM_SHARE).min(HEADROOM_MAX))
    }

    pub(super) fn evict(
        &self,
        index: &mut MutexGuard<'_, Index>,
        victims: &[Victim],
    ) -> Result<(), BlobError> {
        for victim in victims {
            match victim {
                Victim::Sealed(id) => {
                    let Some(sealed) = index.sealed.get(id).cloned() else { continue };
                    self.delete_data(id, &sealed)?;
                    tracing::info!(blob = %id, size = sealed.size, "evicted");
                    index.remove(id);
                    index.keeps.remove(id);
                    self.delete_beside(id, &sealed)?;
                }
                Victim::Partial(partial) => {
                    let (id, size) = (&partial.id, partial.bytes());
                    tracing::info!(blob = %id, size, "gave up what nobody went on with");
                    index.take_partial(partial);
                    partial.delete()?;
                }
            }
        }
        Ok(())
    }
}

/// What a disk has beyond what is needed; below zero: what it has too little of.
struct Spare {
    bytes: i128,
    files: i128,
}

impl Spare {
    fn lack(&self) -> Lack {
        let lack = |spare: i128| spare.min(0).unsigned_abs().try_into().unwrap_or(u64::MAX);
        Lack { bytes: lack(self.bytes), files: lack(self.files) }
    }
}

/// How many files stay free on a disk that takes so many.
fn files_headroom(total: u64) -> u64 {
    (total / HEADROOM_SHARE).min(FILES_HEADROOM_MAX)
}
