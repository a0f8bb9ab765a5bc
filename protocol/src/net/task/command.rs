//! What the engine asks for.

use std::net::SocketAddr;

use crux_crdt::Principal;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use tokio::time::Instant;

use super::super::beat::Frame;
use super::super::dial::{Step, classify, resolve};
use super::super::holders::key_of;
use super::super::identity::peer_of;
use super::super::limits::{DIAL_ADDRS_MAX, RESOLVES_MAX};
use super::Task;
use crate::link::{
    Command, DialFailure, DialId, Event, Protocol, ReplyId, RequestFailure, RequestId,
};

impl Task {
    pub(super) fn on_command(&mut self, command: Command) {
        match command {
            Command::Dial { id, addrs, expect } => self.on_dial(id, addrs, expect),
            Command::Disconnect { peer } => {
                self.swarm.behaviour_mut().gate.close_peer(peer_of(&peer));
            }
            Command::Release { peer } if self.requests.is_busy_with(&peer) => {}
            Command::Release { peer } => {
                self.swarm.behaviour_mut().gate.close_peer(peer_of(&peer));
            }
            Command::Keep { peer } => self.swarm.behaviour_mut().gate.keep(peer_of(&peer)),
            Command::Admit { members } => self.swarm.behaviour_mut().gate.admit(members),
            Command::Publish { topic, data } => {
                let gossipsub = self.swarm.behaviour_mut().gossipsub();
                self.gossip.publish(gossipsub, topic, data);
            }
            Command::Judge { id, verdict } => {
                let gossipsub = self.swarm.behaviour_mut().gossipsub();
                self.gossip.judge(gossipsub, id, verdict);
            }
            Command::Request { id, peer, protocol, body } => {
                self.on_request(id, peer, protocol, body);
            }
            Command::Reply { id, body } => self.on_reply(id, body),
            Command::Observe { subjects } => {
                let beat = &mut self.swarm.behaviour_mut().gate.inner_mut().beat;
                beat.observe(subjects.iter().map(peer_of).collect());
            }
            Command::Beat { incarnation, counter } => {
                let frame = Frame { incarnation, counter };
                self.swarm.behaviour_mut().gate.inner_mut().beat.beat(frame);
            }
            Command::SetAddresses { peer, addrs } => {
                let ips = addrs.iter().map(SocketAddr::ip);
                self.swarm.behaviour_mut().gate.expect_at(peer_of(&peer), ips);
                let kademlia = self.swarm.behaviour_mut().kademlia();
                self.book.set(kademlia, peer_of(&peer), &addrs);
            }
            Command::Find { peer } => {
                self.book.find(self.swarm.behaviour_mut().kademlia(), peer);
                self.mind_kademlia();
            }
            Command::Provide { blob } => {
                let kademlia = self.swarm.behaviour_mut().kademlia();
                let at_once = self.providers.provide(kademlia, blob);
                self.bulk_outbox.extend(at_once);
                self.mind_kademlia();
            }
            Command::Withdraw { blob } => {
                self.swarm.behaviour_mut().kademlia().stop_providing(&key_of(&blob));
            }
            Command::Seek { blob } => {
                let at_once = self.providers.seek(self.swarm.behaviour_mut().kademlia(), blob);
                self.bulk_outbox.extend(at_once);
                self.mind_kademlia();
            }
        }
    }

    fn on_dial(&mut self, id: DialId, addrs: Vec<String>, expect: Option<Principal>) {
        if !self.dials.start(id, expect) {
            let failure = DialFailure::Unreachable;
            self.emit(Event::DialFailed { id, failure });
            return;
        }
        let literal: Option<Vec<SocketAddr>> =
            addrs.iter().take(DIAL_ADDRS_MAX).map(|addr| addr.parse().ok()).collect();
        match literal {
            Some(addrs) => self.on_resolved(id, addrs),
            None if self.resolving.len() < RESOLVES_MAX => {
                self.resolving.spawn(async move { (id, resolve(&addrs).await) });
            }
            None => self.advance_dial(id),
        }
    }

    /// Begins with what the names of a dial stand for.
    pub(super) fn on_looked_up(&mut self, id: DialId, addrs: Vec<SocketAddr>) {
        if addrs.is_empty() {
            self.dials.failed_at_once(id, DialFailure::Unresolved);
        }
        self.on_resolved(id, addrs);
    }

    /// Begins with the addresses of a dial.
    fn on_resolved(&mut self, id: DialId, addrs: Vec<SocketAddr>) {
        self.dials.resolved(id, addrs);
        self.advance_dial(id);
    }

    /// Tries the next addresses of dials whose last one takes long.
    pub(super) fn on_dials_due(&mut self) {
        while let Some(id) = self.dials.pop_due(Instant::now()) {
            self.advance_dial(id);
        }
    }

    /// Tries addresses of a dial until one is under way, or it has failed.
    pub(super) fn advance_dial(&mut self, id: DialId) {
        loop {
            match self.dials.next(id) {
                Step::Wait => return,
                Step::Fail(failure) => {
                    self.emit(Event::DialFailed { id, failure });
                    return;
                }
                Step::Try { addr, expect } => {
                    if self.try_address(id, addr, expect) {
                        return;
                    }
                }
            }
        }
    }

    /// Returns whether the address is under way; if not, why is remembered.
    fn try_address(&mut self, id: DialId, addr: SocketAddr, expect: Option<Principal>) -> bool {
        let addr = self.transport.multiaddr(addr);
        // From a new port each time. From the port that this node listens on, a connection that
        // just closed is in the way of the next one, and a refusal is told late.
        let opts = match expect {
            Some(expect) => DialOpts::peer_id(peer_of(&expect))
                .condition(PeerCondition::Always)
                .addresses(vec![addr])
                .allocate_new_port()
                .build(),
            None => DialOpts::unknown_peer_id().address(addr).allocate_new_port().build(),
        };
        let connection = opts.connection_id();
        match self.swarm.dial(opts) {
            Ok(()) => {
                self.dials.attempted(id, connection, Instant::now());
                true
            }
            Err(error) => {
                let failure = classify(&error, self.swarm.local_peer_id());
                self.dials.failed_at_once(id, failure);
                false
            }
        }
    }

    fn on_request(&mut self, id: RequestId, to: Principal, protocol: Protocol, body: Vec<u8>) {
        let peer = peer_of(&to);
        let exchange = self.swarm.behaviour_mut().exchange(protocol);
        let failure = if !exchange.is_connected(&peer) {
            if self.peers.is_connected(&peer) {
                // Only by connections on which this node's own gate is closed.
                RequestFailure::Unsupported
            } else {
                RequestFailure::NotConnected
            }
        } else if body.len() > protocol.max_body() {
            RequestFailure::Lost
        } else if !self.requests.has_room(protocol, &to) {
            RequestFailure::Busy
        } else {
            let sent = exchange.send_request(&peer, body);
            self.requests.sent(protocol, sent, id, to);
            return;
        };
        self.emit_of(protocol, Event::RequestFailed { id, peer: to, failure });
    }

    fn on_reply(&mut self, id: ReplyId, body: Vec<u8>) {
        let Some((protocol, channel)) = self.requests.reply(id) else {
            return;
        };
        if body.len() > protocol.max_body() {
            // Dropping the channel tells the peer at once.
            tracing::error!(?protocol, length = body.len(), "reply too large, not sent");
            return;
        }
        let exchange = self.swarm.behaviour_mut().exchange(protocol);
        if exchange.send_response(channel, body).is_err() {
            tracing::debug!(?protocol, "reply too late");
        }
    }
}
