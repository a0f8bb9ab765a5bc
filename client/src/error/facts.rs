//! The two facts that decide what a caller may do after an error.

use core::fmt;
use core::str::FromStr;

use super::UnknownWord;

const UNKNOWN: UnknownWord = UnknownWord("an unknown word");

/// Whether state changed although the operation failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateChanged {
    /// Nothing changed: trying again is safe.
    No,
    /// Something changed: look before trying again.
    Yes,
    /// Nobody can tell, as when an answer did not come in time.
    Unknown,
}

/// The party at fault for an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The one who asked: the request itself is wrong.
    Caller,
    /// This node: a bug, or a limit of its own.
    Node,
    /// Another node.
    Peer,
    /// The node's machine: disk, ports, permissions, clock.
    Environment,
}

impl StateChanged {
    /// The word used in JSON and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Yes => "yes",
            Self::Unknown => "unknown",
        }
    }
}

impl Fault {
    /// The word used in JSON and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Node => "node",
            Self::Peer => "peer",
            Self::Environment => "environment",
        }
    }
}

impl FromStr for StateChanged {
    type Err = UnknownWord;

    fn from_str(s: &str) -> Result<Self, UnknownWord> {
        let all = [Self::No, Self::Yes, Self::Unknown];
        all.into_iter().find(|x| x.as_str() == s).ok_or(UNKNOWN)
    }
}

impl FromStr for Fault {
    type Err = UnknownWord;

    fn from_str(s: &str) -> Result<Self, UnknownWord> {
        let all = [Self::Caller, Self::Node, Self::Peer, Self::Environment];
        all.into_iter().find(|x| x.as_str() == s).ok_or(UNKNOWN)
    }
}

impl fmt::Display for StateChanged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
