//! A program that keeps every rule: what the checker makes and the solver reads.
//!
//! Types are in the types: a [`Set`] has no number in it, and a [`Number`] a set only within `SIZE`. Names are
//! resolved: to a [`PickId`], a [`SetId`] or a [`NumberId`], which index the lists of [`Checked`].
//!
//! **Invariants**
//!
//! * [`Checked::picks`] are in the order of solving: first those that need no other, then those that do; within
//!   that, in the order of the text as far as what they need is solved. `needs` names earlier picks only.
//! * A named set mentions only named sets before it, and any pick; a named number only named numbers before it.
//!   So each has a value as soon as the picks that it mentions are decided, and lists are evaluated from front
//!   to back. Evaluate each name once and keep its value: `b := a | a`, `c := b | b`, … doubles the work with each
//!   name otherwise.
//! * Counted through names, no named set or number is more than 320 operations deep, and no other more than
//!   twice that, so that walking one recursively is safe. A pick ends the count.
//! * No service is picked twice, and every condition names a service that is picked.

mod after;
mod number;
mod pick;
mod set;

pub use after::{After, Amount, Cond};
pub use number::{NamedNumber, Number, NumberId, Term};
pub use pick::{Pick, PickId};
pub use set::{NamedSet, Set, SetId};

/// A program that keeps every rule. Only the checker makes one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    picks: Vec<Pick>,
    sets: Vec<NamedSet>,
    numbers: Vec<NamedNumber>,
    afters: Vec<After>,
}

impl Checked {
    /// A program of parts that keep the invariants of the module.
    pub(crate) fn new(
        picks: Vec<Pick>,
        sets: Vec<NamedSet>,
        numbers: Vec<NamedNumber>,
        afters: Vec<After>,
    ) -> Self {
        Self { picks, sets, numbers, afters }
    }

    /// All picks, in the order of solving.
    pub fn picks(&self) -> &[Pick] {
        &self.picks
    }

    /// The pick with this id.
    pub fn pick(&self, id: PickId) -> &Pick {
        &self.picks[id.index()]
    }

    /// The pick of a service.
    pub fn pick_of(&self, service: &str) -> Option<PickId> {
        self.picks.iter().position(|pick| pick.service.as_str() == service).map(PickId::new)
    }

    /// All sets that have a name; each mentions only those before it.
    pub fn sets(&self) -> &[NamedSet] {
        &self.sets
    }

    /// The named set with this id.
    pub fn set(&self, id: SetId) -> &NamedSet {
        &self.sets[id.index()]
    }

    /// All numbers that have a name; each mentions only those before it.
    pub fn numbers(&self) -> &[NamedNumber] {
        &self.numbers
    }

    /// The named number with this id.
    pub fn number(&self, id: NumberId) -> &NamedNumber {
        &self.numbers[id.index()]
    }

    /// The order of starts, in the order of the text. All that name one service hold together.
    pub fn afters(&self) -> &[After] {
        &self.afters
    }
}
