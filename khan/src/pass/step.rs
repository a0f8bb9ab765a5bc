//! A change on one node.

use core::fmt;

/// The action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Instances start.
    Start,
    /// Instances would start, but their conditions do not hold.
    Hold,
    /// Instances stop.
    Stop,
}

/// A change of the number of instances of one service on one node.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Step {
    /// The action.
    pub action: Action,
    /// The service.
    pub service: String,
    /// The node.
    pub node: String,
    /// How many instances.
    pub count: u32,
    /// The reason.
    pub why: String,
}

impl fmt::Display for Step {
    /// As a line: `start 1 of 'web' on n1; no constraints`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, service, node, count, why } = self;
        match action {
            Action::Start => write!(f, "start {count} of '{service}' on {node}; {why}"),
            Action::Hold => write!(f, "start no instances of '{service}' on {node}; {why}"),
            Action::Stop => write!(f, "stop {count} of '{service}' on {node}; {why}"),
        }
    }
}
