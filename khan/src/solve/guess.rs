//! Sets of nodes that are known in part.

use crate::world::NodeSet;

/// A set of nodes that is known in part: each node is in it, is not, or may be (Kleene's three values, a bit of each
/// of two sets). A set that is known has the two equal. **Invariant**: what is `sure` also `may`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Guess {
    /// The nodes that are in it.
    pub(super) sure: NodeSet,
    /// The nodes that are in it or may be.
    pub(super) may: NodeSet,
}

impl Guess {
    /// A set that is known.
    pub(super) fn known(set: NodeSet) -> Self {
        Self { sure: set.clone(), may: set }
    }

    /// The nodes of `all` that are not in it.
    pub(super) fn not(&mut self, all: &NodeSet) {
        let (mut sure, mut may) = (all.clone(), all.clone());
        sure.subtract(&self.may);
        may.subtract(&self.sure);
        *self = Self { sure, may };
    }

    pub(super) fn and(&mut self, other: &Self) {
        self.sure.intersect(&other.sure);
        self.may.intersect(&other.may);
    }

    pub(super) fn or(&mut self, other: &Self) {
        self.sure.unite(&other.sure);
        self.may.unite(&other.may);
    }

    /// How far a node is in it: 0 not, 1 perhaps, 2 surely.
    pub(super) fn degree(&self, node: usize) -> i32 {
        i32::from(self.sure.contains(node)) + i32::from(self.may.contains(node))
    }
}
