//! Which sessions run: few at a time, and slow peers do not keep others waiting.
//!
//! **Invariant**: a peer that waits holds no place while another peer that used its places for
//! [`QUANTUM`] less waits for one; and of the places, one is never given to a peer whose last
//! session did not end well.
//!
//! The time for which a peer's sessions hold a place is the only measure, because it is what other
//! peers lose: it does not matter whether the peer answers slowly, leads in circles or has a new
//! lie in every answer. An honest peer uses milliseconds. Of each peer
//!
//! * the one that used least comes first, to a [`GRAIN`];
//! * of those, one that never held a place for a grain at a stretch, and of those again the one that
//!   was served least recently. A peer that was never served counts as one that is slow. Among
//!   newcomers chance decides: an order drawn when the node starts, for which nobody can make its key;
//! * it keeps its place until its use exceeds that of a waiting peer by [`QUANTUM`]. What it used
//!   in earlier sessions counts, so a peer is protected for one quantum and not for one in each session;
//! * one percent of the time that passes is forgiven; that it was slow, a hundred times later.
//!
//! So peers that stall delay a peer whose sessions are short by no more than one quantum, however many
//! they are. Before it come only those that were never slow in the last hours either: `k` that stall
//! after a short session delay it by at most `k × QUANTUM / (places − 1)` in five hours: 16 by 11 s.
//! Only a peer that is new here, or slow itself, waits so long again after 200 s. And as long as fewer
//! than one peer in all places ended a session well before it stalled, the kept place delays a peer
//! that ended well by nothing.
//!
//! Hundreds of quick peers that always have something new would keep a slow or new one waiting for good.
//! So one that waited a quantum counts as quick, unless another one that counted so has its place yet: *one* place
//! at a time goes by age, to the one that was served least recently. That place takes nothing from the
//! rules above but itself, and `k` peers that waited keep each other waiting for `k × QUANTUM` at most.

use core::time::Duration;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::hash::sha3;
use crux_crdt::{Digest, Principal};

use crate::time::Instant;

/// For how long a peer may hold a place that one with less use waits for: a session of an honest
/// peer takes a tenth of it. A guess.
pub(super) const QUANTUM: Duration = Duration::from_secs(2);
/// Peers that used their places equally long to this count as equal, and a session that takes longer is
/// a slow one: a tenth of [`QUANTUM`].
const GRAIN: Duration = Duration::from_millis(200);
/// A session uses at least this: none is free.
const USE_MIN: Duration = Duration::from_millis(1);
/// One in so many parts of the time that passes is forgiven.
const FORGIVEN_ONE_IN: u32 = 100;
/// The same of the longest time that a peer held a place: of one quantum in five hours and a half.
const LONGEST_FORGIVEN_ONE_IN: u32 = 10_000;
/// Of how many peers the use is remembered. Of those that are not linked the one that used least is
/// forgotten first.
const ACCOUNTS_MAX: usize = 4_096;

/// What a peer used.
#[derive(Debug, Clone, Copy)]
struct Account {
    /// As of `at`.
    used: Duration,
    at: Instant,
    /// Since when it holds a place.
    holds_since: Option<Instant>,
    /// Whether its last session ended well.
    well: bool,
    /// For how long it held a place at a stretch, at most. As of `at`.
    longest: Duration,
    /// When it gave up a place last.
    served: Instant,
    /// Whether it has its place because it waited long.
    aged: bool,
}

impl Account {
    /// One that takes its first place.
    const fn new(now: Instant) -> Self {
        Self {
            used: Duration::ZERO,
            at: now,
            holds_since: None,
            well: false,
            longest: Duration::ZERO,
            served: Instant::ORIGIN,
            aged: false,
        }
    }

    fn used(&self, now: Instant) -> Duration {
        let forgiven = now.since(self.at) / FORGIVEN_ONE_IN;
        self.used.saturating_sub(forgiven) + self.running(now)
    }

    fn longest(&self, now: Instant) -> Duration {
        let forgiven = now.since(self.at) / LONGEST_FORGIVEN_ONE_IN;
        self.longest.saturating_sub(forgiven).max(self.running(now))
    }

    fn running(&self, now: Instant) -> Duration {
        self.holds_since.map_or(Duration::ZERO, |since| now.since(since))
    }
}

/// The order in which peers get a place: the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// What it used, in whole grains.
    grains: u128,
    slow: bool,
    served: Instant,
    /// Its number in an order that nobody knows.
    drawn: u64,
    peer: Principal,
}

/// The peer that loses its place; none: there is a free one.
type Loser = Option<Principal>;

/// One that waits, and since when.
pub(super) type Waiter<'a> = (&'a Principal, Instant);

/// What a peer gets that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A free place.
    Free,
    /// The place of another peer, which lost it.
    OfAnother,
}

/// The places, and what each peer used of them. See the module for its invariant.
#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    accounts: BTreeMap<Principal, Account>,
    /// Those of them that hold a place: at most `most`.
    holding: BTreeSet<Principal>,
    /// Makes the order among newcomers.
    order: u64,
}

impl Places {
    /// `most` places, all free. One of several is kept for peers whose last session ended well. `seed`:
    /// of the order among newcomers.
    pub(super) fn new(most: usize, seed: &[u8; 32]) -> Self {
        let Digest([a, b, c, d, e, f, g, h, ..]) = sha3("crux/sync/order/1", &[seed]);
        let order = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        Self { most, accounts: BTreeMap::new(), holding: BTreeSet::new(), order }
    }

    /// Whether a peer holds a place.
    pub(super) fn holds(&self, peer: &Principal) -> bool {
        self.holding.contains(peer)
    }

    /// How many places are taken.
    pub(super) fn taken(&self) -> usize {
        self.holding.len()
    }

    /// How long a peer held places, less what is forgiven.
    pub(super) fn used(&self, peer: &Principal, now: Instant) -> Duration {
        self.accounts.get(peer).map_or(Duration::ZERO, |account| account.used(now))
    }

    /// Gives a place to one of those who wait, if there is one for it. A peer that loses its place by it
    /// has no place any more.
    pub(super) fn next<'a>(
        &mut self,
        waiting: impl Iterator<Item = Waiter<'a>>,
        linked: &BTreeSet<Principal>,
        now: Instant,
    ) -> Option<(Principal, Place)> {
        let (first, loser) = self.firsts(waiting, now).into_iter().find_map(|first| {
            let loser = self.look(&first.peer, now).ok()?;
            Some((first, loser))
        })?;
        if let Some(loser) = loser {
            self.leave(&loser, false, now);
        }
        let peer = first.peer;
        let aged = !first.slow && self.is_slow(&peer, now);
        let account = self.accounts.entry(peer).or_insert(Account::new(now));
        (account.holds_since, account.aged) = (Some(now), aged);
        self.holding.insert(peer);
        self.forget_some(linked, now);
        Some((peer, if loser.is_some() { Place::OfAnother } else { Place::Free }))
    }

    /// When [`Places::next`] may have a place for one of those who wait and had none at `now`.
    pub(super) fn due<'a>(
        &self,
        waiting: impl Iterator<Item = Waiter<'a>>,
        now: Instant,
    ) -> Option<Instant> {
        let due = self.firsts(waiting, now).into_iter().filter_map(|Rank { peer, .. }| {
            let (used, _) = self.look(&peer, now).err()??;
            Some(self.may_displace(&peer, now).saturating_sub(used))
        });
        // Never at once: what is due now was looked at.
        due.min().map(|wait| now + wait.max(USE_MIN))
    }

    /// A peer gives up its place. `well`: its session came to its end.
    pub(super) fn leave(&mut self, peer: &Principal, well: bool, now: Instant) {
        let Some(account) = self.accounts.get_mut(peer) else { return };
        let least = account.holds_since.map_or(Duration::ZERO, |_| USE_MIN);
        account.used = account.used(now).max(least);
        account.longest = account.longest(now);
        if account.holds_since.is_some() {
            account.served = now;
        }
        (account.at, account.holds_since, account.well) = (now, None, well);
        account.aged = false;
        self.holding.remove(peer);
    }

    fn holders(&self) -> impl Iterator<Item = (&Principal, &Account)> {
        self.holding.iter().filter_map(|peer| Some((peer, self.accounts.get(peer)?)))
    }

    /// Whether the last session of a peer ended well.
    pub(super) fn is_well(&self, peer: &Principal) -> bool {
        self.accounts.get(peer).is_some_and(|account| account.well)
    }

    /// Of those who wait, the one that used least, and that of those whose last session ended well.
    fn firsts<'a>(&self, waiting: impl Iterator<Item = Waiter<'a>>, now: Instant) -> Vec<Rank> {
        let ages = !self.holders().any(|(_, account)| account.aged);
        let mut first: [Option<Rank>; 2] = [None; 2];
        for (peer, since) in waiting {
            let mut this = self.rank(peer, now);
            this.slow &= !(ages && now.since(since) >= QUANTUM);
            let of_all = [true, self.is_well(peer)];
            for (best, _) in first.iter_mut().zip(of_all).filter(|(_, counts)| *counts) {
                *best = Some(best.map_or(this, |best| best.min(this)));
            }
        }
        first.into_iter().flatten().collect()
    }

    /// Whether a peer is new here, or held a place for a grain at a stretch.
    fn is_slow(&self, peer: &Principal, now: Instant) -> bool {
        let account = self.accounts.get(peer);
        account.map_or(QUANTUM, |account| account.longest(now)) >= GRAIN
    }

    fn rank(&self, peer: &Principal, now: Instant) -> Rank {
        let account = self.accounts.get(peer);
        Rank {
            grains: self.used(peer, now).as_nanos() / GRAIN.as_nanos(),
            slow: self.is_slow(peer, now),
            served: account.map_or(Instant::ORIGIN, |account| account.served),
            drawn: self.drawn(peer),
            peer: *peer,
        }
    }

    /// The number of a peer. Mixing is enough: who does not know the order learns little of it, since it
    /// decides only among peers that were never served.
    fn drawn(&self, peer: &Principal) -> u64 {
        peer.0.chunks(8).fold(self.order, |mixed, word| {
            let word = word.iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
            let mixed = (mixed ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            mixed ^ (mixed >> 29)
        })
    }

    /// From what use on a peer loses its place to this one: all of one grain displace the same.
    fn may_displace(&self, peer: &Principal, now: Instant) -> Duration {
        let used = self.used(peer, now);
        let beyond = used.as_nanos() % GRAIN.as_nanos();
        used.saturating_sub(Duration::from_nanos(u64::try_from(beyond).unwrap_or(0))) + QUANTUM
    }

    /// The peer that loses a place to this one now, if any has to; else, where there is no place for it yet, who is
    /// next to lose one to it, with what that peer used.
    fn look(&self, peer: &Principal, now: Instant) -> Result<Loser, Option<(Duration, Principal)>> {
        // With one place only there is none to keep.
        let open = if self.most > 1 { self.most - 1 } else { self.most };
        let others = self.holders().filter(|(_, account)| !account.well).count();
        let kept = !self.is_well(peer) && others >= open;
        if self.taken() < self.most && !kept {
            return Ok(None);
        }
        let losers = self.holders().filter(|(_, account)| !(kept && account.well));
        let next = losers.map(|(loser, account)| (account.used(now), self.rank(loser, now))).max();
        let next = next.map(|(used, rank)| (used, rank.peer));
        match next {
            Some((used, loser)) if used >= self.may_displace(peer, now) => Ok(Some(loser)),
            next => Err(next),
        }
    }

    fn forget_some(&mut self, linked: &BTreeSet<Principal>, now: Instant) {
        if self.accounts.len() > ACCOUNTS_MAX {
            let idle = self.accounts.iter().filter(|(_, account)| account.holds_since.is_none());
            let least = idle.min_by_key(|(peer, account)| {
                let slow = Reverse(account.longest(now));
                (linked.contains(*peer), account.used(now), slow)
            });
            if let Some(peer) = least.map(|(peer, _)| *peer) {
                self.accounts.remove(&peer);
            }
        }
    }
}
