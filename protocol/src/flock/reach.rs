//! Calls to members without an open connection: the node dials them for the call.
//!
//! **Invariant**: every call is either sent once, as soon as a connection with an open gate exists, or
//! fails once, at its time-out. A member that is needed for something else, the blobs, is dialled until
//! it is connected or until that time-out.
//!
//! A caller waits, so the dial does not: neither for its back-off nor for a dial that began before the
//! network came back.
//!
//! In a large flock a node is connected to a few others only, but a fenced command asks every live
//! member, and any member may ask the leader for one. A connection that was made for a call closes when
//! it is idle.

use core::time::Duration;

use crux_crdt::Principal;

use super::state::{Route, State};
use crate::link::{Protocol, RequestFailure, RequestId};
use crate::time::Instant;

/// How long a call waits for a link.
const REACH_PATIENCE: Duration = Duration::from_secs(1);
/// How many calls may wait for links. Further ones fail at once.
const WAITING_MAX: usize = 16_384;
/// How many members may be dialled for something else than a call. Further ones are not.
const REACHED_MAX: usize = 256;

/// A call that waits for a link.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) peer: Principal,
    body: Vec<u8>,
    until: Instant,
}

impl State {
    /// Sends a call, at once or when there is a link. The caller hears of its failure.
    pub(super) fn call(&mut self, peer: Principal, body: Vec<u8>, route: Route, now: Instant) {
        let linked = self.links.get(&peer).is_some_and(|link| link.open && !link.shut);
        if linked {
            return self.send(peer, Protocol::Call, body, route);
        }
        self.dial.hurry(&peer, now);
        let id = RequestId(self.fresh());
        self.requests.insert(id, route);
        let patience =
            if self.waiting.len() < WAITING_MAX { REACH_PATIENCE } else { Duration::ZERO };
        self.waiting.insert(id, Waiting { peer, body, until: now + patience });
        self.wanted = None;
    }

    /// Dials a member for something that this engine does not send, unless it is linked.
    pub(super) fn reach(&mut self, peer: Principal, now: Instant) {
        let known = self.strew.membership().contains(&peer) && peer != self.context.me;
        if known && !self.links.contains_key(&peer) && self.reached.len() < REACHED_MAX {
            self.reached.insert(peer, now + REACH_PATIENCE);
            self.wanted = None;
        }
    }

    /// A link to this member is open: the calls that wait for it go out.
    pub(super) fn send_what_waits(&mut self, peer: Principal) {
        if self.reached.remove(&peer).is_some() {
            self.wanted = None;
        }
        for (id, call) in self.waiting.extract_if(.., |_, call| call.peer == peer) {
            let Waiting { peer, body, .. } = call;
            let request =
                crate::link::Command::Request { id, peer, protocol: Protocol::Call, body };
            self.out.push(super::Command::Link(request));
            self.wanted = None;
        }
    }

    /// Fails the calls that waited long enough.
    pub(super) fn expire_calls(&mut self, now: Instant) {
        if self.reached.extract_if(.., |_, until| *until <= now).count() > 0 {
            self.wanted = None;
        }
        let late: Vec<_> = self.waiting.extract_if(.., |_, call| call.until <= now).collect();
        for (id, call) in late {
            self.wanted = None;
            self.on_request_failed(id, call.peer, RequestFailure::NotConnected, now);
        }
    }

    pub(super) fn waiting_deadline(&self) -> Instant {
        let calls = self.waiting.values().map(|call| call.until);
        calls.chain(self.reached.values().copied()).min().unwrap_or(Instant::NEVER)
    }
}
