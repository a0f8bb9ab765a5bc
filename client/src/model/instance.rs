//! The instances of a node's services.

use core::fmt;
use core::str::FromStr;
use std::collections::BTreeMap;
use std::time::Duration;

use crux_crdt::blob::BlobId;
use crux_crdt::name::{Label, ServiceName};
use serde::Serialize;

use super::ServiceStatus;
use super::json::{millis, millis_or_null, text, text_or_null};
use crate::error::UnknownWord;

/// One instance of a service that a node runs, or is to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Instance {
    /// The service's name.
    #[serde(serialize_with = "text")]
    pub service: ServiceName,
    /// Its revision.
    #[serde(serialize_with = "text")]
    pub rev: ServiceName,
    /// Which of the service's instances it is, from 0.
    pub ordinal: u16,
    /// The horde that its registrations belong to.
    #[serde(serialize_with = "text")]
    pub horde: Label,
    /// Its id, unique on the node; `None` before the first start.
    pub instance: Option<String>,
    /// Its state.
    #[serde(serialize_with = "text")]
    pub state: InstanceState,
    /// The status of its registrations, as other nodes see it.
    #[serde(serialize_with = "text")]
    pub status: ServiceStatus,
    /// For how long it has been in that state.
    #[serde(rename = "since_ms", serialize_with = "millis")]
    pub since: Duration,
    /// The program's process; `None` while there is none.
    pub pid: Option<u32>,
    /// Starts after the first one.
    pub restarts: u32,
    /// The blob that it runs; `None` until that is known.
    #[serde(serialize_with = "text_or_null")]
    pub image: Option<BlobId>,
    /// Whether it runs from a sealed copy of the image in memory.
    pub sealed: bool,
    /// Its ports by their names in the config.
    pub ports: BTreeMap<String, u16>,
    /// Memory in bytes, with all that it forked; `None` while it does not run.
    pub memory: Option<u64>,
    /// Time on a processor since it started, with all that it forked.
    #[serde(rename = "cpu_ms", serialize_with = "millis_or_null")]
    pub cpu: Option<Duration>,
    /// Why it is in that state.
    pub reason: Option<String>,
}

/// The state of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InstanceState {
    /// Waits for its image, or for its turn.
    Pending,
    /// Was executed, and is not up yet.
    Starting,
    /// Every check passes.
    Up,
    /// A check failed, or fewer than three times in a row.
    Degraded,
    /// Its registrations are withdrawn; it finishes what it is doing.
    Draining,
    /// Was told to quit.
    Stopping,
    /// Ended, and waits for its next start.
    Backoff,
    /// Ended too often: it is tried again now and then.
    Failed,
    /// Is stopped or traced by somebody, or frozen.
    Paused,
    /// Ended well, and is not started again.
    Done,
    /// Was stopped, and is not started again until somebody says so.
    Stopped,
}

impl InstanceState {
    /// Every state.
    pub const ALL: [Self; 11] = [
        Self::Pending,
        Self::Starting,
        Self::Up,
        Self::Degraded,
        Self::Draining,
        Self::Stopping,
        Self::Backoff,
        Self::Failed,
        Self::Paused,
        Self::Done,
        Self::Stopped,
    ];

    /// The word used in JSON and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Starting => "starting",
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Draining => "draining",
            Self::Stopping => "stopping",
            Self::Backoff => "backoff",
            Self::Failed => "failed",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Stopped => "stopped",
        }
    }
}

impl fmt::Display for InstanceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for InstanceState {
    type Err = UnknownWord;

    fn from_str(s: &str) -> Result<Self, UnknownWord> {
        let unknown = UnknownWord("not a state of an instance");
        Self::ALL.into_iter().find(|state| state.as_str() == s).ok_or(unknown)
    }
}
