use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::fact::Fact;
use crux_crdt::name::NodeName;
use crux_crdt::path::Endpoint;
use crux_crdt::record::ServiceKey;

use crate::leader::Claim;
use crate::{join, leader, liveness, sync};

/// Where a replica is full, unless it is told otherwise: some fifteen thousand members with ten services
/// each. A guess.
pub const REPLICA_MAX: usize = 256 << 20;
/// The least limit that makes sense: nine hundred members with ten services each.
pub const REPLICA_MAX_LEAST: usize = 16 << 20;

/// What a node is told at its start.
#[derive(Debug, Clone)]
pub struct Config {
    /// The name it claims.
    pub name: Option<NodeName>,
    /// Where it is reached, best first; at most eight.
    pub addresses: Vec<Endpoint>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its X25519 public key.
    pub agreement_key: [u8; 32],
    /// The version of Crux it runs.
    pub version: String,
    /// Where to find others: `HOST:PORT` each.
    pub join: Vec<String>,
    /// How long a dead member stays before the leader retires it. From the design, page 02.
    pub forget_after: Duration,
    /// The same for members with the label `ephemeral`.
    pub forget_ephemeral_after: Duration,
    /// How many bytes the replica may take in memory before it is full; see [`crux_crdt::strew`].
    pub replica_max: usize,
    /// Of the engines.
    pub sync: sync::Config,
    /// Of the engines.
    pub liveness: liveness::Config,
    /// Of the engines.
    pub leader: leader::Config,
    /// Of the engines.
    pub joining: join::Config,
}

impl Config {
    /// A node at these addresses, with defaults for the rest.
    pub fn new(addresses: Vec<Endpoint>) -> Self {
        Self {
            name: None,
            addresses,
            labels: BTreeMap::new(),
            agreement_key: [0; 32],
            version: env!("CARGO_PKG_VERSION").to_owned(),
            join: Vec::new(),
            forget_after: Duration::from_secs(72 * 3600),
            forget_ephemeral_after: Duration::from_secs(600),
            replica_max: REPLICA_MAX,
            sync: sync::Config::default(),
            liveness: liveness::Config::default(),
            leader: leader::Config::default(),
            joining: join::Config::default(),
        }
    }
}

/// What a node finds on its disk; empty at its first start.
#[derive(Debug, Clone, Default)]
pub struct Restored {
    /// Whether its key is older than this start. Then it may have said something, even if the disk
    /// holds nothing of it.
    pub known_key: bool,
    /// The facts of all authors, its own among them.
    pub facts: Vec<Fact>,
    /// The greatest claim whose command it accepted.
    pub fence: Option<Claim>,
    /// What it removed before it knew its past.
    pub removed: BTreeSet<ServiceKey>,
}
