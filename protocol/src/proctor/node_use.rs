//! How far an order to a node is carried out.
//!
//! A drain is done when nothing of the target is on the node: no process may be there, and the plan in force gives it
//! nothing, so that nothing is on its way there either. **Invariant**: a node is drained only if its own statement and
//! the greatest plan both say so; until then what is left is named. A node that is dead said its statement before, so it
//! stays as it was.

use std::collections::BTreeMap;

use crux_crdt::Principal;
use crux_crdt::document::{Document, Documents, NodeOrder, Usage};
use crux_crdt::name::Label;
use crux_crdt::record::{NameTag, Record};

use super::Reach;
use super::planner::Newest;

/// The use that targets make of a node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum NodeUse {
    /// It runs what it is given.
    #[default]
    Open,
    /// It keeps what it has, and gets nothing new.
    Cordoned,
    /// Its instances move elsewhere. How many of each service are left; no 0, at least one entry.
    Draining(BTreeMap<String, u32>),
    /// It was drained, and nothing is left.
    Drained,
}

impl NodeUse {
    /// The use of each node to which a user gave an order, in the flock of these records. Nodes that are not in it are
    /// open. A service whose name no plan has is named by the digits of its tag.
    pub fn all<'a, R: Iterator<Item = &'a Record>>(
        records: impl Fn() -> R,
        documents: &Documents,
        horde: &Label,
        reach: Reach,
    ) -> BTreeMap<Principal, Self> {
        let orders = documents.node_orders();
        if orders.is_empty() {
            return BTreeMap::new();
        }
        let held = documents.target(horde).map(Document::marker);
        let newest = held.and_then(|held| Newest::among(records(), horde, reach, held));
        let said: BTreeMap<Principal, &Record> = records().map(|it| (it.author(), it)).collect();
        let of = |(node, order): (Principal, NodeOrder)| {
            let left = || left(&node, said.get(&node).copied(), newest.as_ref());
            (node, Self::of(order.usage, left))
        };
        orders.into_iter().map(of).collect()
    }

    fn of(usage: Usage, left: impl FnOnce() -> BTreeMap<String, u32>) -> Self {
        match usage {
            Usage::Open => Self::Open,
            Usage::Cordoned => Self::Cordoned,
            Usage::Draining { .. } => match left() {
                left if left.is_empty() => Self::Drained,
                left => Self::Draining(left),
            },
        }
    }
}

/// How many instances of each service are on a node: the greater of what it says and what the plan gives it.
fn left(node: &Principal, said: Option<&Record>, newest: Option<&Newest>) -> BTreeMap<String, u32> {
    let mut running: BTreeMap<NameTag, u32> = BTreeMap::new();
    let lines = said.into_iter().flat_map(Record::instances);
    for (key, count) in lines.filter(|(key, _)| key.stage.is_running()) {
        *running.entry(key.service).or_default() += u32::from(count);
    }
    let (mut names, mut assigned) = (BTreeMap::new(), BTreeMap::<NameTag, u32>::new());
    for (of, entries) in newest.into_iter().flat_map(|it| &it.entries) {
        for (key, amount) in entries {
            let tag = NameTag::of(&key.service);
            names.insert(tag, key.service.as_str());
            if of == node {
                *assigned.entry(tag).or_default() += u32::from(amount.count());
            }
        }
    }
    let mut left = running;
    for (tag, count) in assigned {
        let there = left.entry(tag).or_default();
        *there = (*there).max(count);
    }
    let name =
        |tag: &NameTag| names.get(tag).map_or_else(|| tag.to_string(), |it| (*it).to_owned());
    left.iter().filter(|(_, count)| **count > 0).map(|(tag, count)| (name(tag), *count)).collect()
}
