//! What a register answers.

use crux_crdt::path::{FlockId, NetId};

/// A service was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Where it stands.
    pub path: FlockId,
    /// Its instance name, unique in the flock.
    pub instance: String,
    /// Where it is reached.
    pub net_id: NetId,
}
