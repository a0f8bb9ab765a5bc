//! The program: which blob is executed.

use core::fmt;
use core::str::FromStr;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::BlobId;

/// The blob that is executed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged, expecting = "the id of a blob, or a table of them as in { x86_64 = \"…\" }")]
pub enum Image {
    /// The same on every machine: a script, or a service of one kind of machine.
    Blob(BlobId),
    /// One for each kind of machine; at least one.
    PerMachine(BTreeMap<Machine, BlobId>),
}

impl Image {
    /// The blob for a kind of machine; none: there is none for it.
    pub fn of(&self, machine: Machine) -> Option<BlobId> {
        match self {
            Self::Blob(blob) => Some(*blob),
            Self::PerMachine(blobs) => blobs.get(&machine).copied(),
        }
    }

    /// All blobs that it names.
    pub fn blobs(&self) -> impl Iterator<Item = BlobId> {
        let (one, more) = match self {
            Self::Blob(blob) => (Some(*blob), None),
            Self::PerMachine(blobs) => (None, Some(blobs.values().copied())),
        };
        one.into_iter().chain(more.into_iter().flatten())
    }
}

/// A kind of machine, by the name that `uname -m` gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Machine {
    /// 64-bit x86.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit ARM.
    #[serde(rename = "aarch64")]
    Aarch64,
}

/// The name is not that of a kind of machine that Crux knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the kinds of machines are x86_64 and aarch64")]
pub struct UnknownMachine;

impl Machine {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::X86_64, Self::Aarch64];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Machine {
    type Err = UnknownMachine;

    fn from_str(s: &str) -> Result<Self, UnknownMachine> {
        Self::ALL.into_iter().find(|machine| machine.as_str() == s).ok_or(UnknownMachine)
    }
}
