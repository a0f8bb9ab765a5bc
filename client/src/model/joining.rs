//! Whether a node is in a flock with others.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// Whether a node is in a flock with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Joining {
    /// It has no seed peer and knows nobody: it begins a flock.
    Alone,
    /// It has seed peers, and none of them has let it in yet.
    Pending,
    /// The same, and no entry of `--join` leads anywhere: `doctor` says why.
    Failed,
    /// It knows other members.
    Joined,
}

impl Joining {
    /// All of them.
    const ALL: [Self; 4] = [Self::Alone, Self::Pending, Self::Failed, Self::Joined];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alone => "alone",
            Self::Pending => "pending",
            Self::Failed => "failed",
            Self::Joined => "joined",
        }
    }
}

impl fmt::Display for Joining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Joining {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|word| word.as_str() == s);
        found.ok_or_else(|| format!("unknown word {s:?}"))
    }
}
