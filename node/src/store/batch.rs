use std::sync::Arc;

use crux_crdt::Principal;
use crux_crdt::act::Act;
use crux_crdt::record::{Record, ServiceKey};
use crux_crdt::sign::Signed;

/// What becomes durable together.
///
/// Everything in it is merged into what is stored: the record with the greater total marker, or, of two
/// with one marker, that whose author departed and which is stripped; the
/// union of acts and of what was removed, the greater fence once one is forgotten, the greater incarnation. Records and
/// acts MUST have been verified for the flock of the store; one that was not makes the database fail
/// to open.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Records; at most the newest of each author is kept.
    pub records: Vec<Arc<Record>>,
    /// Acts.
    pub acts: Vec<Arc<Signed<Act>>>,
    /// Fences that are forgotten, if one of them is what is stored.
    pub forgotten: Vec<(u64, Principal)>,
    /// The highest fence that was accepted.
    pub fence: Option<(u64, Principal)>,
    /// The incarnation this node runs as.
    pub incarnation: Option<u64>,
    /// What this node removed before it knew its past.
    pub removed: Vec<ServiceKey>,
}

impl Batch {
    /// Whether there is nothing in it.
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty()
            && self.acts.is_empty()
            && self.forgotten.is_empty()
            && self.fence.is_none()
            && self.incarnation.is_none()
            && self.removed.is_empty()
    }
}
