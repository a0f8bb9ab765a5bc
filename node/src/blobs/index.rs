//! What there is, and what may go: no IO.
//!
//! **Eviction** takes blobs under way that nobody goes on with, then the blob whose last use, or
//! end of reservation where that is later, is the longest ago. It never takes what is pinned, reserved,
//! registered in place or held, and takes nothing at all unless that makes enough room. All times are
//! ages of the store: no clock that anybody sets counts.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crux_crdt::blob::{BlobId, Root};

use super::layout::{Layout, Slot};
use super::partial::Partial;
use super::record::{Keep, Place};
use super::tree::has_pairs;

/// How many blobs a store holds. Each costs some 200 bytes of memory.
pub(super) const BLOBS_MAX: usize = 1_000_000;
/// How many blobs are under way at once. Each costs two open files.
pub(super) const PARTIALS_MAX: usize = 256;
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

/// What is evicted. A blob may be sealed and under way at once, in two directories or for a moment while it is
/// sealed, so its id does not say what goes.
#[derive(Debug, Clone)]
pub(super) enum Victim {
    /// A tree of a blob under way that nobody goes on with.
    Partial(Arc<Partial>),
    /// A sealed blob.
    Sealed(BlobId),
}

/// Everything the store knows.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) dirs: Vec<Arc<Layout>>,
    // Directories that were added once and were not there at the start.
    pub(super) missing: Vec<PathBuf>,
    pub(super) sealed: BTreeMap<BlobId, Sealed>,
    /// By one root or two. The first is gone on with; another one that is here rests.
    pub(super) partials: BTreeMap<BlobId, Vec<Arc<Partial>>>,
    pub(super) keeps: BTreeMap<BlobId, Keep>,
    // Sealed blobs whose names may not be durable yet, each with the number of its renames.
    pub(super) unsettled: BTreeMap<BlobId, u64>,
    holds: BTreeMap<BlobId, usize>,
    // The images of this node's services, here or not.
    pub(super) images: BTreeSet<BlobId>,
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
        let partials: u64 = self.partials.values().flatten().map(|partial| partial.bytes()).sum();
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

    /// What was promised on a disk and is not taken yet: with the pieces that are being written.
    pub(super) fn ahead(&self, disk: u64) -> Lack {
        let partials =
            self.partials.values().flatten().filter(|partial| partial.dir.disk() == disk);
        let coming: u64 = partials.map(|partial| partial.coming()).sum();
        let Lack { bytes, files } = self.ahead.get(&disk).copied().unwrap_or_default();
        Lack { bytes: bytes + coming, files }
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
    ) -> Option<Vec<Victim>> {
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
        let order = order.into_iter();
        let order = order.map(|(_, id, size, files)| (Victim::Sealed(id), size, files));
        let idle = self
            .idle(dir, now)
            .map(|partial| (Victim::Partial(partial.clone()), partial.bytes(), partial.files()));
        let mut left = lack;
        let mut victims = Vec::new();
        for (victim, size, files) in idle.chain(order) {
            if left == Lack::default() {
                break;
            }
            left.bytes = left.bytes.saturating_sub(size);
            left.files = left.files.saturating_sub(files);
            victims.push(victim);
        }
        (left == Lack::default()).then_some(victims)
    }

    /// What is under way and nobody goes on with.
    pub(super) fn idle<'a>(
        &'a self,
        dir: Option<&'a Arc<Layout>>,
        now: Duration,
    ) -> impl Iterator<Item = &'a Arc<Partial>> + 'a {
        self.partials.values().flatten().filter(move |partial| {
            let is_in = dir.is_none_or(|dir| Arc::ptr_eq(dir, &partial.dir));
            is_in && self.is_idle(partial, now)
        })
    }

    /// Whether nobody goes on with a blob under way by one root. What somebody wants kept is so by the root
    /// that was gone on with last.
    fn is_idle(&self, partial: &Arc<Partial>, now: Duration) -> bool {
        let id = &partial.id;
        let idle = now.saturating_sub(partial.touched());
        let is_idle = partial.is_resting() || idle >= IDLE_AFTER;
        let is_kept = self.holds.contains_key(id)
            || self.keeps.get(id).is_some_and(|keep| {
                keep.pinned || keep.reserved_until().is_some_and(|until| until > now)
            });
        let is_first = self.partial(id).is_some_and(|first| Arc::ptr_eq(first, partial));
        is_idle && !(is_kept && is_first)
    }

    /// Whether this one is under way, and not another one of the same blob.
    pub(super) fn is_under_way(&self, partial: &Arc<Partial>) -> bool {
        self.partials
            .get(&partial.id)
            .is_some_and(|of| of.iter().any(|it| Arc::ptr_eq(it, partial)))
    }

    /// Takes out one tree of a blob under way.
    pub(super) fn take_partial(&mut self, partial: &Arc<Partial>) {
        if let Some(of) = self.partials.get_mut(&partial.id) {
            of.retain(|it| !Arc::ptr_eq(it, partial));
            if of.is_empty() {
                self.partials.remove(&partial.id);
            }
        }
    }

    /// Takes out the tree with this root of a blob under way.
    pub(super) fn take_tree(&mut self, id: &BlobId, of: (Root, u64)) -> Option<Arc<Partial>> {
        let partial = self.partials.get(id)?.iter().find(|it| it.is_of(of))?.clone();
        self.take_partial(&partial);
        Some(partial)
    }

    /// Where both slots of a blob under way are taken, takes out that of which less is here.
    pub(super) fn take_smaller(&mut self, id: &BlobId) -> Option<Arc<Partial>> {
        let of = self.partials.get(id).filter(|of| of.len() >= Slot::ALL.len())?;
        let smaller = of.iter().min_by_key(|it| it.bytes())?.clone();
        self.take_partial(&smaller);
        Some(smaller)
    }

    /// A slot for one more tree of a blob under way.
    pub(super) fn free_slot(&self, id: &BlobId) -> Option<Slot> {
        let of = self.partials.get(id);
        let is_taken = |slot| of.is_some_and(|of| of.iter().any(|it| it.slot == slot));
        Slot::ALL.into_iter().find(|slot| !is_taken(*slot))
    }

    /// What is here of a blob under way, by the root that was gone on with last.
    pub(super) fn partial(&self, id: &BlobId) -> Option<&Arc<Partial>> {
        self.partials.get(id)?.first()
    }

    /// Adds a blob under way, which is gone on with.
    pub(super) fn add_partial(&mut self, partial: Arc<Partial>) {
        self.partials.entry(partial.id).or_default().insert(0, partial);
    }

    /// Adds what an earlier run left of a blob under way.
    pub(super) fn load_partial(&mut self, partial: Arc<Partial>) {
        let of = self.partials.entry(partial.id).or_default();
        of.push(partial);
        // Nobody knows which was gone on with last.
        of.sort_by_key(|partial| core::cmp::Reverse(partial.bytes()));
    }

    /// Somebody goes on with a blob under way by this root, and with no other one. What is here by it.
    pub(super) fn go_on(
        &mut self,
        id: &BlobId,
        by: (Root, u64),
        now: Duration,
    ) -> Option<Arc<Partial>> {
        let of = self.partials.get_mut(id)?;
        // Stable: the others stay in their order.
        of.sort_by_key(|partial| !partial.is_of(by));
        let (wanted, others): (Vec<_>, Vec<_>) = of.iter().partition(|it| it.is_of(by));
        others.into_iter().for_each(|other| other.rest());
        let wanted = wanted.into_iter().next()?;
        wanted.touch(now);
        Some(wanted.clone())
    }

    /// How many blobs are under way; one that is so by two roots counts twice.
    pub(super) fn under_way(&self) -> usize {
        self.partials.values().map(Vec::len).sum()
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
        let partials = self.partials.keys().filter_map(|id| Some((id, self.partial(id)?)));
        let partials = partials.map(|(id, partial)| {
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

    /// The ids between two, sealed or under way, in order; at most `most`.
    pub(super) fn between(&self, ids: RangeInclusive<BlobId>, most: usize) -> Vec<BlobId> {
        let sealed = self.sealed.range(ids.clone()).map(|(id, _)| *id).take(most);
        let partials = self.partials.range(ids).map(|(id, _)| *id).take(most);
        let mut all: Vec<_> = sealed.chain(partials).collect();
        all.sort_unstable();
        all.dedup();
        all.truncate(most);
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
