//! Picks with what they need.

use crux_crdt::name::ServiceName;

use super::{Number, Set};
use crate::syntax::Span;

/// The index of a pick in [`Checked::picks`](super::Checked::picks).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PickId(usize);

impl PickId {
    /// The id of the pick at an index.
    pub fn new(index: usize) -> Self {
        Self(index)
    }

    /// The index.
    pub fn index(self) -> usize {
        self.0
    }
}

/// `pick(service, count, set, spread = key, max = number)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pick {
    /// The service; no other pick has it.
    pub service: ServiceName,
    /// How many instances, rounded up.
    pub count: Number,
    /// On which nodes they may run.
    pub set: Set,
    /// The key of the label whose least filled value is filled first.
    pub spread: Option<String>,
    /// At most that many instances on one node.
    pub max: Option<Number>,
    /// The picks that count, set and max mention, also through names but not through other picks; ascending, and
    /// each less than this one's id.
    pub needs: Vec<PickId>,
    /// Those of `needs` that the set mentions.
    pub set_needs: Vec<PickId>,
    /// Where it is written: `span.start` ascends in the order of the text.
    pub span: Span,
}
