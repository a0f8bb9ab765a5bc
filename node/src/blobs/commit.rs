//! How a blob appears: the renames that make it visible, in the order that a crash can bear.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crux_crdt::blob::{BlobId, Descriptor, Root};

use super::BlobError;
use super::age::write_time_of_use;
use super::depot::{Depot, write_keep};
use super::error::Doing as _;
use super::index::{BLOBS_MAX, Sealed};
use super::layout::{Layout, remove};
use super::partial::Partial;
use super::put::Claim;
use super::record::{self, Meta, Place};

/// What [`Depot::commit`] makes visible.
pub(super) struct Ready {
    pub(super) id: BlobId,
    pub(super) root: Root,
    pub(super) size: u64,
    pub(super) dir: Arc<Layout>,
    /// Where the bytes are; both durable.
    pub(super) data: Source,
    pub(super) pairs: Option<PathBuf>,
    /// The room that was made for it.
    pub(super) claim: Option<Claim>,
    /// What was under way of it, where the bytes are that of one: given up meanwhile, they are another one's.
    pub(super) partial: Option<Arc<Partial>>,
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
        // A registration replaces what is here on the same disk.
        let place = ready.data.place();
        let held = self.index().sealed.get(&id).map(|held| held.dir.clone());
        let home = held.filter(|_| place.is_some()).unwrap_or(dir);
        let meta = Unnamed(home.incoming(self.next_number()));
        record::write(&meta.0, &Meta { id, root: *root, size: *size, place })?;
        write_time_of_use(&meta.0, self.now());
        self.show(ready, &meta.0)?;
        self.step("shown");
        self.settle(&id)?;
        Ok(descriptor)
    }

    /// Makes the names of a sealed blob durable, unless they are. A caller that acknowledges a blob
    /// calls this first, also when another one put it: that one may still wait for the disk, or have
    /// ended before it did.
    pub(super) fn settle(&self, id: &BlobId) -> Result<(), BlobError> {
        let (renames, dir) = {
            let index = self.index();
            // Removed meanwhile, there is nothing to wait for.
            let Some(sealed) = index.sealed.get(id) else { return Ok(()) };
            let renames = index.unsettled.get(id).copied();
            if renames.is_none() && !sealed.dir.may_lose(id) {
                return Ok(());
            }
            (renames, sealed.dir.clone())
        };
        dir.sync_shard(id)?;
        self.step("names durable");
        let mut index = self.index();
        // What was put again meanwhile has other names to wait for.
        if renames.is_some() && index.unsettled.get(id) == renames.as_ref() {
            index.unsettled.remove(id);
        }
        Ok(())
    }

    /// The renames of a commit, unless the blob is there already. A copy takes the place of a registration,
    /// and a registration that of a copy.
    fn show(&self, ready: Ready, meta: &Path) -> Result<(), BlobError> {
        let Ready { id, root, size, dir, data, pairs, mut claim, partial } = ready;
        let _committing = self.committing();
        if partial.is_some_and(|partial| !self.index().is_under_way(&partial)) {
            return Err(BlobError::Unsealed(id));
        }
        let _here = self.keep_here(id);
        let place = data.place();
        let held = self.index().sealed.get(&id).cloned();
        if place.is_none() && held.as_ref().is_some_and(|held| held.place.is_none()) {
            self.touch(&id);
            return self.drop_partial(&id);
        }
        // What is registered takes the place of what is here where that is: its tree stays.
        let before = held.as_ref().filter(|_| place.is_some());
        let dir = before.map_or(dir, |before| before.dir.clone());
        if let (Some(pairs), None) = (pairs, before) {
            fs::rename(&pairs, dir.tree(&id)).doing("sealing", &pairs)?;
            self.step("tree renamed");
        }
        if held.is_some() && place.is_none() {
            // Until the record changes, it leads to the file that is registered.
            self.show_data(&id, &dir, &data)?;
        }
        fs::rename(meta, dir.meta(&id)).doing("sealing", meta)?;
        self.step("meta written");
        if held.is_none() || place.is_some() {
            self.show_data(&id, &dir, &data)?;
        }
        self.journal().left(&id);
        let (used, renames) = (self.now(), self.next_number());
        let sealed = Sealed { root, size, dir: dir.clone(), place, used, written: used };
        let mut index = self.index();
        claim.iter_mut().for_each(|claim| claim.end(&mut index));
        index.insert(id, sealed);
        index.unsettled.insert(id, renames);
        drop(index);
        self.age.write_if_due();
        if let Some(held) = held.filter(|held| !Arc::ptr_eq(&held.dir, &dir)) {
            self.move_out(&id, &held.dir, &dir)?;
        }
        self.drop_partial(&id)
    }

    /// The data gets its name; or loses it to a file of somebody else's.
    fn show_data(&self, id: &BlobId, dir: &Layout, data: &Source) -> Result<(), BlobError> {
        match data {
            Source::Ours(path) => fs::rename(path, dir.data(id)).doing("sealing", path)?,
            Source::Place(_) => remove(&dir.data(id))?,
        }
        self.step("data renamed");
        Ok(())
    }

    /// Removes what a directory has of a blob that is in another one now.
    fn move_out(&self, id: &BlobId, from: &Layout, to: &Layout) -> Result<(), BlobError> {
        // Until its names are durable there, the blob is here.
        to.sync_shard(id)?;
        let keep = self.index().keeps.get(id).copied();
        keep.map_or(Ok(()), |keep| write_keep(to, id, &keep, self.now()))?;
        [from.meta(id), from.tree(id), from.keep(id)].iter().try_for_each(|path| remove(path))
    }
}
