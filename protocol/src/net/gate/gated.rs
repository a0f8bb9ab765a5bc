use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use crux_crdt::Principal;
use libp2p::PeerId;
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished, DialFailure};
use libp2p::swarm::derive_prelude::Either;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, DialError, FromSwarm, NetworkBehaviour, NotifyHandler,
    THandlerInEvent, ToSwarm,
};
use tokio::time::Instant;

use super::super::Limits;
use super::super::door::Doorstep;
use super::super::identity::principal_of;
use super::super::turned::{Turned, Why};
use super::group::{Familiar, Group};
use super::lobby::Lobby;
use super::table::{Link, Refusal, Table};

/// Shows an inner behaviour the connections of members only, and bounds the others.
pub(crate) struct Gated<B: NetworkBehaviour> {
    pub(super) inner: B,
    members: Arc<BTreeSet<Principal>>,
    pub(super) limits: Limits,
    pub(super) table: Table,
    /// Incoming connections in their handshake.
    pub(super) lobby: Lobby,
    /// Where the door leaves the handshake of the connection that just came.
    pub(super) doorstep: Doorstep,
    /// Where members are.
    pub(super) familiar: Familiar,
    /// Counts whom this node closed.
    pub(super) turned: Arc<Turned>,
    /// Dials whose answer is no longer wanted.
    pub(super) surplus: BTreeSet<ConnectionId>,
    /// Dials that the inner behaviour asked for. It is not told of others.
    pub(super) inner_dials: BTreeSet<ConnectionId>,
    inner_may_dial: bool,
    /// Connections to be closed, for the swarm. Bounded by the connections there are.
    pub(super) closing: VecDeque<(PeerId, ConnectionId)>,
}

impl<B: NetworkBehaviour> Gated<B> {
    /// A gate of a node that has these addresses, behind the door that leaves what comes on the step.
    pub(crate) fn new(
        inner: B,
        limits: Limits,
        doorstep: Doorstep,
        own: impl IntoIterator<Item = IpAddr>,
        turned: Arc<Turned>,
    ) -> Self {
        Self {
            inner,
            members: Arc::default(),
            limits,
            table: Table::default(),
            lobby: Lobby::default(),
            doorstep,
            familiar: Familiar::new(own),
            turned,
            surplus: BTreeSet::new(),
            inner_dials: BTreeSet::new(),
            inner_may_dial: false,
            closing: VecDeque::new(),
        }
    }

    pub(crate) fn inner_mut(&mut self) -> &mut B {
        &mut self.inner
    }

    /// Sets for whom the gate opens from now on.
    pub(crate) fn admit(&mut self, members: Arc<BTreeSet<Principal>>) {
        self.familiar.retain(|peer| principal_of(peer).is_some_and(|who| members.contains(&who)));
        self.members = members;
    }

    /// Says where a member states to be: connections from there have places of their own.
    pub(crate) fn expect_at(&mut self, peer: PeerId, ips: impl IntoIterator<Item = IpAddr>) {
        if self.is_member(&peer) == Ok(true) {
            self.familiar.state(peer, ips);
        }
    }

    /// Keeps the connections of a stranger: it proved that it may become a member.
    pub(crate) fn keep(&mut self, peer: PeerId) {
        self.table.keep(&peer, &self.limits);
    }

    /// Closes a pending connection and one of a stranger, to have their descriptors back.
    pub(crate) fn relieve(&mut self) {
        let now = Instant::now();
        let pending = self.lobby.relieve(now);
        let stranger = self.table.relieve();
        self.turned.count(Why::NoDescriptor, pending.into_iter().chain(stranger.map(|it| it.2)));
        if let Some((peer, id, _)) = stranger {
            self.close(peer, id);
        }
    }

    /// Lets the inner behaviour dial members, or not. The engines of a node decide
    /// which members it is connected to; the only exception is a search of theirs in the address book.
    pub(crate) fn let_inner_dial(&mut self, may: bool) {
        self.inner_may_dial = may;
    }

    /// Returns whether the gate is open on a connection.
    pub(crate) fn is_open(&self, connection: ConnectionId) -> bool {
        self.table.is_open(connection)
    }

    /// Closes a dial as soon as it is answered, if it is.
    pub(crate) fn abandon_dial(&mut self, connection: ConnectionId) {
        self.surplus.insert(connection);
    }

    /// Closes all connections to a peer. Dials in progress are left alone.
    pub(crate) fn close_peer(&mut self, peer: PeerId) {
        for id in self.table.all_of(&peer) {
            self.close(peer, id);
        }
    }

    /// Closes all connections.
    pub(crate) fn close_all(&mut self) {
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
    pub(super) fn decide(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        from: Group,
        inbound: bool,
    ) -> Result<bool, ConnectionDenied> {
        let open = self.is_member(&peer).map_err(ConnectionDenied::new)?;
        let link = Link::new(peer, from, open, inbound);
        let room = self.table.insert(id, link, &self.limits).map_err(ConnectionDenied::new)?;
        if open {
            self.familiar.see(peer, from);
        }
        self.turned.count(Why::Strangers, room.of_stranger.map(|(_, group)| group));
        // Those that yield may be other peers', but the swarm finds a connection by its id alone.
        self.closing.extend(room.yielding().map(|id| (peer, id)));
        Ok(open)
    }

    pub(super) fn on_established(&mut self, event: ConnectionEstablished<'_>) {
        if self.table.is_open(event.connection_id) {
            let other_established = self.table.open_beside(&event.peer_id, event.connection_id);
            let event = ConnectionEstablished { other_established, ..event };
            self.inner.on_swarm_event(FromSwarm::ConnectionEstablished(event));
        }
    }

    pub(super) fn on_closed(&mut self, event: ConnectionClosed<'_>) {
        if self.table.remove(event.connection_id) == Some(true) {
            let remaining_established = self.table.open_beside(&event.peer_id, event.connection_id);
            let event = ConnectionClosed { remaining_established, ..event };
            self.inner.on_swarm_event(FromSwarm::ConnectionClosed(event));
        }
    }

    pub(super) fn on_dial_failure(&mut self, event: DialFailure<'_>) {
        self.surplus.remove(&event.connection_id);
        self.table.remove(event.connection_id);
        if self.inner_dials.remove(&event.connection_id) {
            self.tell_dial_failed(event.peer_id, event.connection_id);
        }
    }

    /// Tells the inner behaviour that a dial failed, and no more than that: Kademlia would take
    /// the addresses that failed out of its book, and after a partition nobody puts them back.
    pub(super) fn tell_dial_failed(
        &mut self,
        peer_id: Option<PeerId>,
        connection_id: ConnectionId,
    ) {
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
    pub(super) fn translate(
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
