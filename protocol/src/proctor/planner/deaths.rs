//! Dead nodes, and from when on they are lost.
//!
//! Dead is not lost. The instances of a dead node keep their places for the time that their service says, and then run
//! elsewhere. **Invariants**: a node is lost for a service only after it was dead, without a break, for the service's
//! time by this leader's clock; and never while the leader sees a minority, unless the service says *replace*.
//!
//! Both sides of a partition have a leader. One that sees fewer than half of the nodes replaces nothing, so at most one
//! side does; with exactly half on each, both may.

use core::time::Duration;
use std::collections::BTreeMap;

use crux_crdt::Principal;
use crux_crdt::service::{Moving, OnMinority, ReplaceAfter};

use crate::time::Instant;

/// Since when each dead node is dead, by this leader's clock. At most one entry a node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deaths {
    since: BTreeMap<Principal, Instant>,
    is_minority: bool,
}

impl Deaths {
    /// Each of these nodes is dead since that time, as far as it still is when nodes are seen next.
    pub(super) const fn of(since: BTreeMap<Principal, Instant>) -> Self {
        Self { since, is_minority: false }
    }

    /// These are the nodes of the horde, and whether each is alive.
    pub fn see(&mut self, nodes: &BTreeMap<Principal, bool>, now: Instant) {
        let is_dead = |node: &Principal| nodes.get(node) == Some(&false);
        self.since.retain(|node, _| is_dead(node));
        for (node, _) in nodes.iter().filter(|(_, alive)| !**alive) {
            self.since.entry(*node).or_insert(now);
        }
        self.is_minority = is_minority(nodes.values().filter(|alive| **alive).count(), nodes.len());
    }

    /// Whether this leader sees fewer than half of the nodes.
    pub const fn is_minority(&self) -> bool {
        self.is_minority
    }

    /// Whether the instances of a service on a node are to run elsewhere.
    pub fn is_lost(&self, node: &Principal, moving: &Moving, now: Instant) -> bool {
        self.lost_at(node, moving).is_some_and(|at| at <= now)
    }

    /// When a dead node is lost to a service, if nothing changes; none: never.
    pub fn lost_at(&self, node: &Principal, moving: &Moving) -> Option<Instant> {
        let since = *self.since.get(node)?;
        let holds = self.is_minority && moving.on_minority == OnMinority::Hold;
        if holds && !crux_crdt::planted!(MinorityReplaces) {
            return None;
        }
        match moving.replace_after {
            ReplaceAfter::Time(time) => Some(since + time),
            ReplaceAfter::Never => None,
        }
    }

    /// Whether the instances of a service on a node would run elsewhere, if this leader saw more nodes.
    pub fn is_held(&self, node: &Principal, moving: &Moving, now: Instant) -> bool {
        let replaces = Moving { on_minority: OnMinority::Replace, ..*moving };
        !self.is_lost(node, moving, now) && self.is_lost(node, &replaces, now)
    }

    /// Since when a node is dead; none: it is not.
    pub fn dead_since(&self, node: &Principal) -> Option<Instant> {
        self.since.get(node).copied()
    }

    /// Whether a node is dead for at least so long.
    pub fn is_dead_for(&self, node: &Principal, time: Duration, now: Instant) -> bool {
        self.since.get(node).is_some_and(|since| *since + time <= now)
    }

    /// How many nodes are dead.
    pub fn footprint(&self) -> usize {
        self.since.len()
    }
}

/// Whether so many nodes are fewer than half of all.
pub const fn is_minority(alive: usize, all: usize) -> bool {
    alive < all.div_ceil(2)
}
