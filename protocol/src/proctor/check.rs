//! `CheckGoals`: what has to change so that what runs on a node is what its goals say.
//!
//! ```text
//!   running ─┐
//!            ├─▶ check_goals ─▶ add, deprecate, delete, periods
//!   goals ───┘
//! ```
//!
//! A version that a goal replaces is *deprecated* until the new one is ready, and only then deleted; so there is always
//! one that serves. **Invariant**: for each service that has a goal other than *keep*,
//! running + add − deprecate − delete is the number that the goal says; for one without a goal it is 0. Where it is so
//! already, the answer is empty.
//!
//! Instances that are stopping count for nothing: their end is on its way. Those in a crash loop count as running,
//! because the picket tries them again by itself.

use core::cmp::Ordering;
use core::time::Duration;
use std::collections::BTreeMap;

use crux_crdt::name::ServiceName;
use crux_crdt::record::Stage;
use crux_crdt::service::SpecTag;

use super::goals::{Goal, Goals, Order, OwnedRow};

/// Numbers of instances, by service and version; none is 0.
pub type Counts = BTreeMap<(ServiceName, SpecTag), u32>;

/// The difference between what runs and the goals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The place of the goals: from which target, and which pass planned them.
    pub order: Order,
    /// Instances to start.
    pub add: Counts,
    /// Instances that new look-ups no longer find, and that end when their successor is ready.
    pub deprecate: Counts,
    /// Instances to end.
    pub delete: Counts,
    /// How often each service says that it is alive, where the goals have its config.
    pub periods: BTreeMap<ServiceName, Duration>,
}

/// How many instances of a version there are.
#[derive(Debug, Clone, Copy, Default)]
struct There {
    /// All but those that are stopping.
    all: u32,
    /// Those that are ready, or done.
    ready: u32,
}

/// Compares what a target placed on a node with the goals of the node.
pub fn check_goals(running: &[OwnedRow], goals: &Goals) -> Check {
    let there = there(running);
    let of_goals = goals.services().iter();
    let periods = of_goals.filter_map(|(name, goal)| Some((name.clone(), period(goal)?)));
    let (add, deprecate, delete) = <(Counts, Counts, Counts)>::default();
    let mut check =
        Check { order: goals.order(), add, deprecate, delete, periods: periods.collect() };
    for (name, goal) in goals.services() {
        if let Some((spec, count)) = wanted(goal) {
            check.toward(&there, name, spec, count);
        }
    }
    let unnamed = there.iter().filter(|((name, _), _)| !goals.services().contains_key(name));
    check.delete.extend(unnamed.map(|(key, there)| (key.clone(), there.all)));
    check
}

impl Check {
    /// What changes of a service of which the goal is so many of a version.
    fn toward(
        &mut self,
        there: &BTreeMap<(ServiceName, SpecTag), There>,
        name: &ServiceName,
        spec: SpecTag,
        count: u32,
    ) {
        let key = (name.clone(), spec);
        let now = there.get(&key).copied().unwrap_or_default();
        match now.all.cmp(&count) {
            Ordering::Less => _ = self.add.insert(key, count - now.all),
            Ordering::Greater => _ = self.delete.insert(key, now.all - count),
            Ordering::Equal => {}
        }
        let others = if now.ready >= count { &mut self.delete } else { &mut self.deprecate };
        let replaced = there.iter().filter(|((of, version), _)| of == name && *version != spec);
        others.extend(replaced.map(|(key, there)| (key.clone(), there.all)));
    }
}

/// The instances of each version that are there.
fn there(running: &[OwnedRow]) -> BTreeMap<(ServiceName, SpecTag), There> {
    let mut all: BTreeMap<_, There> = BTreeMap::new();
    let counts = |row: &&OwnedRow| !matches!(row.stage, Stage::Stopping | Stage::Blocked);
    for row in running.iter().filter(counts).filter(|row| row.count > 0) {
        let there = all.entry((row.service.clone(), row.spec)).or_default();
        there.all += u32::from(row.count);
        if matches!(row.stage, Stage::Ready | Stage::Done) {
            there.ready += u32::from(row.count);
        }
    }
    all
}

/// The version that a goal names, and how many of it; none: whatever is there.
fn wanted(goal: &Goal) -> Option<(SpecTag, u32)> {
    match goal {
        Goal::Run(assigned) => Some((assigned.spec(), assigned.batches().count().into())),
        Goal::Had { spec, batches } => Some((*spec, batches.count().into())),
        Goal::Keep => None,
    }
}

fn period(goal: &Goal) -> Option<Duration> {
    match goal {
        Goal::Run(assigned) => Some(assigned.config().period),
        Goal::Had { .. } | Goal::Keep => None,
    }
}
