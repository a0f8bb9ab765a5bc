use std::collections::BTreeMap;

use crux_crdt::document::Usage;
use crux_crdt::record::{First, InstanceKey, InstanceReport, NameTag, Stage};
use crux_crdt::service::SpecTag;
use crux_crdt::{Digest, Principal};
use crux_khan::world::Room;

use super::fingerprint::fingerprint;

/// Everything that a leader sees of its horde: a value, so that equal views give equal plans.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct View {
    /// The nodes of the horde that are not retired.
    pub nodes: BTreeMap<Principal, Node>,
}

/// A node as the leader sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node {
    /// The name under which it is shown; no other node of the view has it. Ties go by it.
    pub name: String,
    /// Its labels, with which programs choose nodes.
    pub labels: BTreeMap<String, String>,
    /// Whether it is alive.
    pub is_alive: bool,
    /// The use that targets make of it: a user's order.
    pub usage: Usage,
    /// The room that it has in all, for what targets run there.
    pub room: Room,
    /// Its statement about what it runs for targets; none: it runs nothing.
    pub runs: Option<InstanceReport>,
}

/// Some instances of a service on a node, as the node reports them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) spec: SpecTag,
    pub(super) stage: Stage,
    pub(super) first: First,
    pub(super) count: u16,
}

impl View {
    /// The hash of everything in it.
    pub fn hash(&self) -> Digest {
        fingerprint(self)
    }

    /// A view in which ties go by something that is another one for each leader: for the simulator, see `planted`.
    pub(super) fn as_met_by(&self, leader: &Principal) -> Self {
        let names: Vec<_> = self.nodes.values().map(|node| node.name.clone()).collect();
        let turn = usize::from(leader.0[0]) % names.len().max(1);
        let names = names.iter().cycle().skip(turn);
        let node = |((principal, node), name): ((&Principal, &Node), &String)| {
            (*principal, Node { name: name.clone(), ..node.clone() })
        };
        Self { nodes: self.nodes.iter().zip(names).map(node).collect() }
    }

    /// How many nodes are alive.
    pub fn alive(&self) -> usize {
        self.nodes.values().filter(|node| node.is_alive).count()
    }

    /// Whether each node is alive.
    pub(super) fn liveness(&self) -> BTreeMap<Principal, bool> {
        self.nodes.iter().map(|(node, it)| (*node, it.is_alive)).collect()
    }
}

impl Node {
    /// Its statement about its instances, each with the tag of its service.
    pub(super) fn lines(&self) -> impl Iterator<Item = (NameTag, Line)> {
        let line = |(key, count): (InstanceKey, u16)| {
            let InstanceKey { service, spec, stage, first } = key;
            (service, Line { spec, stage, first, count })
        };
        self.runs.iter().flat_map(InstanceReport::lines).map(line)
    }

    /// How many processes may be there that a target placed.
    pub fn running(&self) -> u32 {
        let lines = self.runs.iter().flat_map(InstanceReport::lines);
        lines.filter(|(key, _)| key.stage.is_running()).map(|(_, count)| u32::from(count)).sum()
    }

    /// Whether it is being drained.
    pub const fn is_draining(&self) -> bool {
        matches!(self.usage, Usage::Draining { .. })
    }
}
