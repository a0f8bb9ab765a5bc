//! The gate: members get the real handlers, anyone else gets none.
//!
//! libp2p fixes the handlers of a connection when it is established, and the behaviours behind the
//! gate take whoever they are shown for a peer of theirs (gossipsub sends it its subscriptions at
//! once). So the gate decides at establishment, remembers its decision per connection, and shows
//! the inner behaviour a world in which the other connections do not exist:
//!
//! ```text
//!                    swarm
//!      established, closed, address changed          notify, dial
//!                      │                                  ▲
//!                      ▼                                  │
//!   Gated   is the gate open on it? no ─▶ ∎               │
//!                      │ yes                              │
//!                      ▼                                  │
//!           counts of other connections        Any ─▶ one with an open gate
//!           rewritten to open ones             none ─▶ ∎
//!                      │                       dial ─▶ a member, if wanted now
//!                      ▼                                  │
//!                    inner ───────────────────────────────┘
//! ```
//!
//! Invariants. A handler of the inner behaviour exists exactly on the connections that the inner
//! behaviour was shown. What a decision was does not depend on what [`Gated::admit`] is told later.

mod table;

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use crux_crdt::Principal;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished, DialFailure};
use libp2p::swarm::derive_prelude::Either;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, DialError, FromSwarm, NetworkBehaviour,
    NotifyHandler, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};

use super::Limits;
use super::identity::principal_of;
pub(super) use table::Refusal;
use table::Table;

/// Shows an inner behaviour the connections of members only, and bounds the others.
pub(super) struct Gated<B: NetworkBehaviour> {
    inner: B,
    members: Arc<BTreeSet<Principal>>,
    limits: Limits,
    table: Table,
    /// Incoming connections in their handshake.
    pending: HashSet<ConnectionId>,
    /// Dials whose answer is no longer wanted.
    surplus: HashSet<ConnectionId>,
    /// Dials that the inner behaviour asked for. It is not told of others.
    inner_dials: HashSet<ConnectionId>,
    inner_may_dial: bool,
    /// Connections to be closed, for the swarm. Bounded by the connections there are.
    closing: VecDeque<(PeerId, ConnectionId)>,
}

impl<B: NetworkBehaviour> Gated<B> {
    pub(super) fn new(inner: B, limits: Limits) -> Self {
        Self {
            inner,
            members: Arc::default(),
            limits,
            table: Table::default(),
            pending: HashSet::new(),
            surplus: HashSet::new(),
            inner_dials: HashSet::new(),
            inner_may_dial: false,
            closing: VecDeque::new(),
        }
    }

    pub(super) fn inner_mut(&mut self) -> &mut B {
        &mut self.inner
    }

    /// Sets for whom the gate opens from now on.
    pub(super) fn admit(&mut self, members: Arc<BTreeSet<Principal>>) {
        self.members = members;
    }

    /// Lets the inner behaviour dial members, or not. Whom a node is connected to is for its
    /// engines to say; the only exception is a search of theirs in the address book.
    pub(super) fn let_inner_dial(&mut self, may: bool) {
        self.inner_may_dial = may;
    }

    /// Returns whether the gate is open on a connection.
    pub(super) fn is_open(&self, connection: ConnectionId) -> bool {
        self.table.is_open(connection)
    }

    /// Closes a dial as soon as it is answered, if it is.
    pub(super) fn abandon_dial(&mut self, connection: ConnectionId) {
        self.surplus.insert(connection);
    }

    /// Closes all connections to a peer. Dials in progress are left alone.
    pub(super) fn close_peer(&mut self, peer: PeerId) {
        for id in self.table.all_of(&peer) {
            self.close(peer, id);
        }
    }

    /// Closes all connections.
    pub(super) fn close_all(&mut self) {
        for peer in self.table.peers() {
            self.close_peer(peer);
        }
    }

    fn close(&mut self, peer: PeerId, connection: ConnectionId) {
        self.table.close(connection);
        self.closing.push_back((peer, connection));
    }

    fn is_member(&self, peer: &PeerId) -> Result<bool, Refusal> {
        let principal = principal_of(peer).ok_or(Refusal::UnknownKey)?;
        Ok(self.members.contains(&principal))
    }

    /// Decides on a connection. Returns whether the gate is open on it.
    fn decide(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        inbound: bool,
    ) -> Result<bool, ConnectionDenied> {
        let open = self.is_member(&peer).map_err(ConnectionDenied::new)?;
        let yielding = self
            .table
            .insert(id, peer, open, inbound, &self.limits, Instant::now())
            .map_err(ConnectionDenied::new)?;
        // Those that yield to a stranger are other peers' than those that yield to a peer, but the
        // swarm finds a connection by its id alone.
        self.closing.extend(yielding.into_iter().map(|id| (peer, id)));
        Ok(open)
    }

    fn on_established(&mut self, event: ConnectionEstablished<'_>) {
        if self.table.is_open(event.connection_id) {
            let other_established = self.table.open_beside(&event.peer_id, event.connection_id);
            let event = ConnectionEstablished { other_established, ..event };
            self.inner.on_swarm_event(FromSwarm::ConnectionEstablished(event));
        }
    }

    fn on_closed(&mut self, event: ConnectionClosed<'_>) {
        if self.table.remove(event.connection_id) == Some(true) {
            let remaining_established = self.table.open_beside(&event.peer_id, event.connection_id);
            let event = ConnectionClosed { remaining_established, ..event };
            self.inner.on_swarm_event(FromSwarm::ConnectionClosed(event));
        }
    }

    fn on_dial_failure(&mut self, event: DialFailure<'_>) {
        self.surplus.remove(&event.connection_id);
        self.table.remove(event.connection_id);
        if self.inner_dials.remove(&event.connection_id) {
            self.tell_dial_failed(event.peer_id, event.connection_id);
        }
    }

    /// Tells the inner behaviour that a dial failed, and no more than that: Kademlia would take
    /// the addresses that failed out of its book, and after a partition nobody puts them back.
    fn tell_dial_failed(&mut self, peer_id: Option<PeerId>, connection_id: ConnectionId) {
        self.inner.on_swarm_event(FromSwarm::DialFailure(DialFailure {
            peer_id,
            error: &DialError::Aborted,
            connection_id,
        }));
    }

    /// Passes on a dial of the inner behaviour, if it may dial and the peer is a member.
    fn on_inner_dial<I>(&mut self, opts: &DialOpts) -> Option<ToSwarm<B::ToSwarm, I>> {
        let peer = opts.get_peer_id();
        match peer.filter(|peer| self.inner_may_dial && self.is_member(peer) == Ok(true)) {
            Some(peer) => {
                // Even if it is connected: the inner behaviour asks only because it sees no open
                // connection. And not from the port that this node listens on: a connection that
                // went down would be in the way of the next one.
                let opts = DialOpts::peer_id(peer)
                    .condition(PeerCondition::Always)
                    .allocate_new_port()
                    .build();
                self.inner_dials.insert(opts.connection_id());
                Some(ToSwarm::Dial { opts })
            }
            None => {
                self.tell_dial_failed(peer, opts.connection_id());
                None
            }
        }
    }

    /// Returns what the swarm should do of what the inner behaviour wants, if anything.
    fn translate(
        &mut self,
        wish: ToSwarm<B::ToSwarm, THandlerInEvent<B>>,
    ) -> Option<ToSwarm<B::ToSwarm, THandlerInEvent<Self>>> {
        match wish {
            ToSwarm::Dial { opts } => self.on_inner_dial(&opts),
            ToSwarm::NotifyHandler { peer_id, handler, event } => {
                let connection = match handler {
                    NotifyHandler::One(id) => Some(id).filter(|id| self.table.is_open(*id)),
                    NotifyHandler::Any => self.table.open_link(&peer_id),
                }?;
                Some(ToSwarm::NotifyHandler {
                    peer_id,
                    handler: NotifyHandler::One(connection),
                    event: Either::Left(event),
                })
            }
            // Addresses come from the engines, not from what behaviours pick up.
            ToSwarm::NewExternalAddrOfPeer { .. } => None,
            other => Some(other.map_in(Either::Left)),
        }
    }
}

impl<B: NetworkBehaviour> NetworkBehaviour for Gated<B> {
    type ConnectionHandler = Either<THandler<B>, dummy::ConnectionHandler>;
    type ToSwarm = B::ToSwarm;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        if self.pending.len() >= self.limits.pending_max {
            return Err(ConnectionDenied::new(Refusal::Pending));
        }
        self.inner.handle_pending_inbound_connection(id, local, remote)?;
        self.pending.insert(id);
        Ok(())
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.pending.remove(&id);
        if !self.decide(id, peer, true)? {
            return Ok(Either::Right(dummy::ConnectionHandler));
        }
        self.inner.handle_established_inbound_connection(id, peer, local, remote).map(Either::Left)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: Option<PeerId>,
        addrs: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        if !self.inner_dials.contains(&id) {
            return Ok(Vec::new());
        }
        self.inner.handle_pending_outbound_connection(id, peer, addrs, role)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        addr: &Multiaddr,
        role: Endpoint,
        port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if self.surplus.remove(&id) {
            return Err(ConnectionDenied::new(Refusal::Surplus));
        }
        if !self.decide(id, peer, false)? {
            if self.inner_dials.remove(&id) {
                self.tell_dial_failed(Some(peer), id);
            }
            return Ok(Either::Right(dummy::ConnectionHandler));
        }
        self.inner_dials.remove(&id);
        self.inner
            .handle_established_outbound_connection(id, peer, addr, role, port_use)
            .map(Either::Left)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(event) => self.on_established(event),
            FromSwarm::ConnectionClosed(event) => self.on_closed(event),
            FromSwarm::AddressChange(event) => {
                if self.table.is_open(event.connection_id) {
                    self.inner.on_swarm_event(FromSwarm::AddressChange(event));
                }
            }
            FromSwarm::DialFailure(event) => self.on_dial_failure(event),
            FromSwarm::ListenFailure(event) => {
                self.pending.remove(&event.connection_id);
                self.table.remove(event.connection_id);
            }
            // Kademlia takes a new address for a reason to search the whole book.
            FromSwarm::NewListenAddr(_) | FromSwarm::NewExternalAddrOfPeer(_) => {}
            other => self.inner.on_swarm_event(other),
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {
            Either::Left(event) => self.inner.on_connection_handler_event(peer, id, event),
            Either::Right(never) => match never {},
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some((peer_id, id)) = self.closing.pop_front() {
            return Poll::Ready(ToSwarm::CloseConnection {
                peer_id,
                connection: CloseConnection::One(id),
            });
        }
        loop {
            match self.inner.poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(wish) => {
                    if let Some(wish) = self.translate(wish) {
                        return Poll::Ready(wish);
                    }
                }
            }
        }
    }
}
