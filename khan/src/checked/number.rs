//! Numbers.

use super::{PickId, Set};
use crate::ratio::Ratio;
use crate::syntax::Operator;

/// A number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Number {
    /// As written.
    Literal(Ratio),
    /// How many nodes are in a set.
    Size(Box<Set>),
    /// From left to right.
    Chain {
        /// The first operand.
        first: Box<Number>,
        /// The rest; at least one, all of the same rank.
        rest: Vec<Term>,
    },
    /// The number with a name.
    Named(NumberId),
}

/// An operator and the operand to its right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The operator.
    pub operator: Operator,
    /// The operand.
    pub number: Number,
    /// The operand as text, shortened, for messages: "division by zero: `SIZE(db)` is 0".
    pub text: String,
}

/// The index of a number in [`Checked::numbers`](super::Checked::numbers).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NumberId(usize);

impl NumberId {
    /// The id of the number at an index.
    pub fn new(index: usize) -> Self {
        Self(index)
    }

    /// The index.
    pub fn index(self) -> usize {
        self.0
    }
}

/// A number and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedNumber {
    /// The name.
    pub name: String,
    /// The number.
    pub number: Number,
    /// The picks that it mentions, also through names but not through other picks; ascending.
    pub needs: Vec<PickId>,
}
