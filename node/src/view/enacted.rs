use crux_protocol::proctor::{Goals, OwnedRow};

/// Everything that a target wants of this node, and what it has of that.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Enacted {
    /// The goals; none: no plan names this node's horde.
    pub goals: Option<Goals>,
    /// What the target placed here.
    pub rows: Vec<OwnedRow>,
}
