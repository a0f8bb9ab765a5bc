//! Words of a config: kind of the program, restart, update; and limits.

use serde::{Deserialize, Serialize};

use super::written;

/// How much a program knows of Crux.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Nothing: any program.
    #[default]
    Plain,
}

/// When a program that ended is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// However it ended.
    #[default]
    Always,
    /// Unless it ended with 0; then it is *done* and stays so.
    OnFailure,
    /// Never. With 0 it is *done*, with anything else *failed*.
    Never,
}

/// How an update replaces an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UpdateBy {
    /// The new one is up before the old one quits.
    Overlap,
    /// The old one stops first.
    Replace,
}

/// The resources that an instance may use. `None`: as much as it likes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Bytes of memory, within [`MEMORY`](super::MEMORY).
    #[serde(default, skip_serializing_if = "Option::is_none", with = "written::size_or_none")]
    pub memory: Option<u64>,
    /// Processes and threads, within [`PIDS`](super::PIDS).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pids: Option<u32>,
    /// Thousandths of a processor, within [`CPU_MILLI`](super::CPU_MILLI); written as processors: 0.5.
    #[serde(
        default,
        rename = "cpu",
        skip_serializing_if = "Option::is_none",
        with = "written::milli"
    )]
    pub cpu_milli: Option<u32>,
    /// Whether the service is refused where the limits cannot be enforced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
}
