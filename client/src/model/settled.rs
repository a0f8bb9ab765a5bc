//! The outcome of a request that changes a service.

use core::fmt;
use core::str::FromStr;
use std::collections::BTreeMap;

use crux_crdt::name::ServiceName;
use serde::Serialize;

use super::InstanceState;
use super::json::text;
use crate::error::UnknownWord;

/// A service after a request that changes it. `{service, rev, instance, state, pid, ports}` in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Settled {
    /// The service's name.
    #[serde(serialize_with = "text")]
    pub service: ServiceName,
    /// Its revision.
    #[serde(serialize_with = "text")]
    pub rev: ServiceName,
    /// Its first instance by ordinal; `None` where there is none, or none yet.
    pub instance: Option<String>,
    /// The state of that one. Of a service without instances: pending or stopped.
    #[serde(serialize_with = "text")]
    pub state: InstanceState,
    /// That one's process.
    pub pid: Option<u32>,
    /// That one's ports, by their names in the config.
    pub ports: BTreeMap<String, u16>,
    /// The change that the request made.
    #[serde(skip)]
    pub change: Change,
    /// The number of changes to the node's desired services, with this one.
    #[serde(skip)]
    pub generation: u64,
    /// Notes for people, as that a limit is not enforced on this node.
    #[serde(skip)]
    pub notes: Vec<String>,
}

/// The change that a request made to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added,
    /// It has another config.
    Updated,
    /// Nothing: it was as it should be.
    Unchanged,
    /// It was told to start.
    Started,
    /// It was stopped.
    Stopped,
    /// It was stopped and started.
    Restarted,
    /// It has its previous config.
    RolledBack,
    /// It is forgotten.
    Removed,
}

impl Change {
    /// Every change.
    pub const ALL: [Self; 8] = [
        Self::Added,
        Self::Updated,
        Self::Unchanged,
        Self::Started,
        Self::Stopped,
        Self::Restarted,
        Self::RolledBack,
        Self::Removed,
    ];

    /// The word used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Started => "started",
            Self::Stopped => "stopped",
            Self::Restarted => "restarted",
            Self::RolledBack => "rolled_back",
            Self::Removed => "removed",
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Change {
    type Err = UnknownWord;

    fn from_str(s: &str) -> Result<Self, UnknownWord> {
        let unknown = UnknownWord("not a change of a service");
        Self::ALL.into_iter().find(|change| change.as_str() == s).ok_or(unknown)
    }
}
