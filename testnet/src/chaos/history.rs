//! What is recorded of a run: plain data, without a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// A registration's place: which node has it, under which name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Key {
    /// The node.
    pub host: usize,
    /// The service.
    pub service: String,
}

/// A key, by its place in [`History::keys`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct KeyId(pub u32);

/// What was registered. No two registrations of a run have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Value(pub u32);

/// A fence: the claim of a leader. Claims are in this order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Claim {
    /// Its term.
    pub term: u64,
    /// The node it belongs to.
    pub principal: String,
}

/// What a client asked, and what it was told where it was told something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Asked {
    /// To register this.
    Register(KeyId, Value),
    /// To register this, and have another member store it before that is acknowledged.
    RegisterSynced(KeyId, Value),
    /// To remove it.
    Deregister(KeyId),
    /// For everything there is: what was found.
    Query(Vec<(KeyId, Value)>),
    /// For the leader's claim to be stored: the claim, and the principals of those that stored it.
    Ping(Option<(Claim, Vec<String>)>),
    /// Something else, which is of no account to the checks.
    Other(String),
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Outcome {
    /// It was acknowledged.
    Done,
    /// The node said that there is no such thing.
    Absent,
    /// The node said that it did nothing, or was not there to be asked.
    Failed(String),
    /// It may have been carried out or not, and may still be.
    Unknown(String),
}

/// One call of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Call {
    /// Which client.
    pub client: usize,
    /// Which node it asked.
    pub host: usize,
    /// When it asked.
    pub from: Duration,
    /// When it knew how it ended.
    pub to: Duration,
    /// What it asked.
    pub asked: Asked,
    /// How it ended.
    pub outcome: Outcome,
}

/// A blob that a node acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Put {
    /// Which node.
    pub host: usize,
    /// When it had said so.
    pub at: Duration,
    /// Which blob.
    pub blob: String,
}

/// What happened to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Fate {
    /// Its process was started.
    Started,
    /// Its process was killed.
    Killed,
    /// Its process ended because it was asked to leave.
    Left,
    /// Its database was removed, or put back to an older one.
    Wiped,
    /// It was made anew, with another key.
    Rekeyed,
}

/// What a node said of itself, at a look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Look {
    /// Its incarnation.
    pub incarnation: u64,
    /// The digest of its state.
    pub digest: String,
    /// The leader: its name, and the term.
    pub leader: Option<(String, u64)>,
    /// How many are alive to it,
    pub alive: u32,
    /// suspect,
    pub suspect: u32,
    /// and dead.
    pub dead: u32,
}

/// A look at a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// When it was asked.
    pub at: Duration,
    /// Which node.
    pub host: usize,
    /// What it said; `None` if it said nothing in time.
    pub look: Option<Look>,
}

/// A fault, from its begin to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Span {
    /// When it began.
    pub from: Duration,
    /// When it ended; as `from` for what happens at once.
    pub to: Duration,
    /// What it was, as the plan says it.
    pub what: String,
    /// Which state of which nodes it is; none for a fault of the network.
    pub state: Option<State>,
    /// The hosts it concerned.
    pub hosts: Vec<usize>,
}

/// A state that a fault brings a process into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum State {
    /// It does not run.
    Down,
    /// It is stopped.
    Frozen,
    /// Its disk is full.
    Full,
}

/// Everything that was recorded of a run. Times are from its start.
#[derive(Debug, Clone, Default, Serialize)]
pub struct History {
    /// Names of the nodes, by number.
    pub hosts: Vec<String>,
    /// Every key that was named in a call or found by one.
    pub keys: Vec<Key>,
    /// Calls in the order in which they ended.
    pub calls: Vec<Call>,
    /// What happened to nodes, in the order of time.
    pub fates: Vec<(Duration, usize, Fate)>,
    /// Looks, in the order of time.
    pub samples: Vec<Sample>,
    /// Faults, in the order in which they ended.
    pub spans: Vec<Span>,
    /// Processes that ended without being told to.
    pub crashes: Vec<(Duration, usize, String)>,
    /// Hosts that run as another one: the identity's first host, by the host of its copy.
    pub copies: BTreeMap<usize, usize>,
    /// Blobs that nodes acknowledged, in the order of time.
    pub puts: Vec<Put>,
    /// Blobs that a node gave out with other bytes than were put.
    pub false_blobs: Vec<(usize, String)>,
    /// Names that nodes were called by and that are of none.
    pub strangers: BTreeSet<String>,
    #[serde(skip)]
    ids: BTreeMap<Key, KeyId>,
}

impl History {
    /// A history without anything in it.
    #[must_use]
    pub fn new(hosts: Vec<String>) -> Self {
        Self { hosts, ..Self::default() }
    }

    /// The number of a key; it gets one if it has none.
    ///
    /// # Panics
    ///
    /// Beyond four billion keys.
    pub fn key(&mut self, host: usize, service: &str) -> KeyId {
        let key = Key { host, service: service.to_owned() };
        *self.ids.entry(key).or_insert_with_key(|key| {
            self.keys.push(key.clone());
            KeyId(u32::try_from(self.keys.len() - 1).expect("fewer keys than four billion"))
        })
    }

    /// The host whose identity runs at this one.
    #[must_use]
    pub fn identity_of(&self, host: usize) -> usize {
        self.copies.get(&host).copied().unwrap_or(host)
    }

    /// When the last call ended.
    #[must_use]
    pub fn end(&self) -> Duration {
        self.calls.iter().map(|call| call.to).max().unwrap_or_default()
    }

    /// The key of this number.
    ///
    /// # Panics
    ///
    /// If it is not of this history.
    #[must_use]
    pub fn key_of(&self, id: KeyId) -> &Key {
        &self.keys[id.0 as usize]
    }

    /// A key as a person reads it.
    #[must_use]
    pub fn show(&self, id: KeyId) -> String {
        let key = self.key_of(id);
        let unknown = || format!("node {}", key.host);
        let host = self.hosts.get(key.host).cloned().unwrap_or_else(unknown);
        format!("{}/{}", host, key.service)
    }
}

impl Value {
    /// The address that is registered for it.
    #[must_use]
    pub fn address(self) -> String {
        let [_, a, b, c] = self.0.to_be_bytes();
        format!("10.{a}.{b}.{c}:1000")
    }

    /// What was registered, from the `NetId` that a node shows.
    #[must_use]
    pub fn of_net_id(net_id: &str) -> Option<Self> {
        let address = net_id.rsplit('/').next()?;
        let ip = address.strip_suffix(":1000")?.strip_prefix("10.")?;
        let parts: Vec<u8> = ip.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
        let [a, b, c] = parts.try_into().ok()?;
        Some(Self(u32::from_be_bytes([0, a, b, c])))
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.term, crate::view::short(&self.principal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_again_in_what_a_node_shows() {
        for value in [0, 1, 255, 256, 70_000, 0xff_ffff] {
            let value = Value(value);
            let net_id = format!("/v1/{}/net/{}", "ab".repeat(32), value.address());
            assert_eq!(Value::of_net_id(&net_id), Some(value));
        }
        assert_eq!(Value::of_net_id("/v1/ab/net/127.0.0.1:1000"), None);
        assert_eq!(Value::of_net_id(""), None);
    }

    #[test]
    fn a_key_has_one_number() {
        let mut history = History::new(vec!["n0".to_owned()]);
        let key = history.key(0, "a");
        assert_ne!(history.key(0, "b"), key);
        assert_eq!(history.key(0, "a"), key);
        assert_eq!(history.show(key), "n0/a");
    }
}
