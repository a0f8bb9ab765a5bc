use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crux_crdt::Principal;
use crux_protocol::link::{GossipId, ReplyId, RequestId};
use crux_protocol::time::Instant;

use super::conn::Rumour;
use super::mesh::Mesh;
use super::peers::Peers;
use super::seen::Seen;
use super::{ConnId, Side};

/// A request that waits for its answer.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) conn: ConnId,
    pub(crate) peer: Principal,
}

/// An answer that is owed.
#[derive(Debug)]
pub(crate) struct Owed {
    pub(crate) conn: ConnId,
    pub(crate) to: Side,
    pub(crate) request: RequestId,
}

/// What one process's adapter remembers.
#[derive(Debug, Default)]
pub(crate) struct Socket {
    pub(crate) admitted: Arc<BTreeSet<Principal>>,
    pub(crate) observed: BTreeSet<Principal>,
    /// The last beat of this process: incarnation and counter.
    pub(crate) beat: Option<(u64, u64)>,
    pub(crate) watching: BTreeMap<Principal, ConnId>,
    pub(crate) peers: Peers,
    pub(crate) mesh: Mesh,
    pub(crate) sent: BTreeMap<RequestId, Sent>,
    pub(crate) owed: BTreeMap<ReplyId, Owed>,
    pub(crate) seen: Seen,
    pub(crate) unjudged: BTreeMap<GossipId, (Arc<Rumour>, Principal)>,
    /// Since when bytes are counted, and how many it sent.
    pub(crate) sent_bytes: (Instant, u64),
    next: u64,
}

impl Socket {
    /// Counts what is sent since then; what was counted before does not matter any more.
    pub(crate) fn count(&mut self, bytes: usize, since: Instant) {
        if self.sent_bytes.0 < since {
            self.sent_bytes = (since, 0);
        }
        self.sent_bytes.1 += bytes as u64;
    }

    /// The next number for an id that the adapter chooses.
    pub(crate) const fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}
