use crux_crdt::service::SpecTag;

use super::batches::Batches;
use super::record::Placed;

/// On whose word a service runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Owner {
    /// A person's, who changes it by requests. No set of goals touches it.
    #[default]
    Person,
    /// The target's. Sets of goals change it; a person can have it started again, no more.
    Target {
        /// The version that the last accepted set wants. It differs from that of the current content after that one
        /// did not prove itself and the previous one came back.
        spec: SpecTag,
        /// How many instances, and since which pass.
        batches: Batches,
    },
}

impl Owner {
    /// Whether it is the target's.
    pub const fn is_target(&self) -> bool {
        matches!(self, Self::Target { .. })
    }

    /// The note for the record of an instance of a version; none: it is a person's.
    pub(super) fn placed(&self, spec: Option<SpecTag>, ordinal: u16) -> Option<Placed> {
        let Self::Target { batches, .. } = self else { return None };
        Some(Placed { spec: spec?, first: batches.first_of(ordinal)? })
    }
}
