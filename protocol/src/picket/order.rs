use crux_crdt::document::Marker;
use crux_crdt::record::Pass;

/// Where a set of goals comes from, and its place among all of them: first by the target document, then by the pass.
///
/// A node never goes back to a smaller one. So it never enacts an older target again, whatever a leader says; and
/// of two leaders' plans for one target it stays with the one of the greater fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order {
    /// The target document that it enacts.
    pub target: Marker,
    /// The pass that planned it.
    pub pass: Pass,
}
