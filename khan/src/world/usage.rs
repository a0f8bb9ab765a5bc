//! What may become of a node.

use serde::{Deserialize, Serialize};

/// What may become of a node.
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
