//! What happens in the network.

use libp2p::PeerId;
use libp2p::core::ConnectedPoint;
use libp2p::core::transport::TransportError;
use libp2p::swarm::{ConnectionId, DialError, ListenError, SwarmEvent};
use libp2p::{gossipsub, kad, request_response};

use super::super::address::socket_addr;
use super::super::beat;
use super::super::behaviour::{BehaviourEvent, MembersEvent};
use super::super::dial::classify;
use super::super::door::Broken;
use super::super::exchange::failure_of;
use super::super::gate::Group;
use super::super::identity::principal_of;
use super::super::peers::Closed;
use super::super::turned::Why;
use super::Task;
use crate::link::{Event, Protocol};

/// An address that no peer has, for one that cannot be told.
const NOWHERE: std::net::SocketAddr =
    std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);

/// Why the door closed an incoming connection, if it did that on its own account.
fn why_turned(error: &ListenError) -> Option<Why> {
    let ListenError::Transport(TransportError::Other(error)) = error else { return None };
    match Broken::of(error)? {
        Broken::NotCrux => Some(Why::Foreign),
        Broken::Silent | Broken::Late => Some(Why::Late),
        // The gate counts those itself; and a peer that leaves is not turned away.
        Broken::MadeRoom | Broken::Closed => None,
    }
}

impl Task {
    pub(super) fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Gate(event)) => self.on_member_event(event),
            SwarmEvent::Behaviour(BehaviourEvent::Join(event)) => {
                self.on_exchange(Protocol::Join, event);
            }
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_established(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, .. } => {
                self.on_closed(peer_id, connection_id);
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                self.on_dial_error(connection_id, &error);
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                tracing::debug!(from = %send_back_addr, %error, "connection refused");
                if let Some(why) = why_turned(&error) {
                    self.turned.count(why, [Group::from(&send_back_addr)]);
                }
            }
            // Nearly always that there are no descriptors left, for as long as others hold them.
            SwarmEvent::ListenerError { error, .. } => {
                self.turned.deaf(&error);
                self.swarm.behaviour_mut().gate.relieve();
            }
            SwarmEvent::ListenerClosed { addresses, reason, .. } => {
                tracing::error!(?addresses, ?reason, "listener closed");
            }
            _ => {}
        }
    }

    fn on_member_event(&mut self, event: MembersEvent) {
        match event {
            MembersEvent::Gossipsub(event) => self.on_gossip(event),
            MembersEvent::Kademlia(event) => self.on_book(event),
            MembersEvent::Beat(event) => self.on_beat(&event),
            MembersEvent::Sync(event) => self.on_exchange(Protocol::Sync, event),
            MembersEvent::Call(event) => self.on_exchange(Protocol::Call, event),
            MembersEvent::Pastiche(event) => self.on_exchange(Protocol::Pastiche, event),
        }
    }

    fn on_established(&mut self, peer: PeerId, id: ConnectionId, endpoint: &ConnectedPoint) {
        let Some(principal) = principal_of(&peer) else {
            return; // The gate refuses them; there is no such connection.
        };
        let addr = socket_addr(endpoint.get_remote_address()).unwrap_or(NOWHERE);
        let member = self.swarm.behaviour().gate.is_open(id);
        if self.peers.established(peer, id, member) {
            let outbound = endpoint.is_dialer();
            tracing::debug!(peer = %principal.short(), %addr, outbound, member, "connected");
            self.emit(Event::Connected { peer: principal, addr, outbound, member });
        }
        if let Some((id, others)) = self.dials.established(id) {
            for other in others {
                self.swarm.behaviour_mut().gate.abandon_dial(other);
            }
            self.emit(Event::Dialled { id, peer: principal, addr });
        }
    }

    fn on_closed(&mut self, peer: PeerId, id: ConnectionId) {
        match self.peers.closed(&peer, id) {
            Closed::Nothing => {}
            Closed::CloseRest => self.swarm.behaviour_mut().gate.close_peer(peer),
            Closed::Gone => {
                if let Some(peer) = principal_of(&peer) {
                    tracing::debug!(peer = %peer.short(), "disconnected");
                    self.emit(Event::Disconnected { peer });
                }
            }
        }
    }

    fn on_dial_error(&mut self, connection: ConnectionId, error: &DialError) {
        let failure = classify(error, self.swarm.local_peer_id());
        if let Some(id) = self.dials.failed(connection, failure) {
            tracing::debug!(dial = id.0, ?failure, "address failed");
            self.advance_dial(id);
        }
    }

    fn on_gossip(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message { propagation_source, message_id, message } => {
                let Some(from) = principal_of(&propagation_source) else {
                    return;
                };
                let gossipsub = self.swarm.behaviour_mut().gossipsub();
                let received =
                    self.gossip.receive(gossipsub, message_id, propagation_source, message);
                if let Some((id, topic, data)) = received {
                    self.emit(Event::Gossip { id, topic, from, data });
                }
            }
            // Its score takes it out of the mesh; anti-entropy brings it what it missed.
            gossipsub::Event::SlowPeer { peer_id, .. } => {
                let peer = principal_of(&peer_id).unwrap_or_default();
                tracing::debug!(peer = %peer.short(), "too slow for gossip");
            }
            gossipsub::Event::GossipsubNotSupported { peer_id } => {
                let peer = principal_of(&peer_id).unwrap_or_default();
                tracing::debug!(peer = %peer.short(), "does not gossip with this node yet");
            }
            gossipsub::Event::Subscribed { .. } | gossipsub::Event::Unsubscribed { .. } => {}
        }
    }

    fn on_book(&mut self, event: kad::Event) {
        let kad::Event::OutboundQueryProgressed { id, result, step, .. } = event else {
            return;
        };
        match result {
            kad::QueryResult::GetClosestPeers(_) => {
                if let Some((peer, addrs)) = self.book.progress(id, result, step.last) {
                    self.emit(Event::Found { peer, addrs });
                }
            }
            _ => self.bulk_outbox.extend(self.providers.progress(id, result, step.last)),
        }
        self.mind_kademlia();
    }

    fn on_beat(&mut self, event: &beat::Event) {
        if let Some(peer) = principal_of(&event.peer) {
            self.emit(Event::Beat {
                peer,
                incarnation: event.frame.incarnation,
                counter: event.frame.counter,
            });
        }
    }

    fn on_exchange(
        &mut self,
        protocol: Protocol,
        event: request_response::Event<Vec<u8>, Vec<u8>>,
    ) {
        use request_response::{Event as Exchanged, Message};
        match event {
            Exchanged::Message { peer, message, .. } => match message {
                Message::Request { request_id, request, channel } => {
                    let Some(peer) = principal_of(&peer) else { return };
                    let id = self.requests.received(protocol, request_id, peer, channel);
                    if let Some(id) = id {
                        self.emit_of(
                            protocol,
                            Event::Request { id, peer, protocol, body: request },
                        );
                    }
                }
                Message::Response { request_id, response } => {
                    if let Some((id, peer)) = self.requests.done(protocol, request_id) {
                        self.emit_of(protocol, Event::Response { id, peer, body: response });
                    }
                }
            },
            Exchanged::OutboundFailure { request_id, error, .. } => {
                if let Some((id, peer)) = self.requests.done(protocol, request_id) {
                    tracing::debug!(peer = %peer.short(), ?protocol, %error, "request failed");
                    let failure = failure_of(&error);
                    self.emit_of(protocol, Event::RequestFailed { id, peer, failure });
                }
            }
            Exchanged::InboundFailure { request_id, .. }
            | Exchanged::ResponseSent { request_id, .. } => {
                if let Some(id) = self.requests.over(protocol, request_id) {
                    self.emit_of(protocol, Event::Replied { id });
                }
            }
        }
    }
}
