//! One service in one pass: how many instances each node is to have, in which version, and which of them may start.
//!
//! ```text
//!   solution ─▶ counts ─▶ + what stays on drained nodes ─▶ versions ─▶ entries
//! ```
//!
//! **Invariants**
//!
//! 1. A service without a solution stays as it is.
//! 2. Of instances that stay, those that were assigned first stay. New ones have the number of this pass.
//! 3. An instance that may start, may from then on; a new one may if the conditions of the service hold now.
//! 4. A node that is lost keeps its entries, so that it stops nothing when it is back: then what it runs is counted
//!    first. Of a version that failed it keeps nothing.

use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::Principal;
use crux_crdt::name::ServiceName;
use crux_crdt::record::{Amount, First, PlanEntries, PlanKey};
use crux_crdt::service::{COUNT_MAX, SpecTag};
use crux_khan::pass::Gate;
use crux_khan::solve::Placement;

use super::horde::Horde;
use super::there::{Batch, There};
use super::{Leaving, Place, Places, Rollout, Timers, Turn, Version, stays};

/// A service in one pass.
pub(super) struct Service<'a> {
    pub(super) name: &'a ServiceName,
    pub(super) version: &'a Version,
    pub(super) placement: &'a Placement,
    /// Whether what comes may start.
    pub(super) gate: Gate,
    /// How many instances each node is to have; no 0. Nodes that are lost are not in it.
    pub(super) counts: BTreeMap<Principal, u32>,
    /// How many instances each drained node keeps until they are replaced.
    pub(super) staying: BTreeMap<Principal, u32>,
    /// How many are wanted on nodes beyond what a node may have.
    pub(super) beyond: u32,
}

impl<'a> Service<'a> {
    /// Counts the instances of a service on each node. `nodes` are those of the placement, in its order.
    pub(super) fn new(
        horde: &Horde<'_>,
        timers: &Timers,
        (name, version): (&'a ServiceName, &'a Version),
        (placement, gate): (&'a Placement, Gate),
        nodes: &[Principal],
    ) -> Self {
        let most = u32::from(version.config.most_on_node());
        let (mut counts, mut beyond) = (BTreeMap::new(), 0);
        for (node, count) in nodes.iter().zip(&placement.wanted).filter(|(_, count)| **count > 0) {
            counts.insert(*node, (*count).min(most));
            beyond += count.saturating_sub(most);
        }
        let mut service =
            Self { name, version, placement, gate, counts, staying: BTreeMap::new(), beyond };
        service.plant(horde);
        service.drain(horde, timers);
        service
    }

    /// The mistakes that the simulator must catch.
    fn plant(&mut self, horde: &Horde<'_>) {
        if crux_crdt::planted!(GatesStops) && !self.gate.open {
            for (node, there) in horde.of(self.name).filter(|(_, there)| there.count() > 0) {
                let count = self.counts.entry(*node).or_default();
                *count = (*count).max(there.count());
            }
        }
        if crux_crdt::planted!(UnsolvedStops) && self.placement.rules.is_none() {
            self.counts.clear();
        }
    }

    /// Instances on drained nodes end when their replacements are ready. Those of dead nodes keep their places until
    /// they are lost: they serve nobody, so no live one ends for them.
    fn drain(&mut self, horde: &Horde<'_>, timers: &Timers) {
        let is_draining = |node: &Principal| timers.drains.until(node).is_some();
        self.counts.retain(|node, _| !is_draining(node));
        let counts = &self.counts;
        let serves = |(node, there): (&Principal, &There)| {
            let count = counts.get(node).copied().filter(|_| horde.is_alive(node));
            there.ready().min(count.unwrap_or_default())
        };
        let ready = horde.of(self.name).map(serves).sum();
        let leaving = |(node, there): (&Principal, &There)| {
            let until = timers.drains.until(node)?;
            let is_over = until <= horde.now;
            Some((*node, Leaving { count: there.count(), is_over }))
        };
        let kept =
            horde.of(self.name).filter(|(node, _)| !horde.is_lost(node, self.version, timers));
        let count = self.placement.count.filter(|_| self.placement.rules.is_some());
        let (live, dead): (BTreeMap<_, _>, BTreeMap<_, _>) =
            kept.filter_map(leaving).partition(|(node, _)| horde.is_alive(node));
        self.staying = stays(count, ready, &live);
        self.staying.extend(stays(None, 0, &dead));
        self.counts.extend(self.staying.iter().map(|(node, count)| (*node, *count)));
    }

    /// Decides the version of each place.
    pub(super) fn turn(&self, horde: &Horde<'_>, timers: &mut Timers) -> Turn {
        let config = &self.version.config;
        let newest = horde.newest.filter(|it| it.target == horde.program.marker);
        let rollout = Rollout {
            wanted: self.version.spec,
            failed: newest.and_then(|it| it.failed.get(&self.version.spec)).copied(),
            before: horde.program.before.get(self.name).copied(),
            lost: self.lost_version(horde, timers),
            step: config.rollout.step,
            deadline: config.rollout.deadline,
        };
        let memory = timers.rollouts.entry(self.name.clone()).or_default();
        rollout.turn(&self.places(horde), memory, horde.now)
    }

    /// The version of places that are lost, if none of them has the wanted one.
    fn lost_version(&self, horde: &Horde<'_>, timers: &Timers) -> Option<SpecTag> {
        let lost =
            horde.of(self.name).filter(|(node, _)| horde.is_lost(node, self.version, timers));
        let specs: BTreeSet<SpecTag> = lost.filter_map(|(_, there)| there.spec).collect();
        specs.last().copied().filter(|_| !specs.contains(&self.version.spec))
    }

    fn places(&self, horde: &Horde<'_>) -> Places {
        let there = &horde.there.get(self.name);
        let place = |node: &Principal| {
            let is_alive = horde.is_alive(node);
            let Some(there) = there.and_then(|there| there.get(node)) else {
                let is_released = self.gate.open;
                return Place { spec: None, is_alive, is_ready: false, is_released, failed: None };
            };
            let planned = if there.assigned > 0 { there.assigned } else { there.count() };
            let planned = planned.clamp(1, u32::from(COUNT_MAX));
            Place {
                spec: there.spec,
                // What a person put in its place says nothing about a version.
                is_alive: is_alive && !there.is_blocked,
                is_ready: is_alive && there.ready_with_spec >= planned,
                is_released: there.is_released(),
                failed: there.failed.filter(|_| is_alive),
            }
        };
        self.counts.keys().map(|node| (*node, place(node))).collect()
    }

    /// Assigns all instances.
    pub(super) fn assign(
        &self,
        horde: &Horde<'_>,
        timers: &Timers,
        turn: &Turn,
        (first, entries): (First, &mut PlanEntries),
    ) {
        for (node, count) in &self.counts {
            let there = horde.there.get(self.name).and_then(|there| there.get(node));
            let had = there.map(|there| there.batches.clone()).unwrap_or_default();
            let spec = turn.specs.get(node).copied().unwrap_or(self.version.spec);
            self.put(node, spec, batches(had, *count, first, self.gate.open), entries);
        }
        let lost = |node: &Principal| horde.is_lost(node, self.version, timers);
        let is_drained = |node: &Principal| timers.drains.until(node).is_some();
        let lost = horde.of(self.name).filter(|(node, _)| lost(node) && !is_drained(node));
        for (node, there) in lost {
            let is_good = |spec: &SpecTag| turn.failed.is_none() || *spec != self.version.spec;
            if let Some(spec) = there.spec.filter(is_good) {
                self.put(node, spec, there.batches.clone(), entries);
            }
        }
    }

    /// Remembers the places that end on live nodes, until they say that it ended.
    pub(super) fn end(&self, horde: &Horde<'_>, timers: &mut Timers) {
        for node in horde.view.nodes.keys() {
            let there = horde.there.get(self.name).and_then(|there| there.get(node));
            let wanted = self.counts.get(node).copied().unwrap_or_default();
            let key = (self.name.clone(), *node);
            if horde.is_alive(node) && there.is_some_and(|it| it.count().max(it.running()) > wanted)
            {
                timers.ended.insert(key);
            } else {
                timers.ended.remove(&key);
            }
        }
    }

    fn put(
        &self,
        node: &Principal,
        spec: SpecTag,
        batches: BTreeMap<First, Batch>,
        entries: &mut PlanEntries,
    ) {
        for (first, batch) in batches {
            let key = PlanKey { service: self.name.clone(), spec, first };
            let amount = |count: u32| u16::try_from(count).unwrap_or(COUNT_MAX);
            if let Some(amount) = Amount::new(amount(batch.count), amount(batch.released)) {
                entries.entry(*node).or_default().insert(key, amount);
            }
        }
    }

    /// Whether something of it does not start yet.
    pub(super) fn is_held(&self, horde: &Horde<'_>) -> bool {
        let there = horde.there.get(self.name);
        let waits = |(node, count): (&Principal, &u32)| {
            let released = |there: &There| there.batches.values().map(|it| it.released).sum();
            there.and_then(|there| there.get(node)).map_or(0, released) < *count
        };
        !self.gate.open && self.counts.iter().any(waits)
    }
}

/// So many instances of those that were there, and new ones.
fn batches(
    had: BTreeMap<First, Batch>,
    count: u32,
    first: First,
    is_open: bool,
) -> BTreeMap<First, Batch> {
    let mut left = count;
    let mut batches = BTreeMap::new();
    for (first, batch) in had {
        let stay = batch.count.min(left);
        left -= stay;
        if stay > 0 {
            let released = if is_open { stay } else { batch.released.min(stay) };
            batches.insert(first, Batch { count: stay, released });
        }
    }
    if left > 0 {
        let batch: &mut Batch = batches.entry(first).or_default();
        batch.count += left;
        batch.released += if is_open { left } else { 0 };
    }
    batches
}
