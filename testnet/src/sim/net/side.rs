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
pub(in crate::sim) struct Sent {
    pub(in crate::sim) conn: ConnId,
    pub(in crate::sim) peer: Principal,
}

/// An answer that is owed.
#[derive(Debug)]
pub(in crate::sim) struct Owed {
    pub(in crate::sim) conn: ConnId,
    pub(in crate::sim) to: Side,
    pub(in crate::sim) request: RequestId,
}

/// What one process's adapter remembers.
#[derive(Debug, Default)]
pub(in crate::sim) struct Socket {
    pub(in crate::sim) admitted: Arc<BTreeSet<Principal>>,
    pub(in crate::sim) observed: BTreeSet<Principal>,
    /// The last beat of this process: incarnation and counter.
    pub(in crate::sim) beat: Option<(u64, u64)>,
    pub(in crate::sim) watching: BTreeMap<Principal, ConnId>,
    pub(in crate::sim) peers: Peers,
    pub(in crate::sim) mesh: Mesh,
    pub(in crate::sim) sent: BTreeMap<RequestId, Sent>,
    pub(in crate::sim) owed: BTreeMap<ReplyId, Owed>,
    pub(in crate::sim) seen: Seen,
    pub(in crate::sim) unjudged: BTreeMap<GossipId, (Arc<Rumour>, Principal)>,
    /// Since when bytes are counted, and how many it sent.
    pub(in crate::sim) sent_bytes: (Instant, u64),
    next: u64,
}

impl Socket {
    /// Counts what is sent since then; what was counted before does not matter any more.
    pub(in crate::sim) fn count(&mut self, bytes: usize, since: Instant) {
        if self.sent_bytes.0 < since {
            self.sent_bytes = (since, 0);
        }
        self.sent_bytes.1 += bytes as u64;
    }

    /// The next number for an id that the adapter chooses.
    pub(in crate::sim) const fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}
