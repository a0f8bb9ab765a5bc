//! All that is known of one service.

use std::collections::BTreeMap;
use std::time::Duration;

use crux_crdt::blob::BlobId;
use crux_crdt::name::ServiceName;
use crux_crdt::service::Config;
use serde::Serialize;

use super::json::{millis, millis_or_null, text};
use super::{Instance, WallTime};

/// All that a node knows of one of its services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inspected {
    /// The config in force.
    pub config: Config,
    /// The number of changes to the node's desired services.
    pub generation: u64,
    /// Whether it is to run: false after a stop.
    pub wanted: bool,
    /// Its instances, by ordinal.
    pub instances: Vec<Instance>,
    /// Its checks, of each instance.
    pub checks: Vec<CheckState>,
    /// How instances ended, the latest first.
    pub exits: Vec<InstanceExit>,
    /// The image that the last update replaced; a rollback returns to it.
    pub previous: Option<PreviousImage>,
    /// The means in force that isolate the programs: `user`, `limits` and others.
    pub isolation: BTreeMap<String, String>,
}

/// One check of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckState {
    /// The instance's id.
    pub instance: String,
    /// The check, as the config has it.
    pub check: String,
    /// How its last run ended; `None`: it has not run yet.
    pub passed: Option<bool>,
    /// Failures in a row.
    pub failures: u32,
    /// How long ago the last run ended.
    #[serde(rename = "ago_ms", serialize_with = "millis_or_null")]
    pub ago: Option<Duration>,
    /// The answer, or why it failed.
    pub text: String,
}

/// How one instance ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InstanceExit {
    /// The instance's id.
    pub instance: String,
    /// When, by the node's wall clock.
    #[serde(serialize_with = "text")]
    pub at: WallTime,
    /// The exit code; `None` where a signal ended it, or nobody was there to see it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// How long it ran.
    #[serde(rename = "ran_ms", serialize_with = "millis")]
    pub ran: Duration,
    /// Why, as far as the node knows.
    pub reason: String,
}

/// The image that an update replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PreviousImage {
    /// The revision.
    #[serde(serialize_with = "text")]
    pub rev: ServiceName,
    /// The blob.
    #[serde(serialize_with = "text")]
    pub image: BlobId,
}
