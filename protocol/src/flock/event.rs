use std::sync::Arc;

use crux_crdt::record::Record;

use super::command::Ticket;
use super::control::{Control, ControlId};
use crate::link;

/// What comes in.
#[derive(Debug)]
pub enum Event {
    /// The network.
    Link(link::Event),
    /// A [`super::Command::Persist`] ended.
    Persisted {
        /// Which.
        ticket: Ticket,
        /// Whether all of it is durable, or nothing of it may be counted on.
        result: Result<(), PersistError>,
    },
    /// A person or program asks something of this node.
    Control {
        /// Names it in the answer.
        id: ControlId,
        /// What.
        request: Control,
    },
    /// What [`super::Command::Recall`] asked for. Not sent if the disk holds no whole record of that author.
    Recalled {
        /// It.
        record: Arc<Record>,
    },
    /// A place on the link where a node of this flock may be, `HOST:PORT`.
    Found {
        /// Where.
        addr: String,
    },
    /// Time passed.
    Wake,
}

/// Why a write failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersistError {
    /// No room. The node only reads until there is.
    Full,
    /// Anything else.
    Failed,
}
