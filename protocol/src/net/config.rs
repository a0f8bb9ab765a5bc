use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crux_crdt::{Digest, Principal};
use zeroize::Zeroizing;

/// What the adapter needs to know.
#[derive(Clone)]
pub struct Config {
    /// The Ed25519 seed of this node. Wiped on drop, never shown.
    pub secret_key: Zeroizing<[u8; 32]>,
    /// The flock. It is the prologue of every handshake and part of every topic name, so that
    /// flocks do not mix.
    pub genesis: Digest,
    /// Where to listen. Port 0 means any free port. None at all makes a node that only dials.
    pub listen: Vec<SocketAddr>,
    /// For whom the gate opens until the first [`crate::link::Command::Admit`]: the members as this
    /// node knew them last. Peers that dial a node the moment it is back would otherwise be
    /// strangers to it.
    pub members: Arc<BTreeSet<Principal>>,
    /// What carries the connections.
    pub transport: Transport,
    /// Bounds on what peers can make this node hold.
    pub limits: Limits,
}

impl Config {
    /// TCP, no members yet, and the default limits.
    pub fn new(secret_key: [u8; 32], genesis: Digest, listen: Vec<SocketAddr>) -> Self {
        Self {
            secret_key: Zeroizing::new(secret_key),
            genesis,
            listen,
            members: Arc::default(),
            transport: Transport::Tcp,
            limits: Limits::default(),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("genesis", &self.genesis)
            .field("listen", &self.listen)
            .field("members", &self.members.len())
            .field("transport", &self.transport)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// What carries the connections. Noise and Yamux run over either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// Channels within this process, for tests. Addresses are IPv4 addresses, of which any may be
    /// listened on.
    Memory,
}

/// Bounds on connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections per peer. One more closes the oldest: it is the peer's own key that proves the
    /// new one, and the old ones of a machine that lost power would otherwise lock it out.
    ///
    /// Less than 2 breaks simultaneous dials: each side closes the connection that the other
    /// keeps.
    pub per_peer_max: usize,
    /// Connections of members. One more closes the oldest of a member that has several; else, of those
    /// that members made, the oldest of the address that has most.
    pub members_max: usize,
    /// Incoming connections of peers that are not members and did not prove that they may become one.
    /// One more closes the oldest of the address that has most. As many may be of those who proved it.
    pub strangers_max: usize,
    /// How many of them may be of one IPv6 network of 48 bits. Further ones close their own.
    pub strangers_per_network_max: usize,
    /// Incoming connections whose handshake is not finished. One more closes one that gets nowhere.
    pub pending_max: usize,
    /// How many of them only addresses may have that members have.
    pub pending_kept: usize,
    /// How many of them one address may have that no member has; one IPv6 network of 64 bits counts
    /// as one address.
    pub pending_per_address_max: usize,
    /// How many of them one IPv6 network of 48 bits may have, which is what a site is given: it has
    /// 65,536 such addresses.
    pub pending_per_network_max: usize,
    /// How long a connection that nobody uses stays. Those of members are always in use, by
    /// gossip.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Two sides that dial at once, and one connection that is going down.
            per_peer_max: 3,
            // A leader that calls all 3,000 members of a flock at once, a third of which call as well.
            members_max: 4096,
            // Each may hold some 4 MiB of unfinished requests and windows.
            strangers_max: 64,
            // Half.
            strangers_per_network_max: 32,
            // A flock of 100 that reconnects to one node within one handshake time.
            pending_max: 128,
            pending_kept: 32,
            // A site behind one address that starts all its nodes at once.
            pending_per_address_max: 32,
            // Half of what there is for strangers.
            pending_per_network_max: 48,
            // A join is a series of requests with an engine's work in between.
            idle: Duration::from_secs(20),
        }
    }
}
