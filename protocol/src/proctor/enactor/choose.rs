use crux_crdt::document::Marker;
use crux_crdt::record::Pass;

use crate::proctor::{Assignment, Order};

/// The assignment that a node enacts: of those that count, the one of the greatest pass.
///
/// An assignment counts if it is not below `floor`, the greatest order that the node enacted; and if the node has the
/// target document that it plans, or a greater one. The second rule is there because the first one is for good: with
/// the marker of a document that nobody signed, a leader at fault would have the node refuse all plans to come.
pub(super) fn choose(
    plans: &[Assignment],
    floor: Option<Order>,
    held: Marker,
) -> Option<&Assignment> {
    let counts = |it: &&Assignment| {
        it.order.target <= held && floor.is_none_or(|floor| place(floor) <= place(it.order))
    };
    plans.iter().filter(counts).max_by_key(|it| place(it.order).1)
}

/// What orders plans.
fn place(order: Order) -> (Marker, Pass) {
    let Order { target, pass } = order;
    if crux_crdt::planted!(FenceWithoutLeader) {
        return (target, Pass { leader: crux_crdt::Principal([0; 32]), ..pass });
    }
    (target, pass)
}
