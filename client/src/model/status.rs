//! A node's statement about itself.

use crux_crdt::name::Label;
use crux_crdt::{Digest, Principal};
use serde::Serialize;

use super::json::text;
use super::{Joining, Leader, NodeUse};

/// The state of a node, and its view of the flock in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The flock's name.
    #[serde(serialize_with = "text")]
    pub flock: Label,
    /// The flock's identity.
    #[serde(serialize_with = "text")]
    pub flock_id: Digest,
    /// The node, as it is shown.
    #[serde(serialize_with = "text")]
    pub node: Label,
    /// The name that it claims, if another member holds it: `node` is another one then.
    pub lost_name: Option<String>,
    /// Its key.
    #[serde(serialize_with = "text")]
    pub principal: Principal,
    /// How often it started.
    pub incarnation: u64,
    /// Covers durable records only; still while nothing changes.
    #[serde(serialize_with = "text")]
    pub state_digest: Digest,
    /// The leader, from this node's view.
    pub leader: Option<Leader>,
    /// Whether it is in a flock with others.
    pub joining: Joining,
    /// The use that targets make of the node.
    #[serde(rename = "use", serialize_with = "text")]
    pub node_use: NodeUse,
    /// How many members are in which state.
    pub members: MemberCounts,
    /// Live registrations of the whole flock.
    pub services: u64,
    /// Whole blobs on this node.
    pub blobs: u64,
    /// Bytes of pieces that other nodes were given since the start.
    pub blob_bytes_sent: u64,
    /// Bytes of pieces that came from other nodes since the start.
    pub blob_bytes_fetched: u64,
    /// The process that answers: the fulcrum, or the node where that is one process.
    pub pid: u32,
    /// The process that started it and starts it again; `None`: the node is one process.
    pub picket_pid: Option<u32>,
}

/// How many members are in which state. `alive` counts the node itself; left, retired and evicted
/// members count nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct MemberCounts {
    /// Heard from.
    pub alive: u32,
    /// Silent to their observers.
    pub suspect: u32,
    /// Held for dead.
    pub dead: u32,
}
