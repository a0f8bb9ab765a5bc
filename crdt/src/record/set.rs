use std::collections::BTreeMap;

use super::{Owner, Record, Row, Slot, SlotKey, SlotKind};

/// A kind of slots has no room for another one. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this node has {most} {name}, which is the limit")]
pub struct KindFull {
    /// What slots of this kind are called.
    pub name: &'static str,
    /// How many an author may have.
    pub most: usize,
}

impl KindFull {
    /// That the kind of this row is full.
    pub const fn of(row: &'static Row) -> Self {
        Self { name: row.name, most: row.most }
    }
}

/// All slots of one kind that a part of the node states at once ([`Owner::Part`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotSet {
    row: &'static Row,
    slots: BTreeMap<SlotKey, Slot>,
}

impl SlotSet {
    /// A set of these values. Of two with one key the later one counts.
    ///
    /// Only kinds that a part of the node owns have sets; for others it does not compile.
    ///
    /// # Errors
    /// [`KindFull`]: there are more than the kind's row allows. No value is left out in silence.
    pub fn new<K: SlotKind>(values: impl IntoIterator<Item = K>) -> Result<Self, KindFull> {
        const { assert!(matches!(K::ROW.owner, Owner::Part), "callers own this kind") };
        let slots = values.into_iter().map(|value| (K::slot_key(value.key()), value.into_slot()));
        let slots: BTreeMap<_, _> = slots.collect();
        if slots.len() > K::ROW.most {
            Err(KindFull::of(K::ROW))
        } else {
            Ok(Self { row: K::ROW, slots })
        }
    }

    /// The sets of a record, one for each kind that a part of the node owns and of which it has slots. What
    /// callers own is not in them, nor what this version does not know.
    pub fn all_of(record: &Record) -> Vec<Self> {
        let mut sets: BTreeMap<u8, Self> = BTreeMap::new();
        for slot in record.slots().values() {
            let (Some(row), Some(key)) = (slot.row(), slot.key()) else { continue };
            if row.owner == Owner::Part {
                let set = sets.entry(row.number);
                let set = set.or_insert_with(|| Self { row, slots: BTreeMap::new() });
                set.slots.insert(key, Slot::clone(slot));
            }
        }
        sets.into_values().collect()
    }

    /// The row of its kind.
    pub const fn row(&self) -> &'static Row {
        self.row
    }

    /// The slots in it, by key; at most as many as the row allows.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.values()
    }
}
