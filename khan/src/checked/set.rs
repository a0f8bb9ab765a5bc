//! Sets of nodes.

use std::collections::BTreeSet;

use super::PickId;

/// A set of nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Set {
    /// The nodes of the horde that are neither drained nor lost.
    All,
    /// The nodes with this label.
    Label {
        /// The key.
        key: String,
        /// The value; without one, any value counts.
        value: Option<String>,
    },
    /// Nodes by name, as far as they are in [`Set::All`].
    Nodes(BTreeSet<String>),
    /// The nodes of [`Set::All`] that are not in it.
    Not(Box<Set>),
    /// The nodes that are in each; at least two.
    And(Vec<Set>),
    /// The nodes that are in one of them; at least two.
    Or(Vec<Set>),
    /// The nodes that got an instance from a pick.
    Picked(PickId),
    /// The set with a name.
    Named(SetId),
}

/// The index of a set in [`Checked::sets`](super::Checked::sets).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetId(usize);

impl SetId {
    /// The id of the set at an index.
    pub fn new(index: usize) -> Self {
        Self(index)
    }

    /// The index.
    pub fn index(self) -> usize {
        self.0
    }
}

/// A set and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedSet {
    /// The name.
    pub name: String,
    /// The set.
    pub set: Set,
    /// The picks that it mentions, also through names but not through other picks; ascending.
    pub needs: Vec<PickId>,
}
