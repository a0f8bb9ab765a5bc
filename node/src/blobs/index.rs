//! What there is, and what may go: no IO.
//!
//! **Eviction** takes blobs under way that nobody goes on with, then the blob whose last use, or
//! end of reservation where that is later, is the longest ago. It never takes what is pinned, reserved,
//! registered in place or held, and takes nothing at all unless that makes enough room. All times are
//! ages of the store: no clock that anybody sets counts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crux_crdt::blob::{BlobId, Root};

use super::layout::Layout;
use super::partial::Partial;
use super::record::{Keep, Place};
use super::tree::has_pairs;

/// How many blobs a store holds. Each costs some 200 bytes of memory.
pub(super) const BLOBS_MAX: usize = 1_000_000;
/// How many blobs are under way at once. Each costs two open files.
pub(super) const PARTIALS_MAX: usize = 256;
/// How many files a blob under way takes, at least.
const PARTIAL_FILES: u64 = 2;
/// A blob under way that nobody touched for that long makes room for others, also if nobody said that it
/// rests: whoever went on with it is gone. Wild guess.
pub(super) const IDLE_AFTER: Duration = Duration::from_secs(24 * 3600);

/// A sealed blob.
#[derive(Debug, Clone)]
pub(super) struct Sealed {
    pub(super) root: Root,
    pub(super) size: u64,
    pub(super) dir: Arc<Layout>,
    pub(super) place: Option<Place>,
    /// The age of the store when it was last of use, and the one that its record tells.
    pub(super) used: Duration,
    pub(super) written: Duration,
}

/// How much room is lacking, or was promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Lack {
    pub(super) bytes: u64,
    pub(super) files: u64,
}

impl Sealed {
    /// How many files it takes, at least.
    pub(super) fn files(&self) -> u64 {
        if has_pairs(self.size) { 3 } else { 2 }
    }

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
    /// Not evicted for so much longer, as long as the node runs.
    pub reserved_for: Option<Duration>,
    /// Where the file is that was registered in place; `None`: the store keeps it itself.
    pub registered: Option<PathBuf>,
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
    // Sealed blobs whose names may not be durable yet, each with the number of its renames.
    pub(super) unsettled: BTreeMap<BlobId, u64>,
    holds: BTreeMap<BlobId, usize>,
    // Bytes of streams that are coming in.
    incoming: u64,
    // What of them is still to come, by disk: a disk does not show it as taken yet.
    ahead: BTreeMap<u64, Lack>,
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
        self.unsettled.remove(id);
        Some(sealed)
    }

    /// How many bytes count against the quota: of what is under way the pieces that checked.
    pub(super) fn used(&self) -> u64 {
        let partials: u64 = self.partials.values().map(|partial| partial.bytes()).sum();
        self.own + self.incoming + partials
    }

    pub(super) fn claim(&mut self, bytes: u64) {
        self.incoming += bytes;
    }

    pub(super) fn release(&mut self, bytes: u64) {
        self.incoming -= bytes;
    }

    /// Somebody was promised room on a disk.
    pub(super) fn promise(&mut self, disk: u64, room: Lack) {
        let ahead = self.ahead.entry(disk).or_default();
        ahead.bytes += room.bytes;
        ahead.files += room.files;
    }

    /// Room that was promised is taken, or not needed.
    pub(super) fn redeem(&mut self, disk: u64, room: Lack) {
        let Some(ahead) = self.ahead.get_mut(&disk) else { return };
        ahead.bytes -= room.bytes;
        ahead.files -= room.files;
        if *ahead == Lack::default() {
            self.ahead.remove(&disk);
        }
    }

    /// What was promised on a disk and is not taken yet.
    pub(super) fn ahead(&self, disk: u64) -> Lack {
        self.ahead.get(&disk).copied().unwrap_or_default()
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

    /// What to evict for the room that is lacking, in a directory or in any; none: it cannot be had.
    pub(super) fn victims(
        &self,
        lack: Lack,
        dir: Option<&Arc<Layout>>,
        now: Duration,
    ) -> Option<Vec<BlobId>> {
        let is_in = |sealed: &Sealed| dir.is_none_or(|dir| Arc::ptr_eq(dir, &sealed.dir));
        if lack == Lack::default() {
            return Some(Vec::new());
        }
        // What frees nothing that is lacking stays.
        let helps = |size: u64| size > 0 || lack.files > 0;
        let mut order: Vec<_> = self
            .sealed
            .iter()
            .filter(|(_, sealed)| is_in(sealed) && sealed.place.is_none() && helps(sealed.size))
            .filter_map(|(id, sealed)| {
                Some((self.last_use(id, sealed, now)?, *id, sealed.size, sealed.files()))
            })
            .collect();
        order.sort_unstable();
        let idle = self.idle(dir, now).map(|(id, size)| (now, id, size, PARTIAL_FILES));
        let mut left = lack;
        let mut victims = Vec::new();
        for (_, id, size, files) in idle.chain(order) {
            if left == Lack::default() {
                break;
            }
            left.bytes = left.bytes.saturating_sub(size);
            left.files = left.files.saturating_sub(files);
            victims.push(id);
        }
        (left == Lack::default()).then_some(victims)
    }

    /// Blobs under way that nobody goes on with, with the room that they hold.
    pub(super) fn idle<'a>(
        &'a self,
        dir: Option<&'a Arc<Layout>>,
        now: Duration,
    ) -> impl Iterator<Item = (BlobId, u64)> + 'a {
        self.partials.iter().filter_map(move |(id, partial)| {
            let is_in = dir.is_none_or(|dir| Arc::ptr_eq(dir, &partial.dir));
            let idle = now.saturating_sub(partial.touched());
            let is_idle = partial.is_resting() || idle >= IDLE_AFTER;
            let is_kept = self.holds.contains_key(id)
                || self.keeps.get(id).is_some_and(|keep| {
                    keep.pinned || keep.reserved_until().is_some_and(|until| until > now)
                });
            (is_in && !is_kept && is_idle).then_some((*id, partial.bytes()))
        })
    }

    /// When a blob was of use last; none: it may not be evicted.
    fn last_use(&self, id: &BlobId, sealed: &Sealed, now: Duration) -> Option<Duration> {
        if self.holds.contains_key(id) {
            return None;
        }
        let Some(keep) = self.keeps.get(id) else { return Some(sealed.used) };
        let until = keep.reserved_until();
        if keep.pinned || until.is_some_and(|until| until > now) {
            return None;
        }
        Some(until.map_or(sealed.used, |until| until.max(sealed.used)))
    }

    /// Every blob, by id.
    pub(super) fn list(&self, now: Duration) -> Vec<Listed> {
        let sealed = self.sealed.iter().map(|(id, sealed)| {
            let pieces = crux_crdt::blob::piece_count(sealed.size);
            let place = sealed.place.as_ref().map(|place| place.path.clone());
            self.listed(*id, sealed.size, (pieces, pieces), place, now)
        });
        let partials = self.partials.iter().map(|(id, partial)| {
            let have = partial.pieces();
            let held = (have.held(), have.count());
            let mut listed = self.listed(*id, partial.size, held, None, now);
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
        now: Duration,
    ) -> Listed {
        let keep = self.keeps.get(&id).copied().unwrap_or_default();
        let reserved_for = keep.reserved_until().and_then(|until| until.checked_sub(now));
        let reserved_for = reserved_for.filter(|left| !left.is_zero());
        let pinned = keep.pinned;
        Listed { id, size, held, pieces, sealed: true, pinned, reserved_for, registered }
    }
}
