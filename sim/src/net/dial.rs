use core::time::Duration;
use std::collections::VecDeque;
use std::net::SocketAddr;

use crux_crdt::Principal;
use crux_protocol::flock::Event;
use crux_protocol::link::{self, DialFailure, DialId};
use rand::RngExt;

use super::conn::Phase;
use super::peers::Closed;
use super::{Conn, ConnId, Message, Side, addr_of, host_at};
use crate::host::Process;
use crate::queue::Happening;
use crate::scenario::Cut;
use crate::world::World;

/// How long a handshake may take, as in the libp2p adapter.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);
/// Connections per peer, as in the libp2p adapter: one more closes the oldest.
const PER_PEER_MAX: usize = 3;
/// How long a connection takes to close that nothing holds up.
const CLOSING: Duration = Duration::from_millis(2);
/// One in this many takes as long as the adapter's bound.
const SLOW_CLOSING_ONE_IN: u32 = 20;
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A dial in progress: its addresses are tried one after the other.
#[derive(Debug)]
pub(crate) struct Attempt {
    by: Process,
    id: DialId,
    rest: VecDeque<SocketAddr>,
    expect: Option<Principal>,
    failure: Option<DialFailure>,
}

impl World {
    pub(crate) fn start_dial(
        &mut self,
        by: Process,
        id: DialId,
        addrs: &[String],
        expect: Option<Principal>,
    ) {
        let rest = addrs.iter().filter_map(|addr| addr.parse().ok()).collect();
        let attempt = Attempt { by, id, rest, expect, failure: None };
        self.queue.push(self.now, Happening::Dial(attempt));
    }

    /// Tries the next address of a dial.
    pub(crate) fn dial_next(&mut self, mut attempt: Attempt) {
        let by = attempt.by;
        if !self.is_current(by) {
            return;
        }
        let Some(addr) = attempt.rest.pop_front() else {
            let failure = attempt.failure.unwrap_or(DialFailure::Unreachable);
            self.tell(by, link::Event::DialFailed { id: attempt.id, failure });
            return;
        };
        match self.outcome_of_dial(by.host, addr, attempt.expect) {
            Ok(host) => self.connect(attempt.by, attempt.id, host),
            Err((failure, after)) => {
                let worst = attempt.failure.map_or(failure, |known| known.min(failure));
                attempt.failure = Some(worst);
                self.queue.push(self.now + after, Happening::Dial(attempt));
            }
        }
    }

    /// The peer that is reached, or why none is and after how long that is known.
    fn outcome_of_dial(
        &mut self,
        from: usize,
        addr: SocketAddr,
        expect: Option<Principal>,
    ) -> Result<usize, (DialFailure, Duration)> {
        let round_trip = self.delay() + self.delay();
        let Some(host) = host_at(addr, self.hosts.len()) else {
            return Err((DialFailure::TimedOut, HANDSHAKE_TIMEOUT));
        };
        match self.net.paths.cut_either_way(from, host) {
            Some(Cut::Silent) => return Err((DialFailure::TimedOut, HANDSHAKE_TIMEOUT)),
            Some(Cut::Refused) => return Err((DialFailure::Refused, round_trip)),
            None => {}
        }
        if self.hosts[host].running.is_none() {
            return Err((DialFailure::Refused, round_trip));
        }
        if self.hosts[host].inbox.is_some() {
            return Err((DialFailure::TimedOut, HANDSHAKE_TIMEOUT));
        }
        let found = self.hosts[host].principal();
        if found == self.hosts[from].principal() {
            return Err((DialFailure::Myself, round_trip));
        }
        if expect.is_some_and(|expect| expect != found) {
            return Err((DialFailure::WrongPeer { found }, round_trip));
        }
        Ok(host)
    }

    /// Both ends come up after the handshake, in either order.
    fn connect(&mut self, by: Process, id: DialId, host: usize) {
        let listener = Process { host, boot: self.hosts[host].boot };
        let key = |host: usize| self.hosts[host].principal();
        let ends = [(by, key(by.host)), (listener, key(host))];
        let mut made = Conn::new(ends, self.now);
        let handshake = self.delay() + self.delay() + self.delay();
        let lag = self.delay();
        let dialler_first = self.rng.random_bool(0.5);
        let (first, last) = (self.now + handshake, self.now + handshake + lag);
        let (dialler, listener) = if dialler_first { (first, last) } else { (last, first) };
        made.end_mut(Side::Dialler).floor = dialler;
        made.end_mut(Side::Listener).floor = listener;
        let conn = self.net.conns.insert(made);
        self.net.dials.insert(conn, id);
        self.queue.push(dialler, Happening::Established(conn, Side::Dialler));
        self.queue.push(listener, Happening::Established(conn, Side::Listener));
    }

    /// One end of a connection is up: its gate is decided now.
    pub(crate) fn established(&mut self, id: ConnId, side: Side) {
        let Some(conn) = self.net.conns.get_mut(id) else { return };
        let (at, other) = (conn.end(side).at, conn.end(side.other()).at);
        let peer = conn.end(side.other()).who;
        if conn.end(side).phase == Phase::Down {
            return;
        }
        if !self.is_current(at) {
            return self.close_end(id, side);
        }
        if let Some(cut) = self.net.paths.cut_either_way(at.host, other.host) {
            return self.fail_handshake(id, side, cut);
        }
        let socket = self.socket(at.host);
        let open = socket.admitted.contains(&peer);
        let surplus = socket.peers.all(&peer);
        let news = socket.peers.established(peer, id, open);
        if let Some(conn) = self.net.conns.get_mut(id) {
            conn.end_mut(side).phase = Phase::Up { open };
        }
        if surplus.len() >= PER_PEER_MAX {
            self.shut_soon(surplus[0], at);
        }
        let outbound = side == Side::Dialler;
        if news {
            let addr = self.seen_from(other.host, outbound);
            let event = link::Event::Connected { peer, addr, outbound, member: open };
            self.handle(at, Event::Link(event));
        }
        if outbound && let Some(dial) = self.net.dials.remove(&id) {
            let addr = addr_of(other.host);
            self.handle(at, Event::Link(link::Event::Dialled { id: dial, peer, addr }));
        }
        self.watch_peers(at);
        if self.is_current(at) {
            self.meet(at, peer);
        }
    }

    /// A cut came in the middle of a handshake.
    fn fail_handshake(&mut self, id: ConnId, side: Side, cut: Cut) {
        if cut == Cut::Silent
            && side == Side::Dialler
            && let Some(dial) = self.net.dials.remove(&id)
            && let Some(conn) = self.net.conns.get(id)
        {
            let (by, failure) = (conn.end(side).at, Some(DialFailure::TimedOut));
            let attempt = Attempt { by, id: dial, rest: VecDeque::new(), expect: None, failure };
            self.queue.push(self.now + HANDSHAKE_TIMEOUT, Happening::Dial(attempt));
        }
        self.close_end(id, side);
    }

    /// The address that a peer has as seen from the other end.
    fn seen_from(&mut self, host: usize, outbound: bool) -> SocketAddr {
        let mut addr = addr_of(host);
        if !outbound {
            addr.set_port(self.rng.random_range(32_768..60_000));
        }
        addr
    }

    /// Closes every connection of a process to a peer.
    pub(crate) fn disconnect(&mut self, at: Process, peer: &Principal) {
        for id in self.socket(at.host).peers.all(peer) {
            self.shut_soon(id, at);
        }
    }

    /// The same, unless a request is in progress on one.
    pub(crate) fn release(&mut self, at: Process, peer: &Principal) {
        let conns = self.socket(at.host).peers.all(peer);
        let socket = self.socket(at.host);
        let asked = socket.sent.values().any(|sent| sent.peer == *peer);
        let asking = socket.owed.values().any(|owed| conns.contains(&owed.conn));
        if !asked && !asking {
            self.disconnect(at, peer);
        }
    }

    /// The end of a connection at this process closes after a moment.
    pub(crate) fn shut_soon(&mut self, id: ConnId, at: Process) {
        let slow = self.rng.random_range(0..SLOW_CLOSING_ONE_IN) == 0;
        let Some(conn) = self.net.conns.get_mut(id) else { return };
        let dialled = conn.end(Side::Dialler).at == at;
        let side = if dialled { Side::Dialler } else { Side::Listener };
        if !std::mem::replace(&mut conn.end_mut(side).closing, true) {
            let after = if slow { CLOSE_TIMEOUT } else { CLOSING };
            self.queue.push(self.now + after, Happening::Shut(id, side));
        }
    }

    /// One end closes now: the process is told, and the other end will hear of it.
    pub(crate) fn close_end(&mut self, id: ConnId, side: Side) {
        let Some(conn) = self.net.conns.get_mut(id) else { return };
        let was_up = conn.end(side).is_up();
        if std::mem::replace(&mut conn.end_mut(side).phase, Phase::Down) == Phase::Down {
            return;
        }
        let (at, peer) = (conn.end(side).at, conn.end(side.other()).who);
        self.transmit(id, side, Message::Close);
        if side == Side::Dialler
            && let Some(dial) = self.net.dials.remove(&id)
        {
            self.tell(at, link::Event::DialFailed { id: dial, failure: DialFailure::Closed });
        }
        let gone = self.net.conns.get(id).is_some_and(Conn::is_gone);
        if gone {
            self.net.conns.remove(id);
        }
        if was_up && self.is_current(at) {
            self.on_end_closed(at, peer, id);
        }
    }

    fn on_end_closed(&mut self, at: Process, peer: Principal, id: ConnId) {
        let socket = self.socket(at.host);
        socket.watching.retain(|_, conn| *conn != id);
        match socket.peers.closed(&peer, id) {
            Closed::Nothing => {}
            Closed::CloseRest => self.disconnect(at, &peer),
            Closed::Gone => self.handle(at, Event::Link(link::Event::Disconnected { peer })),
        }
        self.fail_requests_on(at, id);
        self.watch_peers(at);
    }
}
