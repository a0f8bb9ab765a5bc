//! What there is, and what may go: no IO.
//!
//! **Eviction** takes blobs under way that nobody went on with for a day, then the blob whose last access, or end of reservation where that is later, is the
//! longest ago. It never takes what is pinned, reserved, registered in place or held, and takes nothing
//! at all unless that makes enough room.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crux_crdt::blob::{BlobId, Root};

use super::layout::Layout;
use super::partial::Partial;
use super::record::{Keep, Place};

/// How many blobs a store holds. Each costs some 200 bytes of memory.
pub(super) const BLOBS_MAX: usize = 1_000_000;
/// How many blobs are under way at once. Each costs two open files.
pub(super) const PARTIALS_MAX: usize = 256;
/// A blob under way that nobody touched for that long makes room for others: whoever wanted it gave up.
/// Wild guess; until then a fetch that comes back goes on where it was.
pub(super) const IDLE_AFTER: Duration = Duration::from_secs(24 * 3600);

/// A sealed blob.
#[derive(Debug, Clone)]
pub(super) struct Sealed {
    pub(super) root: Root,
    pub(super) size: u64,
    pub(super) dir: Arc<Layout>,
    pub(super) place: Option<Place>,
    pub(super) accessed: SystemTime,
}

impl Sealed {
    /// How many bytes of ours it takes.
    pub(super) const fn own_bytes(&self) -> u64 {
        if self.place.is_some() { 0 } else { self.size }
    }
}

/// One blob of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Which one.
    pub id: BlobId,
    /// How many bytes it has.
    pub size: u64,
    /// How many of its pieces are here.
    pub held: u32,
    /// How many pieces it has.
    pub pieces: u32,
    /// Whether it is whole and what it is called.
    pub sealed: bool,
    /// Never evicted.
    pub pinned: bool,
    /// Not evicted until then.
    pub reserved_until: Option<SystemTime>,
    /// Where the file is that was registered in place; `None`: the store keeps it itself.
    pub registered: Option<PathBuf>,
    /// When it was last read.
    pub accessed: SystemTime,
}

/// Everything the store knows.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) dirs: Vec<Arc<Layout>>,
    // Directories that were added once and were not there at the start.
    pub(super) missing: Vec<PathBuf>,
    pub(super) sealed: BTreeMap<BlobId, Sealed>,
    pub(super) partials: BTreeMap<BlobId, Arc<Partial>>,
    pub(super) keeps: BTreeMap<BlobId, Keep>,
    holds: BTreeMap<BlobId, usize>,
    // Bytes of streams that are coming in.
    incoming: u64,
    // Bytes of sealed blobs that the store keeps itself.
    own: u64,
}

impl Index {
    /// Adds or replaces a sealed blob.
    pub(super) fn insert(&mut self, id: BlobId, sealed: Sealed) {
        self.remove(&id);
        self.own += sealed.own_bytes();
        self.sealed.insert(id, sealed);
    }

    pub(super) fn remove(&mut self, id: &BlobId) -> Option<Sealed> {
        let sealed = self.sealed.remove(id)?;
        self.own -= sealed.own_bytes();
        Some(sealed)
    }

    /// How many bytes count against the quota: all of what is under way does, from its beginning.
    pub(super) fn used(&self) -> u64 {
        let partials: u64 = self.partials.values().map(|partial| partial.size).sum();
        self.own + self.incoming + partials
    }

    /// How many bytes blobs under way have yet to write.
    pub(super) fn outstanding(&self) -> u64 {
        self.partials.values().map(|partial| partial.outstanding()).sum()
    }

    pub(super) fn claim(&mut self, bytes: u64) {
        self.incoming += bytes;
    }

    pub(super) fn release(&mut self, bytes: u64) {
        self.incoming -= bytes;
    }

    pub(super) fn hold(&mut self, id: BlobId) {
        *self.holds.entry(id).or_default() += 1;
    }

    pub(super) fn let_go(&mut self, id: &BlobId) {
        if let Some(count) = self.holds.get_mut(id) {
            *count -= 1;
            if *count == 0 {
                self.holds.remove(id);
            }
        }
    }

    /// What to evict for `needed` bytes of room, in a directory or in any; none: it cannot be had.
    pub(super) fn victims(
        &self,
        needed: u64,
        dir: Option<&Arc<Layout>>,
        now: SystemTime,
    ) -> Option<Vec<BlobId>> {
        if needed == 0 {
            return Some(Vec::new());
        }
        let is_in = |sealed: &Sealed| dir.is_none_or(|dir| Arc::ptr_eq(dir, &sealed.dir));
        let mut order: Vec<_> = self
            .sealed
            .iter()
            .filter(|(_, sealed)| is_in(sealed) && sealed.own_bytes() > 0)
            .filter_map(|(id, sealed)| Some((self.last_use(id, sealed, now)?, *id, sealed.size)))
            .collect();
        order.sort_unstable();
        let mut freed = 0;
        let mut victims = Vec::new();
        let idle = self.idle(dir, now).map(|(id, size)| (now, id, size));
        for (_, id, size) in idle.chain(order) {
            victims.push(id);
            freed += size;
            if freed >= needed {
                return Some(victims);
            }
        }
        None
    }

    /// Blobs under way that nobody goes on with, with the room that they hold.
    pub(super) fn idle<'a>(
        &'a self,
        dir: Option<&'a Arc<Layout>>,
        now: SystemTime,
    ) -> impl Iterator<Item = (BlobId, u64)> + 'a {
        self.partials.iter().filter_map(move |(id, partial)| {
            let is_in = dir.is_none_or(|dir| Arc::ptr_eq(dir, &partial.dir));
            let idle = now.duration_since(partial.touched()).unwrap_or_default();
            let is_kept = self.holds.contains_key(id)
                || self.keeps.get(id).is_some_and(|keep| {
                    keep.pinned || keep.reserved_until().is_some_and(|until| until > now)
                });
            (is_in && !is_kept && idle >= IDLE_AFTER).then_some((*id, partial.size))
        })
    }

    /// When a blob was of use last; none: it may not be evicted.
    fn last_use(&self, id: &BlobId, sealed: &Sealed, now: SystemTime) -> Option<SystemTime> {
        if self.holds.contains_key(id) {
            return None;
        }
        let Some(keep) = self.keeps.get(id) else { return Some(sealed.accessed) };
        let until = keep.reserved_until();
        if keep.pinned || until.is_some_and(|until| until > now) {
            return None;
        }
        Some(until.map_or(sealed.accessed, |until| until.max(sealed.accessed)))
    }

    /// Every blob, by id.
    pub(super) fn list(&self) -> Vec<Listed> {
        let sealed = self.sealed.iter().map(|(id, sealed)| {
            let pieces = crux_crdt::blob::piece_count(sealed.size);
            let place = sealed.place.as_ref().map(|place| place.path.clone());
            self.listed(*id, sealed.size, (pieces, pieces), place, sealed.accessed)
        });
        let partials = self.partials.iter().map(|(id, partial)| {
            let have = partial.pieces();
            let held = (have.held(), have.count());
            let mut listed = self.listed(*id, partial.size, held, None, SystemTime::UNIX_EPOCH);
            listed.sealed = false;
            listed
        });
        let mut all: Vec<_> = sealed.chain(partials).collect();
        all.sort_unstable_by_key(|listed| listed.id);
        all
    }

    fn listed(
        &self,
        id: BlobId,
        size: u64,
        (held, pieces): (u32, u32),
        registered: Option<PathBuf>,
        accessed: SystemTime,
    ) -> Listed {
        let keep = self.keeps.get(&id).copied().unwrap_or_default();
        let reserved_until = keep.reserved_until();
        let pinned = keep.pinned;
        Listed {
            id,
            size,
            held,
            pieces,
            sealed: true,
            pinned,
            reserved_until,
            registered,
            accessed,
        }
    }
}
