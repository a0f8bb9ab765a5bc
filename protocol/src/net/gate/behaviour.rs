//! The gate as the swarm sees it.

use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::derive_prelude::Either;
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use super::super::turned::Why;
use super::{Gated, Group, Refusal};

impl<B: NetworkBehaviour> NetworkBehaviour for Gated<B> {
    type ConnectionHandler = Either<THandler<B>, dummy::ConnectionHandler>;
    type ToSwarm = B::ToSwarm;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let Some(handshake) = self.doorstep.take() else {
            return Err(ConnectionDenied::new(Refusal::Pending));
        };
        self.inner.handle_pending_inbound_connection(id, local, remote)?;
        let (from, now) = (Group::from(remote), Instant::now());
        if self.lobby.is_full(&self.limits) {
            self.doorstep.crowd();
        }
        let entered = self.lobby.enter(id, from, handshake, &self.familiar, &self.limits, now);
        let closed = entered.ok_or_else(|| ConnectionDenied::new(Refusal::Pending))?;
        self.turned.count(Why::Pending, closed);
        Ok(())
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.lobby.leave(id);
        if !self.decide(id, peer, Group::from(remote), true)? {
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
        if !self.decide(id, peer, Group::from(addr), false)? {
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
                self.lobby.leave(event.connection_id);
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
