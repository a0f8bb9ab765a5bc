//! What a row of the table of slot kinds says.

use core::fmt::Debug;

use super::Slot;
use super::SlotKey;
use crate::canon::Canonical;

/// One row of the table of slot kinds, [`super::ROWS`].
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// The kind on the wire: the first byte of an encoded slot. Never 0, and never given to another kind.
    pub number: u8,
    /// What slots of this kind are called, in the plural.
    pub name: &'static str,
    /// How many of them one author may have.
    pub most: usize,
    /// The party that decides which there are.
    pub owner: Owner,
    /// What the view makes of them.
    pub shown: Shown,
}

/// The party that decides which slots of a kind a node has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Callers add and remove them one by one. They stay over restarts, and are taken over from a previous
    /// incarnation that is found late.
    Callers,
    /// One part of the node states all of them at once, as a [`super::SlotSet`], and again after each start.
    Part,
}

/// What the view makes of the slots of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Each is a service: with a path, a status and whether it is live.
    Services,
    /// They are found by their key, of any author, dead or alive.
    ByKey,
}

/// The value in a slot of one kind. Its file implements this; the table makes it a [`SlotKind`].
pub trait SlotValue: Canonical + Clone + Debug + PartialEq + Eq + 'static {
    /// Tells the slots of this kind of one author apart: a record with two of one key is not a record.
    type Key: Clone + Debug + Ord;

    /// Its key.
    fn key(&self) -> Self::Key;

    /// What it takes in memory beside the bytes of its encoding and what any slot takes, in bytes.
    fn overhead(&self) -> usize {
        0
    }
}

/// A kind of slot: a value that has a row in the table, which implements this.
pub trait SlotKind: SlotValue {
    /// Its row.
    const ROW: &'static Row;

    /// The value in a slot, if it is of this kind.
    fn of(slot: &Slot) -> Option<&Self>;

    /// A slot with this value.
    fn into_slot(self) -> Slot;

    /// A key of this kind among those of all kinds.
    fn slot_key(key: Self::Key) -> SlotKey;
}
