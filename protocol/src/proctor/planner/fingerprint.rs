//! The hash of a view, which the head of a plan has: two leaders that plan differently can be told from two that saw
//! differently.

use crux_crdt::Digest;
use crux_crdt::canon::{Canonical, Encoder};
use crux_crdt::document::NodeOrder;
use crux_crdt::hash::sha3;
use crux_crdt::record::LaterFields;

use super::{Node, View};

/// The hash of everything in a view.
pub(super) fn fingerprint(view: &View) -> Digest {
    let mut out = Encoder::default();
    out.count(view.nodes.len());
    for (principal, node) in &view.nodes {
        out.principal(principal);
        encode(node, &mut out);
    }
    sha3("crux/plan-view/1", &[&out.finish()])
}

fn encode(node: &Node, out: &mut Encoder) {
    out.str(&node.name).u8(u8::from(node.is_alive)).count(node.labels.len());
    node.labels.iter().for_each(|(key, value)| _ = out.str(key).str(value));
    NodeOrder { usage: node.usage, later: LaterFields::default() }.encode(out);
    for limit in node.room.0 {
        out.u8(u8::from(limit.is_some())).u64(limit.unwrap_or_default());
    }
    out.bytes(&node.runs.as_ref().map(Canonical::to_canonical).unwrap_or_default());
}
