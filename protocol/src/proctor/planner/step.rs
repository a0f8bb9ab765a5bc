use core::fmt;

use crux_crdt::name::ServiceName;

/// The kind of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Instances start.
    Start,
    /// Instances stop.
    Stop,
    /// Instances would start, but their conditions do not hold.
    Hold,
    /// Instances stop on another node, or were lost with it, and start on this one.
    Move,
    /// Instances get another version.
    Roll,
}

/// A change on one node, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The kind of a change.
    pub action: Action,
    /// The service.
    pub service: ServiceName,
    /// The name of the node.
    pub node: String,
    /// How many instances.
    pub count: u32,
    /// The node that they come from, or the version that they had.
    pub from: Option<String>,
    /// The version that they get, if that is what changes.
    pub to: Option<String>,
    /// The reason.
    pub why: String,
}

impl Action {
    /// As scripts know it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Hold => "hold",
            Self::Move => "move",
            Self::Roll => "roll",
        }
    }
}

impl Step {
    /// A change of so many instances of a service on a node, for this reason.
    pub(super) fn new(
        action: Action,
        (service, node): (&ServiceName, &str),
        count: u32,
        why: impl Into<String>,
    ) -> Self {
        let (service, node, why) = (service.clone(), node.to_owned(), why.into());
        Self { action, service, node, count, from: None, to: None, why }
    }
}

impl fmt::Display for Step {
    /// As a line: `start 1 of 'web' on n1; no constraints`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, service, node, count, why, .. } = self;
        let from = self.from.as_deref().unwrap_or("?");
        let to = self.to.as_deref().unwrap_or("?");
        match action {
            Action::Start => write!(f, "start {count} of '{service}' on {node}; {why}"),
            Action::Stop => write!(f, "stop {count} of '{service}' on {node}; {why}"),
            Action::Hold => write!(f, "start no instances of '{service}' on {node}; {why}"),
            Action::Move => write!(f, "move {count} of '{service}' from {from} to {node}; {why}"),
            Action::Roll => {
                write!(f, "roll {count} of '{service}' on {node} from {from} to {to}; {why}")
            }
        }
    }
}
