//! The record of an instance, written before its keeper starts, and what a later picket finds of it.

use core::fmt;
use std::collections::BTreeMap;

use crux_crdt::blob::BlobId;
use crux_crdt::name::ServiceName;
use crux_crdt::record::First;
use crux_crdt::service::{PortName, SpecTag};

use super::id::InstanceId;

/// Everything that the engine has to know of an instance to take it over. The shell records it with what identifies
/// the keeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The instance.
    pub instance: InstanceId,
    /// Of which service.
    pub service: ServiceName,
    /// Of which revision.
    pub rev: ServiceName,
    /// Which of the service's instances, from 0.
    pub ordinal: u16,
    /// Of which content: [`Version::number`](super::Version::number).
    pub version: u64,
    /// The blob it executes.
    pub blob: BlobId,
    /// Its ports.
    pub ports: BTreeMap<PortName, u16>,
    /// On which word of the target it is here; none: a person's.
    pub placed: Option<Placed>,
}

/// The assignment that an instance was started for. It is in its record, so that the node can say of what runs that
/// the target placed it as long as anything of it runs, also when nothing else is known of it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Which version it is.
    pub spec: SpecTag,
    /// The pass that assigned it first.
    pub first: First,
}

/// The fate of an instance that an earlier picket recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Its keeper answers and its program runs.
    Running {
        /// The program.
        pid: u32,
        /// Whether the keeper has the note that it was up: [`super::Command::Note`].
        up: bool,
    },
    /// Its keeper answers and its program ended.
    Ended {
        /// How.
        exit: Exit,
    },
    /// No process of it is left: it never had a keeper, the keeper died, or the machine was restarted.
    Gone,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// The kernel killed it because memory was short.
    OutOfMemory,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::OutOfMemory => f.write_str("out of memory"),
        }
    }
}
