use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use super::codec::Frame;
use super::handler::{Handler, In, Out};

/// A beat came in.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) peer: PeerId,
    pub(crate) frame: Frame,
}

/// What is known of one connected peer.
#[derive(Debug, Default)]
struct Peer {
    /// Its connections.
    connections: BTreeSet<ConnectionId>,
    /// Those on which it observes this node.
    observing: BTreeSet<ConnectionId>,
    /// The one on which this node observes it.
    observed: Option<ConnectionId>,
}

/// Sends and receives beats.
#[derive(Debug, Default)]
pub(crate) struct Behaviour {
    subjects: BTreeSet<PeerId>,
    peers: BTreeMap<PeerId, Peer>,
    /// The last beat.
    last: Option<Frame>,
    /// Beats received. Filled one per poll of the swarm, drained at once.
    events: VecDeque<Event>,
    /// Orders for handlers since the swarm was polled: at most one beat and one change of mind per
    /// observed peer, and a beat for the one stream that was opened.
    orders: VecDeque<(PeerId, ConnectionId, In)>,
}

impl Behaviour {
    /// Replaces the set of peers that this node observes.
    pub(crate) fn observe(&mut self, subjects: BTreeSet<PeerId>) {
        self.subjects = subjects;
        let peers: Vec<PeerId> = self.peers.keys().copied().collect();
        for peer in peers {
            self.settle(peer);
        }
    }

    /// Sends one heartbeat to each observer of this node. One that was not sent yet is replaced.
    pub(crate) fn beat(&mut self, frame: Frame) {
        self.last = Some(frame);
        self.orders.retain(|(_, _, order)| !matches!(order, In::Beat(_)));
        for (peer, state) in &self.peers {
            for connection in &state.observing {
                self.orders.push_back((*peer, *connection, In::Beat(frame)));
            }
        }
    }

    /// Makes it true that a subject is observed on one of its connections, and nobody else.
    fn settle(&mut self, peer: PeerId) {
        let wanted = self.subjects.contains(&peer);
        let Some(state) = self.peers.get_mut(&peer) else {
            return;
        };
        match (wanted, state.observed) {
            (true, None) => {
                // The newest: an older one may be going down.
                if let Some(connection) = state.connections.last().copied() {
                    state.observed = Some(connection);
                    self.orders.push_back((peer, connection, In::Observe(true)));
                }
            }
            (false, Some(connection)) => {
                state.observed = None;
                self.orders.push_back((peer, connection, In::Observe(false)));
            }
            _ => {}
        }
    }

    fn on_closed(&mut self, peer: PeerId, connection: ConnectionId) {
        let Some(state) = self.peers.get_mut(&peer) else {
            return;
        };
        state.connections.remove(&connection);
        state.observing.remove(&connection);
        if state.observed == Some(connection) {
            state.observed = None;
        }
        if state.connections.is_empty() {
            self.peers.remove(&peer);
        }
        self.settle(peer);
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::default())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::default())
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(event) => {
                let state = self.peers.entry(event.peer_id).or_default();
                state.connections.insert(event.connection_id);
                self.settle(event.peer_id);
            }
            FromSwarm::ConnectionClosed(event) => {
                self.on_closed(event.peer_id, event.connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        let Some(state) = self.peers.get_mut(&peer) else {
            return;
        };
        match event {
            Out::Beat(frame) => {
                if state.observed == Some(connection) {
                    self.events.push_back(Event { peer, frame });
                }
            }
            Out::Observed(true) => {
                state.observing.insert(connection);
                // It may come from a connection that was closed with a beat on it.
                let beat = self.last.map(|frame| (peer, connection, In::Beat(frame)));
                self.orders.extend(beat);
            }
            Out::Observed(false) => {
                state.observing.remove(&connection);
            }
        }
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(ToSwarm::GenerateEvent(event));
        }
        match self.orders.pop_front() {
            Some((peer_id, connection, event)) => Poll::Ready(ToSwarm::NotifyHandler {
                peer_id,
                handler: NotifyHandler::One(connection),
                event,
            }),
            // Whatever fills the queues has the swarm polled: a command or an event of its own.
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_begins_to_observe_gets_the_last_beat_at_once() {
        let mut behaviour = Behaviour::default();
        let (peer, connection) = (PeerId::random(), ConnectionId::new_unchecked(1));
        behaviour.peers.entry(peer).or_default().connections.insert(connection);
        behaviour.on_connection_handler_event(peer, connection, Out::Observed(true));
        assert!(behaviour.orders.is_empty(), "there was none yet");
        let frame = Frame { incarnation: 1, counter: 2 };
        behaviour.beat(frame);
        behaviour.orders.clear();
        behaviour.on_connection_handler_event(peer, connection, Out::Observed(true));
        let [(to, on, In::Beat(beat))] = behaviour.orders.make_contiguous() else {
            panic!("{:?}", behaviour.orders)
        };
        assert_eq!((*to, *on, *beat), (peer, connection, frame));
    }
}
