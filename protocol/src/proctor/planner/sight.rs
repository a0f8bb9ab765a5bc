//! How a view is made of what members and users say.
//!
//! **Invariants.** Labels that a user signed count over those that a node gives itself. No two nodes have one name: a
//! member that calls itself like another one would else keep the leader from planning.

use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::Principal;
use crux_crdt::document::Documents;
use crux_crdt::record::Record;
use crux_khan::world::Room;

use super::{Node, View};

/// A member of the flock that has not departed.
#[derive(Debug, Clone)]
pub struct Member<'a> {
    /// The name under which it is shown.
    pub name: String,
    /// Whether it is alive.
    pub is_alive: bool,
    /// Its record.
    pub record: &'a Record,
}

impl View {
    /// The view of a flock: every member with its labels, the user's order to it and its statement about what it runs.
    /// No node says what room it has, so there is no limit.
    pub fn of<'a>(members: impl IntoIterator<Item = Member<'a>>, documents: &Documents) -> Self {
        let (signed, orders) = (documents.labels(), documents.node_orders());
        let mut names = BTreeSet::new();
        let members: BTreeMap<_, _> =
            members.into_iter().map(|member| (member.record.author(), member)).collect();
        let node = |(principal, member): (Principal, Member<'a>)| {
            let is_first = names.insert(member.name.clone());
            let mut labels = member.record.profile().labels.clone();
            labels.extend(signed.get(&principal).cloned().unwrap_or_default());
            let node = Node {
                name: if is_first { member.name } else { principal.to_string() },
                labels,
                is_alive: member.is_alive,
                usage: orders.get(&principal).map(|order| order.usage).unwrap_or_default(),
                room: Room::default(),
                runs: member.record.of().next().cloned(),
            };
            (principal, node)
        };
        Self { nodes: members.into_iter().map(node).collect() }
    }
}
