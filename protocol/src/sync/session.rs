use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crux_crdt::Digest;
use crux_crdt::fact::{Arrival, Kind};
use crux_crdt::strew::{Bounds, Strew};

use super::message::{FACTS, HELD_IN_ALL_MAX, ITEMS_MAX, Piece, RANGES_MAX, Request, Wanted};
use super::refused::Refused;
use super::roots::Roots;
use crate::link::LOST_AFTER;
use crate::time::Instant;

/// Fan-out of a range that differs. From the design, page 01.
const FAN_OUT: usize = 16;
/// Ranges with at most this many pairs are listed. From the design, page 01.
const LIST_MAX: usize = 32;
/// How many pairs the long lists of one answer have at most, for who has nothing of a range: some 150 kB.
const LONG_LISTS_MAX: usize = 4 * ITEMS_MAX;
/// A session that needs more requests than this talks to a peer that leads it in circles: 100,000
/// acts in answers of 1,024 need a hundred for the fetch and about 300 for the ranges.
const REQUESTS_MAX: usize = 2_000;

/// How many ranges wait to be compared: 100,000 acts in lists of 32 make some 3,000. What does not
/// fit is found by the next comparison.
const RANGES_WAITING_MAX: usize = 16 * 1024;
/// How long an answer may take: longer than the network waits for one, so that its word about this
/// session never comes when there is another one.
pub(super) const ANSWER_WITHIN: Duration = LOST_AFTER.saturating_add(Duration::from_secs(1));
/// How many facts wait to be fetched; in the same way.
const WANTED_MAX: usize = 128 * 1024;
/// What all sessions without a place may remember together: four times what one may.
pub(super) const PARKED_ITEMS_MAX: usize = 4 * (RANGES_WAITING_MAX + WANTED_MAX);

/// Pulls from one peer what it has and this node lacks.
#[derive(Debug)]
pub(super) struct Session {
    ranges: VecDeque<(Kind, Bounds)>,
    /// The sets that are compared once what is known to be lacking was fetched.
    later: Vec<Kind>,
    /// What is to be fetched: the value that the peer has under each key.
    wanted: BTreeMap<Kind, BTreeMap<Digest, Digest>>,
    /// What the last request fetches.
    asked: BTreeMap<Digest, Digest>,
    /// What the last answer has that was not held: its kind, its key, and the first bytes of its id.
    answered: BTreeSet<(Kind, Digest, [u8; 8])>,
    requests: usize,
    /// What the peer was asked and did not answer yet.
    asking: Option<Asking>,
    /// When it was asked last.
    asked_at: Instant,
}

/// What a session waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asking {
    /// Pieces of this set.
    Pieces(Kind),
    /// Facts of this kind.
    Facts(Kind),
}

impl Asking {
    /// What an encoded answer brings, if its signatures cost something to check.
    pub(super) fn of(body: &[u8]) -> Option<Self> {
        match *body.first_chunk()? {
            [FACTS, kind] => Some(Self::Facts(Kind(kind))),
            _ => None,
        }
    }
}

impl Session {
    /// Starts with the sets whose roots differ. Some are compared last, and in any case: what the others bring
    /// can show or hide facts of theirs.
    pub(super) fn new(mine: &Roots, theirs: &Roots) -> Self {
        let first = mine.differing(theirs).filter(|kind| !kind.is_compared_last());
        let later = Kind::KNOWN.iter().copied().filter(|kind| kind.is_compared_last());
        Self {
            ranges: first.map(|kind| (kind, Bounds::ALL)).collect(),
            later: later.collect(),
            wanted: BTreeMap::new(),
            asked: BTreeMap::new(),
            answered: BTreeSet::new(),
            requests: 0,
            asking: None,
            asked_at: Instant::ORIGIN,
        }
    }

    /// Whether it came to its end: the peer had nothing more to give.
    pub(super) const fn is_well(&self) -> bool {
        self.requests <= REQUESTS_MAX
    }

    /// How much it remembers: some 100 bytes each.
    pub(super) fn items(&self) -> usize {
        self.ranges.len() + self.lacking() + self.asked.len()
    }

    /// How many facts are to be fetched.
    fn lacking(&self) -> usize {
        self.wanted.values().map(BTreeMap::len).sum()
    }

    /// What the peer owes.
    pub(super) const fn asking(&self) -> Option<Asking> {
        self.asking
    }

    /// What the last request fetches: the value that the peer has under each key.
    pub(super) const fn asked(&self) -> &BTreeMap<Digest, Digest> {
        &self.asked
    }

    /// Whether the peer owes an answer.
    pub(super) const fn is_owed(&self) -> bool {
        self.asking.is_some()
    }

    /// Whether the peer has owed an answer for too long: whatever it said meanwhile was none.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        self.overdue_at() <= now
    }

    /// When it is overdue.
    pub(super) fn overdue_at(&self) -> Instant {
        if self.is_owed() { self.asked_at + ANSWER_WITHIN } else { Instant::NEVER }
    }

    /// The peer answered. Whether it answers what it was asked.
    pub(super) fn on_answer(&mut self, what: Asking) -> bool {
        self.asking.take_if(|asking| *asking == what).is_some()
    }

    /// The next thing to ask; `None` when done.
    pub(super) fn next(&mut self, strew: &Strew, now: Instant) -> Option<Request> {
        self.requests += 1;
        if self.requests > REQUESTS_MAX {
            return None;
        }
        let request = self.find_next(strew)?;
        self.asked_at = now;
        self.asking = Some(match &request {
            Request::Ranges { kind, .. } => Asking::Pieces(*kind),
            Request::Facts { kind, .. } => Asking::Facts(*kind),
            _ => return None,
        });
        Some(request)
    }

    fn find_next(&mut self, strew: &Strew) -> Option<Request> {
        // What fills a request is fetched at once: it is not to be found again by the next session.
        let full = self.wanted.iter().find(|(kind, keys)| keys.len() >= kind.fetched_max());
        if let Some((kind, _)) = full {
            return Some(self.ask_facts(*kind, strew));
        }
        if let Some((kind, _)) = self.ranges.front() {
            return Some(self.ask_ranges(*kind, strew));
        }
        if let Some((kind, _)) = self.wanted.iter().find(|(kind, _)| !kind.is_compared_last()) {
            return Some(self.ask_facts(*kind, strew));
        }
        if let Some(kind) = self.later.pop() {
            self.ranges.push_back((kind, Bounds::ALL));
            return Some(self.ask_ranges(kind, strew));
        }
        let (kind, _) = self.wanted.first_key_value()?;
        Some(self.ask_facts(*kind, strew))
    }

    fn ask_facts(&mut self, kind: Kind, strew: &Strew) -> Request {
        let mut asked = self.wanted.remove(&kind).unwrap_or_default();
        let (mut wanted, mut room) = (Vec::new(), HELD_IN_ALL_MAX);
        for key in asked.keys().take(kind.fetched_max()) {
            let held = strew.held(kind, key);
            if held.len() > room && !wanted.is_empty() {
                break;
            }
            room = room.saturating_sub(held.len());
            wanted.push(Wanted { key: *key, held });
        }
        if let Some(rest) = asked.keys().nth(wanted.len()).copied() {
            self.wanted.insert(kind, asked.split_off(&rest));
        }
        self.asked = asked;
        Request::Facts { kind, wanted }
    }

    fn ask_ranges(&mut self, kind: Kind, strew: &Strew) -> Request {
        let mut ranges = Vec::new();
        while ranges.len() < RANGES_MAX
            && self.ranges.front().is_some_and(|(of, _)| *of == kind)
            && let Some((_, bounds)) = self.ranges.pop_front()
        {
            ranges.push((bounds, print_of(strew, kind, bounds)));
        }
        Request::Ranges { kind, ranges }
    }

    /// Takes in what differs. Parts of a range are compared before what waits already, so that lists
    /// come soon and few ranges wait.
    pub(super) fn on_pieces(
        &mut self,
        kind: Kind,
        pieces: Vec<Piece>,
        strew: &Strew,
        refused: &Refused,
    ) {
        let mut parts = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Items(items) => {
                    let items = items.iter().filter(|(_, value)| !refused.contains(value));
                    items.for_each(|(key, value)| self.want(kind, *key, *value, strew));
                }
                Piece::Range(bounds, print) => {
                    if print_of(strew, kind, bounds) != print && bounds.is_proper() {
                        parts.push((kind, bounds));
                    }
                }
            }
        }
        parts.truncate(RANGES_WAITING_MAX.saturating_sub(self.ranges.len()));
        parts.into_iter().rev().for_each(|part| self.ranges.push_front(part));
    }

    fn want(&mut self, kind: Kind, key: Digest, value: Digest, strew: &Strew) {
        if self.lacking() < WANTED_MAX && strew.lacks(kind, &key, &value) {
            self.wanted.entry(kind).or_default().insert(key, value);
        }
    }

    /// Takes in which of the asked facts were answered. The others did not fit, or the peer has them no more:
    /// they are asked for again, as long as each answer brings one that was asked for.
    pub(super) fn on_facts(&mut self, kind: Kind, facts: &[Arrival], strew: &Strew) {
        let (mut rest, mut held) = (self.asked.clone(), BTreeMap::new());
        self.answered.clear();
        for fact in facts {
            let (key, id) = (fact.key(), fact.id());
            rest.remove(&key);
            let held = held.entry(key).or_insert_with(|| strew.held(kind, &key));
            let news = id.0.first_chunk().filter(|head| held.binary_search(head).is_err());
            self.answered.extend(news.map(|head| (kind, key, *head)));
        }
        if !rest.is_empty() && rest.len() < self.asked.len() {
            self.wanted.entry(kind).or_default().append(&mut rest);
        }
    }

    /// Asks once more for what is under a key of which the answer brought a part and something is lacking still:
    /// there may be several facts under it, and the rest did not fit.
    pub(super) fn on_merged(&mut self, strew: &Strew) {
        let mut held = BTreeMap::new();
        for (kind, key, head) in std::mem::take(&mut self.answered) {
            let held = held.entry(key).or_insert_with(|| strew.held(kind, &key));
            if held.binary_search(&head).is_ok()
                && let Some(value) = self.asked.get(&key).copied()
            {
                self.want(kind, key, value, strew);
            }
        }
    }
}

/// Answers which parts of the asked ranges differ.
/// Of a set that this build does not know there is nothing to list.
pub(super) fn compare(strew: &Strew, kind: Kind, ranges: &[(Bounds, Digest)]) -> Vec<Piece> {
    let Some(index) = strew.index(kind) else { return Vec::new() };
    let nothing = crux_crdt::fingerprint::Fingerprint::default().digest();
    let mut pieces = Vec::new();
    let mut room = LONG_LISTS_MAX;
    for (bounds, theirs) in ranges {
        let mine = index.fingerprint_of(*bounds);
        if mine.digest() == *theirs {
            continue;
        }
        // A peer that has nothing of a range gets a long list: that halves the round trips of a join.
        let list_max = if *theirs == nothing { room.clamp(LIST_MAX, ITEMS_MAX) } else { LIST_MAX };
        if mine.count() <= list_max as u64 {
            let mut items: Vec<_> = index.items(*bounds).collect();
            room = room.saturating_sub(items.len());
            if crux_crdt::planted!(SkipLast) {
                items.pop();
            }
            pieces.push(Piece::Items(items));
            continue;
        }
        for part in index.split(*bounds, FAN_OUT) {
            pieces.push(Piece::Range(part, index.fingerprint_of(part).digest()));
        }
    }
    pieces
}

/// The fingerprint of a range of a set here.
fn print_of(strew: &Strew, kind: Kind, bounds: Bounds) -> Digest {
    let print = strew.index(kind).map(|index| index.fingerprint_of(bounds));
    print.unwrap_or_default().digest()
}
