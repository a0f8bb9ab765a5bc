use core::time::Duration;

use crux_crdt::Principal;
use crux_protocol::flock::Event;
use crux_protocol::link::{self, Protocol, ReplyId, RequestFailure, RequestId};
use rand::RngExt;

use super::conn::Phase;
use super::side::{Owed, Sent};
use super::{ConnId, Message, Side};
use crate::host::Process;
use crate::queue::Happening;
use crate::scenario::Cut;
use crate::world::World;

/// How long a request may take, as in the libp2p adapter.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The number of a request that no node made: nodes count from one.
const NOBODYS: RequestId = RequestId(u64::MAX);

/// How late a message is at most that others overtake.
const LATE_MAX: Duration = Duration::from_secs(2);

impl World {
    pub(crate) fn send_request(
        &mut self,
        by: Process,
        id: RequestId,
        peer: Principal,
        protocol: Protocol,
        body: Vec<u8>,
    ) {
        let peers = &self.socket(by.host).peers;
        let usable =
            if protocol == Protocol::Join { peers.all(&peer) } else { peers.open(&peer).to_vec() };
        let connected = peers.is_connected(&peer);
        let fail = |failure| link::Event::RequestFailed { id, peer, failure };
        if body.len() > protocol.max_body() {
            self.broken(format!("n{} sends a request of {} bytes", by.host, body.len()));
        }
        if usable.is_empty() {
            let failure =
                if connected { RequestFailure::Unsupported } else { RequestFailure::NotConnected };
            return self.tell(by, fail(failure));
        }
        let conn = usable[self.rng.random_range(0..usable.len())];
        self.socket(by.host).sent.insert(id, Sent { conn, peer });
        let side = self.side_of(conn, by);
        self.transmit(conn, side, Message::Request { id, protocol, body });
        self.queue.push(self.now + REQUEST_TIMEOUT, Happening::TimedOut(by, id));
    }

    /// A process that runs gets a request that no node made, as from one of its peers, which does not wait for the
    /// reply.
    pub(crate) fn slip_request_in(&mut self, host: usize, protocol: Protocol, body: Vec<u8>) {
        let it = &self.hosts[host];
        if it.running.is_none() || it.inbox.is_some() {
            return;
        }
        let at = Process { host, boot: it.boot };
        let peer = self.socket(host).peers.with_open_gate().into_iter().next();
        let conn = peer.and_then(|peer| Some((peer, self.newest_open(at, &peer)?)));
        let Some((peer, conn)) = conn else { return };
        let id = ReplyId(self.socket(host).fresh());
        let owed = Owed { conn, to: self.side_of(conn, at).other(), request: NOBODYS };
        self.socket(host).owed.insert(id, owed);
        self.handle(at, Event::Link(link::Event::Request { id, peer, protocol, body }));
    }

    pub(crate) fn send_reply(&mut self, by: Process, id: ReplyId, body: Vec<u8>) {
        let Some(owed) = self.socket(by.host).owed.remove(&id) else {
            return self.broken(format!("n{} answers request {} again", by.host, id.0));
        };
        let Owed { conn, to, request } = owed;
        self.transmit(conn, to.other(), Message::Response { id: request, body });
    }

    /// Sends a message that others overtake, as one does that was held up in a queue.
    pub(crate) fn transmit_late(&mut self, id: ConnId, from: Side, message: Message) {
        let late = self.rng.random_range(Duration::ZERO..LATE_MAX);
        let Some(conn) = self.net.conns.get(id) else { return };
        let at = conn.end(from.other()).floor.max(self.now) + late;
        self.queue.push(at, Happening::Arrive(id, from.other(), message));
    }

    /// Sends a message from one end of a connection. It arrives after those sent before.
    pub(crate) fn transmit(&mut self, id: ConnId, from: Side, message: Message) {
        let delay = self.delay();
        let Some(conn) = self.net.conns.get_mut(id) else { return };
        let sender = conn.end(from).at;
        let end = conn.end_mut(from.other());
        let at = end.floor.max(self.now + delay);
        end.floor = at;
        let size = message.size();
        self.queue.push(at, Happening::Arrive(id, from.other(), message));
        self.sent += size as u64;
        if self.is_current(sender) {
            let since = self.rest_from;
            self.socket(sender.host).count(size, since);
        }
    }

    /// A message comes to the end of its path, where a cut may hold it up.
    pub(crate) fn arrive(&mut self, id: ConnId, side: Side, message: Message) {
        let Some(conn) = self.net.conns.get(id) else { return };
        let (at, from) = (conn.end(side).at, conn.end(side.other()).at);
        if self.net.paths.cut_between(from.host, at.host) == Some(Cut::Silent) {
            return self.net.paths.hold(id, side, message);
        }
        if matches!(message, Message::Close) {
            return self.close_end(id, side);
        }
        let Phase::Up { open } = conn.end(side).phase else { return };
        if !self.is_current(at) {
            return self.close_end(id, side);
        }
        let peer = conn.end(side.other()).who;
        match message {
            Message::Request { id: request, protocol, body } => {
                if protocol != Protocol::Join && !open {
                    let failure = RequestFailure::Unsupported;
                    return self.transmit(id, side, Message::Refusal { id: request, failure });
                }
                let reply = ReplyId(self.socket(at.host).fresh());
                let owed = Owed { conn: id, to: side.other(), request };
                self.socket(at.host).owed.insert(reply, owed);
                let event = link::Event::Request { id: reply, peer, protocol, body };
                self.handle(at, Event::Link(event));
            }
            Message::Response { id, body } => {
                if self.socket(at.host).sent.remove(&id).is_some() {
                    self.handle(at, Event::Link(link::Event::Response { id, peer, body }));
                }
            }
            Message::Refusal { id, failure } => self.fail_request(at, id, failure),
            Message::Rumour(rumour, again) if open => self.hear_rumour(at, peer, &rumour, again),
            Message::Graft(topic) if open => self.hear_graft(at, peer, topic),
            Message::Prune(topic) if open => self.hear_prune(at, peer, topic),
            Message::Have(ids) if open => self.hear_advert(at, peer, &ids),
            Message::Want(ids) if open => self.hear_wanted(at, peer, &ids),
            Message::Watch(on) if open => {
                if let Some(conn) = self.net.conns.get_mut(id) {
                    conn.end_mut(side).watched = on;
                }
                // An observer that begins to watch gets the last heartbeat at once.
                if on && let Some((incarnation, counter)) = self.socket(at.host).beat {
                    self.transmit(id, side, Message::Beat { incarnation, counter });
                }
            }
            Message::Beat { incarnation, counter } if open => {
                if self.socket(at.host).observed.contains(&peer) {
                    let event = link::Event::Beat { peer, incarnation, counter };
                    self.handle(at, Event::Link(event));
                }
            }
            // The gate is closed on this side.
            Message::Rumour(..)
            | Message::Graft(_)
            | Message::Prune(_)
            | Message::Have(_)
            | Message::Want(_)
            | Message::Watch(_)
            | Message::Beat { .. }
            | Message::Close => {}
        }
    }

    pub(crate) fn fail_request(&mut self, at: Process, id: RequestId, failure: RequestFailure) {
        if let Some(Sent { peer, .. }) = self.socket(at.host).sent.remove(&id) {
            let event = link::Event::RequestFailed { id, peer, failure };
            self.handle(at, Event::Link(event));
        }
    }

    /// A connection closed: what was asked on it is lost.
    pub(crate) fn fail_requests_on(&mut self, at: Process, conn: ConnId) {
        let sent = &self.socket(at.host).sent;
        let lost: Vec<_> =
            sent.iter().filter(|(_, sent)| sent.conn == conn).map(|(id, _)| *id).collect();
        for id in lost {
            self.fail_request(at, id, RequestFailure::Lost);
        }
    }

    /// Which end of a connection is at this process.
    pub(crate) fn side_of(&self, id: ConnId, at: Process) -> Side {
        let conn = self.net.conns.get(id);
        let dialled = conn.is_some_and(|conn| conn.end(Side::Dialler).at == at);
        if dialled { Side::Dialler } else { Side::Listener }
    }
}
