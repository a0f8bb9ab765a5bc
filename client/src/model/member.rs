//! Members, in any state.

use core::fmt;
use core::str::FromStr;
use std::collections::BTreeMap;

use crux_crdt::Principal;
use crux_crdt::name::Label;
use crux_crdt::path::Endpoint;
use serde::Serialize;

use super::json::{text, text_or_null};
use super::{NodeUse, WallTime};
use crate::error::UnknownWord;

/// A node that is or was a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Member {
    /// The node, as it is shown.
    #[serde(serialize_with = "text")]
    pub node: Label,
    /// Its key.
    #[serde(serialize_with = "text")]
    pub principal: Principal,
    /// Where it is reached, the first address of several; `None` where it published none.
    #[serde(serialize_with = "text_or_null")]
    pub addr: Option<Endpoint>,
    /// Its state, in this node's opinion.
    #[serde(serialize_with = "text")]
    pub state: MemberState,
    /// Since when it is in that state for this node: at the earliest since this node's start.
    #[serde(serialize_with = "text")]
    pub since: WallTime,
    /// The version of Crux that it says it runs; `None` where it says nothing.
    pub version: Option<String>,
    /// How often it started, as far as this node knows.
    pub incarnation: u64,
    /// The labels that it gives itself.
    pub labels: BTreeMap<String, String>,
    /// The labels that the flock's operator signed for it.
    pub signed_labels: BTreeMap<String, String>,
    /// The use that targets make of it.
    #[serde(rename = "use", serialize_with = "text")]
    pub node_use: NodeUse,
    /// Where it is being drained, how many instances of each service are left; a service whose name nobody knows is
    /// named by 16 digits. Empty elsewhere.
    pub left: BTreeMap<String, u32>,
}

/// The state of a member for a node. The first three are opinions, the others are records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemberState {
    /// Heard from.
    Alive,
    /// Silent to its observers; may still refute.
    Suspect,
    /// Held for dead. Its registrations stay and are not live.
    Dead,
    /// Left gracefully.
    Left,
    /// Retired by `forget`.
    Retired,
    /// Evicted. Never again with this key.
    Evicted,
}

impl MemberState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Alive, Self::Suspect, Self::Dead, Self::Left, Self::Retired, Self::Evicted];

    /// The word used in JSON and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Suspect => "suspect",
            Self::Dead => "dead",
            Self::Left => "left",
            Self::Retired => "retired",
            Self::Evicted => "evicted",
        }
    }
}

impl fmt::Display for MemberState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for MemberState {
    type Err = UnknownWord;

    fn from_str(s: &str) -> Result<Self, UnknownWord> {
        let unknown = UnknownWord("no state of a member");
        Self::ALL.into_iter().find(|state| state.as_str() == s).ok_or(unknown)
    }
}
