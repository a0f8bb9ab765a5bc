use crux_crdt::Principal;
use crux_crdt::fact::{Fact, Gone};
use crux_crdt::record::ServiceKey;

/// What becomes durable together.
///
/// Everything in it is merged into what is stored: facts as their kinds say; the union of what was removed; the
/// greater fence once one is forgotten; the greater incarnation. What is gone is left out after the facts were
/// merged. Facts MUST have been verified for the flock of the store; one that was not makes the database fail
/// to open.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Facts of any kind.
    pub facts: Vec<Fact>,
    /// What is held no more.
    pub gone: Vec<Gone>,
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
        self.facts.is_empty()
            && self.gone.is_empty()
            && self.forgotten.is_empty()
            && self.fence.is_none()
            && self.incarnation.is_none()
            && self.removed.is_empty()
    }
}
