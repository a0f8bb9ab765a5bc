//! What members say in slots that are found by their key.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use crux_crdt::Principal;
use crux_crdt::record::{Slot, SlotKey, SlotKind};

/// The shown slots of every kind whose row says that they are found by their key
/// ([`Shown::ByKey`](crux_crdt::record::Shown::ByKey)), with the member that says each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said(BTreeMap<SlotKey, Vec<(Principal, Arc<Slot>)>>);

impl Said {
    /// Adds a slot of a member. One of a kind that this version does not know has no key, and is left out.
    pub fn add(&mut self, by: Principal, slot: &Arc<Slot>) {
        if let Some(key) = slot.key() {
            self.0.entry(key).or_default().push((by, slot.clone()));
        }
    }

    /// The members that say something under a key, this node included, and what each says; shown dead or not.
    pub fn of<K: SlotKind>(&self, key: &K::Key) -> impl Iterator<Item = (Principal, &K)> {
        let said = self.0.get(&K::slot_key(key.clone())).into_iter().flatten();
        said.filter_map(|(by, slot)| Some((*by, K::of(slot)?)))
    }

    /// The keys of a kind within a range, ascending, under which a member says something.
    pub fn between<K: SlotKind>(
        &self,
        range: RangeInclusive<K::Key>,
    ) -> impl Iterator<Item = K::Key> {
        let (first, last) = range.into_inner();
        let said = self.0.range(K::slot_key(first)..=K::slot_key(last));
        said.filter_map(|(_, said)| Some(K::of(&said.first()?.1)?.key()))
    }
}
