//! Why something is not part of a world.

use super::bounds::{AMOUNT_MAX, COUNT_MAX, NODES_MAX, SERVICES_MAX};

/// Why something is not part of a world. The caller is at fault; the world is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorldError {
    /// More nodes than the solver takes.
    #[error("{found} nodes; at most {NODES_MAX} are possible")]
    Nodes {
        /// How many there are.
        found: usize,
    },
    /// Two nodes have one name.
    #[error("there are two nodes `{node}`; names of nodes must differ")]
    Twice {
        /// The name.
        node: String,
    },
    /// A node that is not there.
    #[error("there is no node `{node}`")]
    Unknown {
        /// The name.
        node: String,
    },
    /// More services than the solver takes.
    #[error("more than {SERVICES_MAX} services")]
    Services,
    /// More instances on one node than the solver takes.
    #[error("{found} instances on one node; at most {COUNT_MAX} are possible")]
    Count {
        /// How many.
        found: u32,
    },
    /// Room, or a weight, beyond the bound.
    #[error("an amount of `{of}` is greater than {AMOUNT_MAX}")]
    Amount {
        /// The node, or the service.
        of: String,
    },
}
