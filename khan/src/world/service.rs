//! A service as the solver sees it.

use super::Amounts;

/// A service as the solver sees it. The default takes no room and has priority 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Service {
    /// The resources that an instance takes of a node.
    pub weight: Amounts,
    /// Services with a higher priority are placed first. Nobody is pushed out.
    pub priority: i32,
}
