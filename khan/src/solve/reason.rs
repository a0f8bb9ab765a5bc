//! Why a node gets no instance.

use core::fmt;

use serde::{Serialize, Serializer};

use crate::world::{Amounts, Node, Resource, Usage};

/// Why a node gets no instance, or no further one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The node is in no set.
    Out,
    /// The set of the pick does not have it.
    NotInSet,
    /// The node keeps what it has.
    Keep,
    /// It has as many as one node may.
    Has(u32),
    /// Too little of a resource is left.
    NoRoom(Resource),
    /// There is room once this plan is carried out, and none before: what runs there now had to be left its place until
    /// it was decided. The next plan uses it.
    Later,
}

impl Reason {
    /// All reasons why a node gets no further instance of a service, whose set has the node or not, and that has so many
    /// there of at most so many. `None`: there is none, so it could have one.
    pub(super) fn all(
        node: &Node,
        has: bool,
        (wanted, cap): (u32, u32),
        used: Amounts,
        weight: Amounts,
    ) -> Vec<Self> {
        if node.usage == Usage::Out {
            return vec![Self::Out];
        }
        if !has {
            return vec![Self::NotInSet];
        }
        let keep = (node.usage == Usage::Keep).then_some(Self::Keep);
        let full = (wanted >= cap).then_some(Self::Has(cap));
        let lacks = node.room.lacks(used, weight).map(Self::NoRoom);
        keep.into_iter().chain(full).chain(lacks).collect()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Out => f.write_str("drained or lost"),
            Self::NotInSet => f.write_str("not in the set"),
            Self::Keep => f.write_str("cordoned or away"),
            Self::Has(count) => write!(f, "has {count} already"),
            Self::NoRoom(resource) => write!(f, "no room: {resource}"),
            Self::Later => f.write_str("room comes free with this plan"),
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}
