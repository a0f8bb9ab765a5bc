//! The report of what the target placed here: every instance, and every place that is to have one.
//!
//! **Invariants**
//!
//! * Whatever the target placed and of which something is left is in the list: also of a service that no set names any
//!   more, and of one that an earlier picket started. So a node that is drained is empty when its list is.
//! * A version that did not prove itself is *failed* in the list, also while the content before it runs again.
//! * The list is the whole one each time, and goes out when it differs from the last one, and to each fulcrum that
//!   attaches.
//!
//! | stage | of |
//! |---|---|
//! | starting | a place that waits, or whose instance is not up |
//! | ready | an instance that is up, also while a check fails or it is paused |
//! | done | a place whose program ended well and is not started again |
//! | failed | a place in a crash loop, while nothing runs in it; each place of a version that was taken back |
//! | stopping | an instance on its way out, until nothing of it is left |
//! | blocked | a goal that waits because something of a person's is in its way |

use std::collections::BTreeMap;

use crux_crdt::name::ServiceName;
use crux_crdt::record::{First, Stage};
use crux_crdt::service::SpecTag;

use super::accepted::Accepted;
use super::batches::Batches;
use super::command::Command;
use super::life::Life;
use super::order::Order;
use super::owner::Owner;
use super::record::Placed;
use super::service::Service;
use super::slot::Rest;

/// Everything that the target placed on this node, and on which word.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Owned {
    /// The order of the set that the node accepted last; none: there never was one.
    pub order: Option<Order>,
    /// Ascending, each with another key: all but the count.
    pub rows: Vec<OwnedRow>,
}

/// Some instances of one version of a service that are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedRow {
    /// Of which service.
    pub service: ServiceName,
    /// Of which version.
    pub spec: SpecTag,
    /// How they are.
    pub stage: Stage,
    /// The pass that assigned them first.
    pub first: First,
    /// How many.
    pub count: u16,
}

/// The rows of a list on its way.
#[derive(Debug, Default)]
struct Rows(BTreeMap<(ServiceName, SpecTag, Stage, First), u16>);

impl Rows {
    fn add(&mut self, service: &ServiceName, placed: Placed, stage: Stage, count: u16) {
        let rows = self.0.entry((service.clone(), placed.spec, stage, placed.first));
        let rows = rows.or_default();
        *rows = rows.saturating_add(count);
    }

    /// All instances that a goal has, in one row: none of them is there.
    fn add_all(&mut self, service: &ServiceName, spec: SpecTag, stage: Stage, batches: &Batches) {
        if let Some(first) = batches.first() {
            self.add(service, Placed { spec, first }, stage, batches.count());
        }
    }
}

/// The last list that was told to this fulcrum.
#[derive(Debug, Default)]
pub(super) struct Report(Option<Owned>);

impl Report {
    /// A fulcrum is there, which knows nothing, or there is none.
    pub(super) fn attach(&mut self) {
        self.0 = None;
    }

    /// Tells what has changed.
    pub(super) fn tell<'a>(
        &mut self,
        services: impl Iterator<Item = (&'a ServiceName, &'a Service)>,
        accepted: &Accepted,
        out: &mut Vec<Command>,
    ) {
        let mut rows = Rows::default();
        for (name, service) in services {
            service.report(name, accepted, &mut rows);
        }
        for (name, goal) in &accepted.blocked {
            rows.add_all(name, goal.spec(), Stage::Blocked, goal.batches());
        }
        let row = |((service, spec, stage, first), count)| OwnedRow {
            service,
            spec,
            stage,
            first,
            count,
        };
        let owned = Owned { order: accepted.order, rows: rows.0.into_iter().map(row).collect() };
        if self.0.as_ref() != Some(&owned) {
            self.0 = Some(owned.clone());
            out.push(Command::Owned(owned));
        }
    }

    /// How much is kept.
    pub(super) fn footprint(&self) -> usize {
        self.0.as_ref().map_or(0, |owned| owned.rows.len())
    }
}

impl Service {
    fn report(&self, name: &ServiceName, accepted: &Accepted, rows: &mut Rows) {
        let is_told = |life: &&Life| !life.is_leaving() || !crux_crdt::planted!(StoppingUnreported);
        for life in self.lives.iter().filter(is_told) {
            if let Some(placed) = self.placed(life) {
                rows.add(name, placed, life.stage(), 1);
            }
        }
        let Some(wanted) = &self.wanted else { return };
        let Owner::Target { spec, batches } = &wanted.owner else { return };
        for ordinal in 0..wanted.current.config.count {
            let placed = wanted.owner.placed(wanted.current.spec, ordinal);
            if let Some(placed) = placed.filter(|_| self.at(ordinal).all(Life::is_leaving)) {
                rows.add(name, placed, self.stage_of(ordinal), 1);
            }
        }
        // The goal is not what is to run, and does not wait either: it was taken back.
        let is_current = wanted.current.spec == Some(*spec);
        if !is_current && !accepted.blocked.contains_key(name) {
            rows.add_all(name, *spec, Stage::Failed, batches);
        }
    }

    /// The assignment of an instance; none: a person's.
    fn placed(&self, life: &Life) -> Option<Placed> {
        let noted = life.record.placed?;
        let spec = life.version.as_ref().and_then(|version| version.spec).unwrap_or(noted.spec);
        let owner = self.wanted.as_ref().map(|wanted| &wanted.owner).filter(|_| !life.is_leaving());
        let now = owner.and_then(|owner| owner.placed(Some(spec), life.record.ordinal));
        Some(now.unwrap_or(Placed { spec, first: noted.first }))
    }

    /// The stage of a place that no instance fills.
    fn stage_of(&self, ordinal: u16) -> Stage {
        let ends_well = |life: &Life| {
            let number = self.wanted.as_ref().map(|wanted| wanted.current.number);
            life.is_done() && Some(life.record.version) == number
        };
        let slot = self.slots.get(&ordinal);
        match slot.map(|slot| slot.rest) {
            _ if self.at(ordinal).any(ends_well) => Stage::Done,
            Some(Rest::Done) => Stage::Done,
            Some(Rest::Failed(_)) => Stage::Failed,
            _ if slot.is_some_and(|slot| slot.tries.is_looping()) => Stage::Failed,
            _ => Stage::Starting,
        }
    }
}

impl Life {
    fn stage(&self) -> Stage {
        if self.is_leaving() {
            Stage::Stopping
        } else if self.is_up() {
            Stage::Ready
        } else {
            Stage::Starting
        }
    }
}
