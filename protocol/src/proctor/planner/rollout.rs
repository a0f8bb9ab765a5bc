//! How a new version of a service gets on its nodes: step by step, in place, and back if it fails.
//!
//! ```text
//!   places: a a a a a a a a       step 2
//!        ─▶ b b a a a a a a       both ready
//!        ─▶ b b b b a a a a       not ready by the deadline, a crash loop, or wedged: b failed
//!        ─▶ b b a a a a a a  ─▶ a a a a a a a a
//! ```
//!
//! The nodes stay the same, so what spreads over zones stays spread. A step is a function of what runs: a new leader
//! continues where the one before ended.
//!
//! **Invariants**
//!
//! 1. At most a step of nodes has the new version without being ready with it, dead nodes and new places included, as
//!    long as some node has another version. So a version that never gets ready is on no more nodes than its step.
//! 2. The next step begins when every live node that has the version is ready with it.
//! 3. A version that failed gets on no further node, and all of its nodes go back: where it does not serve at once, where
//!    it serves by step, so that what serves ends only while few others are not ready.
//! 4. Of a version that has nothing before it, all places begin at once; and none goes back.
//!
//! A dead node proves nothing: it neither fails a version nor is it ready.

use core::time::Duration;
use std::collections::BTreeMap;

use crux_crdt::Principal;
use crux_crdt::record::Failure;
use crux_crdt::service::{SpecTag, Step};

use crate::time::Instant;

/// A place of a service: a node that runs instances of it, or is to run some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The version that the last plan has there; none: a new place.
    pub spec: Option<SpecTag>,
    /// Whether the node is alive.
    pub is_alive: bool,
    /// Whether every instance that the last plan has there is ready with that version, or done.
    pub is_ready: bool,
    /// Whether instances there may start: no condition holds all of them back.
    pub is_released: bool,
    /// The version of the last plan failed there.
    pub failed: Option<Failure>,
}

/// The places of a service, in the order in which they get the new version. A place that is lost is none.
pub type Places = BTreeMap<Principal, Place>;

/// A leader's memory of a service; a new leader begins with nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Memory {
    /// The version that it is about.
    wanted: Option<SpecTag>,
    /// Since when each place waits to be ready with it, by this leader's clock.
    since: BTreeMap<Principal, Instant>,
    /// The version to go back to, until every live place was ready with the wanted one.
    before: Option<SpecTag>,
}

/// A service of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rollout {
    /// The version that the target wants.
    pub wanted: SpecTag,
    /// Why it failed before, if it did: as the greatest plan says.
    pub failed: Option<Failure>,
    /// The version of the generation before: to go back to where no place has another one, and none is ready.
    pub before: Option<SpecTag>,
    /// The version of lost places, if none of them has the wanted one: where all places are new, they begin with it.
    pub lost: Option<SpecTag>,
    /// On how many nodes the version changes at a time.
    pub step: Step,
    /// How long a place may take to be ready.
    pub deadline: Duration,
}

/// The versions of a service from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// The version of each place.
    pub specs: BTreeMap<Principal, SpecTag>,
    /// Why the wanted version failed, before or now.
    pub failed: Option<Failure>,
    /// When the next place is late, if nothing changes.
    pub deadline: Instant,
}

impl Rollout {
    /// Decides.
    pub fn turn(&self, places: &Places, memory: &mut Memory, now: Instant) -> Turn {
        if memory.wanted != Some(self.wanted) {
            *memory = Memory { wanted: Some(self.wanted), ..Memory::default() };
        }
        self.note(places, memory, now);
        let before = memory.before;
        // Once every place was ready with a version, one that fails somewhere is the matter of that node.
        let is_open = before.is_some() || !self.wanted_in(places).any(|place| place.is_ready);
        let failure = || self.failure(places, memory, now).filter(|_| is_open);
        let failed = self.failed.or_else(failure);
        let specs = match (before, failed) {
            (None, _) => places.keys().map(|node| (*node, self.wanted)).collect(),
            (Some(before), None) => self.forward(places, before),
            (Some(before), Some(_)) => self.back(places, before),
        };
        let late = memory.since.values().map(|since| *since + self.deadline).min();
        let late = late.filter(|_| is_open && failed.is_none());
        Turn { specs, failed, deadline: late.unwrap_or(Instant::NEVER) }
    }

    /// The places that have the wanted version.
    fn wanted_in<'a>(&self, places: &'a Places) -> impl Iterator<Item = &'a Place> + use<'a> {
        let wanted = self.wanted;
        places.values().filter(move |place| place.spec == Some(wanted))
    }

    fn note(&self, places: &Places, memory: &mut Memory, now: Instant) {
        // A dead place begins again when it is back.
        let waits = |place: &Place| {
            let is_due = place.is_alive && place.is_released && !place.is_ready;
            place.spec == Some(self.wanted) && is_due
        };
        memory.since.retain(|node, _| places.get(node).is_some_and(waits));
        for (node, _) in places.iter().filter(|(_, place)| waits(place)) {
            memory.since.entry(*node).or_insert(now);
        }
        memory.before = self.version_before(places, memory.before);
    }

    /// The version to go back to: of the others that are there, the one with which most places are ready. Where all
    /// have the wanted one, the version before that, until all live ones were ready.
    fn version_before(&self, places: &Places, last: Option<SpecTag>) -> Option<SpecTag> {
        let mut others: BTreeMap<SpecTag, (usize, usize)> = BTreeMap::new();
        for place in places.values() {
            if let Some(spec) = place.spec.filter(|spec| *spec != self.wanted) {
                let (ready, all) = others.entry(spec).or_default();
                *ready += usize::from(place.is_ready);
                *all += 1;
            }
        }
        if let Some((spec, _)) = others.iter().max_by_key(|(spec, counts)| (**counts, **spec)) {
            return Some(*spec);
        }
        if self.wanted_in(places).next().is_none() {
            return last.or(self.lost.filter(|spec| *spec != self.wanted));
        }
        let mut live = self.wanted_in(places).filter(|place| place.is_alive);
        if self.failed.is_none() && live.all(|place| place.is_ready) {
            return None;
        }
        // A new leader: nothing is proven.
        let is_proven = self.wanted_in(places).any(|place| place.is_ready);
        last.or(self.before.filter(|spec| *spec != self.wanted && !is_proven))
    }

    /// Why the wanted version fails now.
    fn failure(&self, places: &Places, memory: &Memory, now: Instant) -> Option<Failure> {
        let mut live = self.wanted_in(places).filter(|place| place.is_alive);
        let is_late = memory.since.values().any(|since| *since + self.deadline <= now);
        live.find_map(|place| place.failed).or(is_late.then_some(Failure::Deadline))
    }

    /// A step to the wanted version, if the last one is over.
    fn forward(&self, places: &Places, before: SpecTag) -> BTreeMap<Principal, SpecTag> {
        let waiting = || self.wanted_in(places).filter(|place| !place.is_ready);
        let is_over = !waiting().any(|place| place.is_alive);
        let step = if is_over { self.step.of(places.len()) } else { 0 };
        let mut left = step.saturating_sub(waiting().count());
        let spec = |(node, place): (&Principal, &Place)| {
            let is_done = place.spec == Some(self.wanted);
            let turns = !is_done && left > 0 && place.is_alive;
            left -= usize::from(turns);
            let stays = place.spec.unwrap_or(before);
            (*node, if turns || is_done { self.wanted } else { stays })
        };
        places.iter().map(spec).collect()
    }

    /// A step back: first of all where the wanted version does not serve. Where it does, only so many places at a time
    /// are not ready.
    fn back(&self, places: &Places, before: SpecTag) -> BTreeMap<Principal, SpecTag> {
        let waiting = places.values().filter(|it| it.spec == Some(before) && !it.is_ready);
        let waiting = waiting.filter(|it| it.is_alive && it.is_released).count();
        let mut left = self.step.of(places.len()).saturating_sub(waiting);
        let spec = |(node, place): (&Principal, &Place)| {
            let has_failed = place.spec == Some(self.wanted);
            let serves = has_failed && place.is_ready;
            let stays = serves && left == 0;
            left -= usize::from(serves && !stays);
            let other = place.spec.filter(|_| !has_failed || stays);
            (*node, other.unwrap_or(before))
        };
        places.iter().map(spec).collect()
    }
}
