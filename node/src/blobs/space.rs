//! Room: the quota over all directories, and what stays free on each disk.

use std::cmp::Reverse;
use std::sync::{Arc, MutexGuard};

use crux_crdt::blob::BlobId;

use super::BlobError;
use super::depot::Depot;
use super::error::Doing as _;
use super::index::Index;
use super::layout::Layout;

/// The share of a disk that stays free, one part in so many, and the most that it has to be.
const HEADROOM_SHARE: u64 = 20;
const HEADROOM_MAX: u64 = 1 << 30;

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
        // The emptiest disk first; of equals the first in the configuration.
        dirs.sort_by_key(|(spare, _)| Reverse(*spare));
        for (spare, dir) in dirs {
            let lack = (-spare).try_into().unwrap_or(0);
            if lack == 0 {
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
        match (-self.spare(index, dir, needed)?).try_into().unwrap_or(0) {
            0 => Ok(()),
            lack => self.make_room_in(index, dir, needed, lack),
        }
    }

    fn make_quota(&self, index: &mut MutexGuard<'_, Index>, needed: u64) -> Result<(), BlobError> {
        let Some(quota) = self.config.quota else { return Ok(()) };
        let over = index.used().saturating_add(needed).saturating_sub(quota);
        let victims = index.victims(over, None, self.now());
        self.evict(index, &victims.ok_or(BlobError::Quota { needed, quota })?)
    }

    /// How many bytes a disk has to spare beyond those needed; below zero: how many it has too few.
    fn spare(&self, index: &Index, dir: &Layout, needed: u64) -> Result<i128, BlobError> {
        let room = self.config.world.room(dir.root()).doing("looking at", dir.root())?;
        let wanted = needed.saturating_add(self.headroom(room.total));
        // What is under way may all be on this disk: that is the safe side.
        let wanted = wanted.saturating_add(index.outstanding());
        Ok(i128::from(room.free) - i128::from(wanted))
    }

    fn make_room_in(
        &self,
        index: &mut MutexGuard<'_, Index>,
        dir: &Arc<Layout>,
        needed: u64,
        lack: u64,
    ) -> Result<(), BlobError> {
        let Some(victims) = index.victims(lack, Some(dir), self.now()) else {
            let room = self.config.world.room(dir.root()).doing("looking at", dir.root())?;
            let headroom = self.headroom(room.total);
            return Err(BlobError::DiskFull { needed, free: room.free, headroom });
        };
        self.evict(index, &victims)
    }

    fn headroom(&self, total: u64) -> u64 {
        self.config.headroom.unwrap_or_else(|| (total / HEADROOM_SHARE).min(HEADROOM_MAX))
    }

    pub(super) fn evict(
        &self,
        index: &mut MutexGuard<'_, Index>,
        victims: &[BlobId],
    ) -> Result<(), BlobError> {
        for id in victims {
            if let Some(sealed) = index.remove(id) {
                tracing::info!(blob = %id, size = sealed.size, "evicted");
                index.keeps.remove(id);
                self.delete(id, &sealed)?;
            } else if let Some(partial) = index.partials.remove(id) {
                tracing::info!(blob = %id, size = partial.size, "gave up what nobody went on with");
                partial.delete()?;
            }
        }
        Ok(())
    }
}
