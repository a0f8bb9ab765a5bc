//! The leader.

use crux_crdt::Principal;
use crux_crdt::name::Label;
use serde::Serialize;

use super::json::text;

/// The leader, and its term. Equal on nodes that agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leader {
    /// The node, as it is shown.
    #[serde(serialize_with = "text")]
    pub node: Label,
    /// Its key.
    #[serde(serialize_with = "text")]
    pub principal: Principal,
    /// The number it leads under, and the fencing token of its commands. Ordered by (term, principal).
    pub term: u64,
}
