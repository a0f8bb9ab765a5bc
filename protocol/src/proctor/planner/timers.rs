use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::Principal;
use crux_crdt::document::Usage;
use crux_crdt::name::ServiceName;

use super::{Deaths, Memory, View};
use crate::time::Instant;

/// Everything that a leader remembers from pass to pass, by its own clock. A new leader begins with nothing, so it acts
/// later than the one before, never earlier.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Timers {
    pub(super) deaths: Deaths,
    pub(super) drains: Drains,
    /// Of the services that the target has.
    pub(super) rollouts: BTreeMap<ServiceName, Memory>,
    /// Places that this leader ended, as long as their nodes still run them: they count no more. Those that
    /// another leader ended count, since a node that is back may run them, too.
    pub(super) ended: BTreeSet<(ServiceName, Principal)>,
}

/// Since when each node is drained. At most one entry a node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Drains(BTreeMap<Principal, Drain>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Drain {
    since: Instant,
    deadline: Option<Duration>,
}

impl Timers {
    /// The times of a node that does not lead, and decides nothing: these nodes are dead, each since that time.
    pub fn of_dead(since: BTreeMap<Principal, Instant>) -> Self {
        Self { deaths: Deaths::of(since), ..Self::default() }
    }

    pub(super) fn see(&mut self, view: &View, now: Instant) {
        self.deaths.see(&view.liveness(), now);
        self.drains.see(view, now);
        self.ended.retain(|(_, node)| view.nodes.get(node).is_some_and(|it| it.is_alive));
    }

    /// How many entries there are.
    pub fn footprint(&self) -> usize {
        self.deaths.footprint() + self.drains.0.len() + self.rollouts.len() + self.ended.len()
    }
}

impl Drains {
    fn see(&mut self, view: &View, now: Instant) {
        let order = |node: &Principal| match view.nodes.get(node).map(|it| it.usage) {
            Some(Usage::Draining { deadline }) => Some(deadline),
            _ => None,
        };
        self.0.retain(|node, drain| order(node) == Some(drain.deadline));
        for node in view.nodes.keys() {
            if let Some(deadline) = order(node) {
                self.0.entry(*node).or_insert(Drain { since: now, deadline });
            }
        }
    }

    /// Until when the instances of a node wait for their replacements; none: it is not drained.
    pub(super) fn until(&self, node: &Principal) -> Option<Instant> {
        let drain = self.0.get(node)?;
        Some(drain.deadline.map_or(Instant::NEVER, |deadline| drain.since + deadline))
    }
}
