//! The registrations of a service.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::port::PortName;
use crate::name::ServiceName;

/// The registrations of a service while it is well.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<RegisterAs>", into = "Vec<RegisterAs>")]
pub enum Register {
    /// Its own name and revision, with its first port; nothing where it has no port. The key is absent then.
    #[default]
    ByName,
    /// These; at most [`REGISTER_MAX`](super::REGISTER_MAX). None of them: it is not registered.
    List(Vec<RegisterAs>),
}

impl Register {
    /// Whether the key is absent.
    pub(super) fn is_by_name(&self) -> bool {
        *self == Self::ByName
    }
}

impl From<Vec<RegisterAs>> for Register {
    fn from(list: Vec<RegisterAs>) -> Self {
        Self::List(list)
    }
}

impl From<Register> for Vec<RegisterAs> {
    fn from(register: Register) -> Self {
        match register {
            Register::ByName => Self::new(),
            Register::List(list) => list,
        }
    }
}

/// One name under which a service is registered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterAs {
    /// The actual service name.
    pub service: ServiceName,
    /// The revision.
    pub rev: ServiceName,
    /// The port at which callers reach it; one of the service's.
    pub port: PortName,
    /// Free labels, by the rules of those of a registration; at most
    /// [`SERVICE_LABELS_MAX`](crate::record::SERVICE_LABELS_MAX).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}
