//! How a node may be used.

use serde::{Deserialize, Serialize};

/// How a node may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Usage {
    /// It may get new instances.
    #[default]
    Open,
    /// It keeps what it has and gets nothing new: cordoned, or away for less than the grace time.
    Keep,
    /// It is in no set: drained, or lost.
    Out,
}
