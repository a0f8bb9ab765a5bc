//! The processes of a node.

use serde::Serialize;

/// Which processes run a node, and what they are to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Picket {
    /// The picket: launcher and supervisor.
    pub pid: u32,
    /// The fulcrum: the node's network, database and control API. `None`: it does not run now.
    pub fulcrum_pid: Option<u32>,
    /// How many services are in the desired set.
    pub services: u32,
    /// The number of changes to the desired set.
    pub generation: u64,
}
