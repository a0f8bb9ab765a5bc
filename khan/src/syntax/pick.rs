//! Picks.

use super::{Expr, Named};

/// `pick(service, count, set, spread = key, max = number)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pick {
    /// Whether it is written `pickh`. The meaning of that word was never found; it is read as `pick`.
    pub pickh: bool,
    /// The service.
    pub service: Named,
    /// How many instances, rounded up.
    pub count: Expr,
    /// On which nodes they may run.
    pub set: Expr,
    /// The key of the label whose least filled value is filled first.
    pub spread: Option<Named>,
    /// At most that many instances on one node.
    pub max: Option<Expr>,
}
