//! Opening: what a directory holds after whatever happened.
//!
//! A blob is there when its record checks and its data is there; everything else that bears its name
//! is a leftover of a crash, and goes. Data of another length than its record says is damaged: what of
//! it is good is kept as pieces of a blob under way.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use crux_crdt::blob::{BLOB_BYTES_MAX, BlobHasher, BlobId};

use super::BlobError;
use super::age::{Age, time_of_use, write_time_of_use};
use super::config::Config;
use super::depot::{Depot, write_keep};
use super::error::Doing as _;
use super::flush;
use super::index::{BLOBS_MAX, PARTIALS_MAX, Sealed, Victim};
use super::journal::Journal;
use super::layout::{Layout, Slot, remove};
use super::partial::{self, Partial, has_len};
use super::record::{self, DIRS_MAX, Dirs, Have, Keep, Meta};
use super::tree::has_pairs;

impl Depot {
    /// Opens the store. A directory that was added by hand and is missing now is left out, and named;
    /// one that the configuration names has to be there.
    pub(super) fn open(config: Config) -> Result<Arc<Self>, BlobError> {
        let dirs = config.dirs.clone();
        let Some(first) = dirs.first() else {
            return Err(BlobError::Limit { what: "blob directories", max: 0 });
        };
        let layout = Arc::new(Layout::open(first)?);
        let known = record::read::<Dirs>(&layout.dirs()).unwrap_or_default().0;
        let age = Age::open(config.world.clone(), layout.clone())?;
        let depot = Arc::new(Self::new(config, Journal::open(layout)?, age));
        depot.open_dir(first)?;
        for dir in dirs.iter().skip(1) {
            let is_new = !known.iter().any(|known| is_same(known, dir));
            if !dir.is_dir() || (!is_new && !Layout::was_used(dir)) {
                return Err(BlobError::Missing(dir.clone()));
            }
            depot.add_dir(dir, false)?;
        }
        for dir in &known {
            if Layout::was_used(dir) {
                depot.open_dir(dir)?;
            } else {
                tracing::warn!(dir = %dir.display(), "a blob directory is missing; what is in it is not here");
                depot.index().missing.push(dir.clone());
            }
        }
        // A quota that shrank holds from now on, as far as it can.
        if depot.make_room(&mut depot.index(), 0).is_err() {
            tracing::warn!("blobs take more room than they may, and none of them can be evicted");
        }
        Ok(depot)
    }

    /// Adds a directory and remembers it. With `scan`, every blob in it is hashed before it counts, and
    /// those without a record are taken too; otherwise its records are believed, as at every start.
    /// Returns how many blobs came with it.
    pub(super) fn add_dir(&self, path: &Path, scan: bool) -> Result<usize, BlobError> {
        let before = self.count();
        let dir = self.open_dir_with(path, scan)?;
        let first = self.index().dirs.first().cloned();
        if let Some(first) = first.filter(|first| first.root() != dir.root()) {
            let mut dirs: Dirs = record::read(&first.dirs()).unwrap_or_default();
            if !dirs.0.iter().any(|known| known == dir.root()) {
                dirs.0.push(dir.root().to_owned());
                record::write(&first.dirs(), &dirs)?;
                flush::dir(first.root())?;
            }
        }
        Ok(self.count().saturating_sub(before))
    }

    fn open_dir(&self, path: &Path) -> Result<(), BlobError> {
        self.open_dir_with(path, false).map(drop)
    }

    fn open_dir_with(&self, path: &Path, scan: bool) -> Result<Arc<Layout>, BlobError> {
        let layout = Layout::open(path)?;
        let first = self.journal().dir().clone();
        let layout = if layout.is(&first) { first } else { Arc::new(layout) };
        {
            let mut index = self.index();
            if let Some(known) = index.dirs.iter().find(|known| known.root() == layout.root()) {
                return Ok(known.clone());
            }
            if index.dirs.len() >= DIRS_MAX {
                return Err(BlobError::Limit { what: "blob directories", max: DIRS_MAX });
            }
            index.dirs.push(layout.clone());
        }
        layout.clear_incoming().doing("cleaning", layout.root())?;
        self.replay(&layout)?;
        if scan {
            self.adopt(&layout)?;
        }
        self.load_sealed(&layout)?;
        self.load_partials(&layout)?;
        self.load_keeps(&layout)?;
        Ok(layout)
    }

    fn load_sealed(&self, dir: &Arc<Layout>) -> Result<(), BlobError> {
        for id in dir.ids("meta").doing("reading", dir.root())? {
            let path = dir.meta(&id);
            let meta: Option<Meta> = record::read(&path).filter(|meta: &Meta| meta.id == id);
            let Some(meta) = meta else {
                tracing::warn!(path = %path.display(), "a record of a blob does not check");
                continue;
            };
            if self.index().sealed.len() >= BLOBS_MAX {
                return Err(BlobError::Limit { what: "blobs", max: BLOBS_MAX });
            }
            let data = dir.data(&id);
            if meta.place.is_none() && !data.exists() {
                // A crash came between the record and the data, or between the data and the record.
                remove(&path)?;
                continue;
            }
            if meta.place.is_some() {
                // A crash came between the record and the data, when one took the place of the other.
                remove(&data)?;
            }
            let is_damaged = meta.place.is_none() && !has_len(&data, meta.size);
            let used = time_of_use(&path).min(self.now());
            let Meta { root, size, place, .. } = meta;
            let sealed = Sealed { root, size, dir: dir.clone(), place, used, written: used };
            let known = self.index().sealed.contains_key(&id);
            if !known {
                self.index().insert(id, sealed);
                if is_damaged {
                    // The error says what was found; the pieces that are good are kept.
                    self.mend(id).ok();
                }
            }
        }
        Ok(())
    }

    fn load_partials(&self, dir: &Arc<Layout>) -> Result<(), BlobError> {
        for slot in Slot::ALL {
            for id in dir.partials("have", slot).doing("reading", dir.root())? {
                self.load_partial(dir, id, slot)?;
            }
            for ending in ["data", "tree"] {
                for id in dir.partials(ending, slot).doing("reading", dir.root())? {
                    if !self.has_partial(&id, slot) {
                        partial::delete(dir, &id, slot)?;
                    }
                }
            }
        }
        for id in dir.ids("tree").doing("reading", dir.root())? {
            let is_sealed = self.index().sealed.contains_key(&id);
            if !is_sealed {
                remove(&dir.tree(&id))?;
            }
        }
        Ok(())
    }

    fn load_partial(&self, dir: &Arc<Layout>, id: BlobId, slot: Slot) -> Result<(), BlobError> {
        let have: Option<Have> = record::read(&dir.partial_have(&id, slot));
        let Some(have) = have.filter(|have| have.id == id) else {
            return partial::delete(dir, &id, slot);
        };
        if self.has_partial(&id, slot) {
            // It is under way in another directory.
            return Ok(());
        }
        if self.index().sealed.contains_key(&id) {
            // A crash came after the rename that sealed it, or before the one that unsealed it.
            if slot == Slot::First {
                bring_back(&dir.partial_tree(&id, slot), &dir.tree(&id))?;
            }
            return partial::delete(dir, &id, slot);
        }
        if has_pairs(have.size) {
            bring_back(&dir.tree(&id), &dir.partial_tree(&id, slot))?;
        }
        let partial = Arc::new(Partial::open(dir.clone(), slot, have, self.now())?);
        // Nobody fetches it yet; and without a piece it is only a claim.
        partial.rest();
        if partial.pieces().held() == 0 {
            return partial.delete();
        }
        let mut index = self.index();
        index.load_partial(partial);
        if index.under_way() <= PARTIALS_MAX {
            return Ok(());
        }
        // A version that set damaged blobs aside without a bound left so many. Of those, the one goes of
        // which least is here.
        let all = index.partials.values().flatten();
        let least = all.min_by_key(|partial| partial.bytes()).cloned();
        let least: Vec<_> = least.into_iter().map(Victim::Partial).collect();
        self.evict(&mut index, &least)
    }

    fn has_partial(&self, id: &BlobId, slot: Slot) -> bool {
        self.index().partials.get(id).into_iter().flatten().any(|partial| partial.slot == slot)
    }

    fn load_keeps(&self, dir: &Layout) -> Result<(), BlobError> {
        for id in dir.ids("keep").doing("reading", dir.root())? {
            match record::read::<Keep>(&dir.keep(&id)) {
                Some(keep) if self.have(&id).is_some() => {
                    let believed = keep.believed(time_of_use(&dir.keep(&id)), self.now());
                    if believed != keep {
                        // So that it ends, however often the node starts until then.
                        write_keep(dir, &id, &believed, self.now())?;
                    }
                    self.index().keeps.insert(id, believed);
                }
                _ => remove(&dir.keep(&id))?,
            }
        }
        Ok(())
    }

    /// Hashes whatever bears the name of a blob, and writes the records of those that are what they
    /// are called. Others lose their record, so that they do not count.
    fn adopt(&self, dir: &Arc<Layout>) -> Result<(), BlobError> {
        for id in dir.ids("meta").doing("reading", dir.root())? {
            // What another node registered in place is about that node's files.
            if !dir.data(&id).exists() {
                remove(&dir.meta(&id))?;
            }
        }
        for id in dir.files().doing("reading", dir.root())? {
            let path = dir.data(&id);
            let mut file = fs::File::open(&path).doing("reading", &path)?;
            let size = file.metadata().doing("reading", &path)?.len();
            let mut hasher = BlobHasher::default();
            std::io::copy(&mut file, &mut HashWriter(&mut hasher)).doing("reading", &path)?;
            let found = hasher.finish();
            if found != id || size > BLOB_BYTES_MAX {
                tracing::warn!(blob = %id, found = %found, "not what it is called; left alone");
                remove(&dir.meta(&id))?;
                continue;
            }
            // The process that wrote it may not have flushed it.
            flush::file(&file, &path)?;
            std::io::Seek::rewind(&mut file).doing("reading", &path)?;
            let (root, pairs) = super::put::build_tree(self, dir, &file, size, &path)?;
            if let Some(pairs) = pairs {
                fs::rename(&pairs.path, dir.tree(&id)).doing("adopting", &path)?;
            }
            record::write(&dir.meta(&id), &Meta { id, root, size, place: None })?;
            write_time_of_use(&dir.meta(&id), self.now());
        }
        Ok(())
    }
}

/// Whether two paths lead to one directory.
fn is_same(one: &Path, other: &Path) -> bool {
    one == other || fs::canonicalize(other).is_ok_and(|other| other == one)
}

/// Moves a tree to where its data is, if a crash came when it had gone ahead.
fn bring_back(from: &Path, to: &Path) -> Result<(), BlobError> {
    if from.exists() && !to.exists() {
        fs::rename(from, to).doing("bringing back", from)?;
    }
    Ok(())
}

struct HashWriter<'a>(&'a mut BlobHasher);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
