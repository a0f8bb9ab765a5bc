use std::collections::BTreeMap;

use crate::Principal;
use crate::act::Act;
use crate::pack::pack;

/// What an act takes in memory, with its places in the indexes and what members and engines keep of a
/// subject; a list or an unknown body that it has aside. Measured by `tests/memory.rs`.
const ACT_COST: usize = 1024;
/// The least that a further author takes: two admissions and a small record.
const AUTHOR_COST: usize = 8 * 1024;

/// What an act takes in memory, in bytes.
pub(super) fn cost_of(act: &Act) -> usize {
    // The allocator rounds large blocks up, to pages at most.
    let heap = act.heap();
    ACT_COST + heap + heap / 16
}

/// What each author takes of a replica, and how much there may be.
///
/// **Invariant**: with a limit `L`, others than this node take at most `2 L` together, unless they took more
/// when the limit was set. For each author takes at most `L / n` of `n` authors, or what it took when all of
/// them took at most `L`.
#[derive(Debug, Clone)]
pub(super) struct Footprint {
    me: Principal,
    limit: usize,
    total: usize,
    of: BTreeMap<Principal, usize>,
}

impl Footprint {
    pub(super) const fn new(me: Principal) -> Self {
        Self { me, limit: usize::MAX, total: 0, of: BTreeMap::new() }
    }

    pub(super) const fn set_limit(&mut self, bytes: usize) {
        self.limit = bytes;
    }

    pub(super) fn pack(&mut self) {
        pack(&mut self.of);
    }

    pub(super) fn is_own(&self, author: &Principal) -> bool {
        *author == self.me
    }

    pub(super) const fn total(&self) -> usize {
        self.total
    }

    pub(super) fn of(&self, author: &Principal) -> usize {
        self.of.get(author).copied().unwrap_or_default()
    }

    pub(super) const fn is_full(&self) -> bool {
        self.total.saturating_add(AUTHOR_COST) > self.limit
    }

    /// Whether an author may take this much.
    pub(super) fn takes(&self, author: &Principal, after: usize) -> bool {
        let before = self.of(author);
        let fits = self.total.saturating_sub(before).saturating_add(after) <= self.limit;
        let share = self.limit / self.of.len().max(1);
        fits || after <= before || (before > 0 && after <= share) || self.is_own(author)
    }

    /// Whether this author may bring another one.
    pub(super) fn takes_another(&self, author: &Principal) -> bool {
        !self.is_full() || self.is_own(author)
    }

    /// An author takes this much now.
    pub(super) fn set(&mut self, author: Principal, bytes: usize) {
        let before = self.of.insert(author, bytes).unwrap_or_default();
        self.total = self.total.saturating_sub(before).saturating_add(bytes);
    }

    /// An author takes that much more.
    pub(super) fn grow(&mut self, author: Principal, bytes: usize) {
        self.set(author, self.of(&author) + bytes);
    }
}
