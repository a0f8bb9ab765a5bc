//! Registered services.

use core::fmt;
use core::str::FromStr;
use std::collections::BTreeMap;

use crux_crdt::path::{FlockId, KeyId, NetId};
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::error::UnknownWord;

/// One instance of a service, registered by one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Where it is in the flock. Several instances may have one path.
    pub path: FlockId,
    /// Which instance at its path it is; 0 where there is one. Path and ordinal are unique together:
    /// registering the same again replaces the rest.
    pub ordinal: u16,
    /// Its name, unique in the flock.
    pub instance: String,
    /// Where it is reached.
    pub net_id: NetId,
    /// Which key it answers with; `None` until nodes publish service keys.
    pub key_id: Option<KeyId>,
    /// How it is.
    pub status: ServiceStatus,
    /// Whether its node is alive and its lease runs.
    pub live: bool,
    /// The labels that its caller gave it.
    pub labels: BTreeMap<String, String>,
}

impl Service {
    /// The key that tells it from every other service, and orders services.
    pub const fn key(&self) -> (&FlockId, u16) {
        (&self.path, self.ordinal)
    }
}

/// How a service is, as far as its node and the liveness of that tell. Ordered from best to worst for a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceStatus {
    /// It serves.
    Up,
    /// It serves, and a check failed.
    Degraded,
    /// Nothing was heard of it or of its node for a while.
    Unknown,
    /// It does not serve.
    Down,
}

impl ServiceStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Up, Self::Degraded, Self::Unknown, Self::Down];

    /// The word used in JSON and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Unknown => "unknown",
            Self::Degraded => "degraded",
            Self::Down => "down",
        }
    }
}

impl fmt::Display for ServiceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ServiceStatus {
    type Err = UnknownWord;

    fn from_str(s: &str) -> Result<Self, UnknownWord> {
        let unknown = UnknownWord("no status of a service");
        Self::ALL.into_iter().find(|status| status.as_str() == s).ok_or(unknown)
    }
}

/// `{path, ordinal, instance, net_id, key_id, status, node, labels}`. Whether it is live is not in it: what is not
/// live is shown only to those who ask for all.
impl Serialize for Service {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Service", 8)?;
        object.serialize_field("path", &self.path.to_string())?;
        object.serialize_field("ordinal", &self.ordinal)?;
        object.serialize_field("instance", &self.instance)?;
        object.serialize_field("net_id", &self.net_id.to_string())?;
        object.serialize_field("key_id", &self.key_id.as_ref().map(KeyId::to_string))?;
        object.serialize_field("status", self.status.as_str())?;
        object.serialize_field("node", self.path.node.as_str())?;
        object.serialize_field("labels", &self.labels)?;
        object.end()
    }
}
