//! The gate before an inner behaviour that notes what it sees and asks for what it is told to.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crux_crdt::Principal;
use libp2p::core::transport::PortUse;
use libp2p::core::{ConnectedPoint, Endpoint};
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished};
use libp2p::swarm::derive_prelude::Either;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
    NetworkBehaviour, NotifyHandler, SubstreamProtocol, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use super::super::Limits;
use super::super::door::{Doorstep, Handshake};
use super::super::identity::peer_of;
use super::Gated;

/// A handler that can be told something, which the one of strangers cannot.
struct Told;

impl ConnectionHandler for Told {
    type FromBehaviour = &'static str;
    type ToBehaviour = ();
    type InboundProtocol = libp2p::core::upgrade::DeniedUpgrade;
    type OutboundProtocol = libp2p::core::upgrade::DeniedUpgrade;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(libp2p::core::upgrade::DeniedUpgrade, ())
    }

    fn on_behaviour_event(&mut self, _: &'static str) {}

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), ()>> {
        Poll::Pending
    }

    fn on_connection_event(
        &mut self,
        _: libp2p::swarm::handler::ConnectionEvent<
            '_,
            Self::InboundProtocol,
            Self::OutboundProtocol,
        >,
    ) {
    }
}

/// What the inner behaviour was shown.
#[derive(Debug, PartialEq, Eq)]
enum Shown {
    Established { id: usize, others: usize },
    Closed { id: usize, remaining: usize },
    DialFailed,
}

#[derive(Default)]
struct Inner {
    shown: Vec<Shown>,
    wishes: VecDeque<ToSwarm<(), &'static str>>,
}

fn number(id: ConnectionId) -> usize {
    id.to_string().parse().expect("a number")
}

impl NetworkBehaviour for Inner {
    type ConnectionHandler = Told;
    type ToSwarm = ();

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<Told, ConnectionDenied> {
        Ok(Told)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Told, ConnectionDenied> {
        Ok(Told)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        self.shown.push(match event {
            FromSwarm::ConnectionEstablished(event) => Shown::Established {
                id: number(event.connection_id),
                others: event.other_established,
            },
            FromSwarm::ConnectionClosed(event) => Shown::Closed {
                id: number(event.connection_id),
                remaining: event.remaining_established,
            },
            FromSwarm::DialFailure(_) => Shown::DialFailed,
            other => panic!("{other:?}"),
        });
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, (): ()) {}

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<(), &'static str>> {
        self.wishes.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

fn gate(limits: Limits) -> Gated<Inner> {
    let (doorstep, turned) = (Doorstep::default(), Arc::default());
    Gated::new(Inner::default(), limits, doorstep, [], turned)
}

/// A gate, and how many connections there are to the only peer, as the swarm counts.
struct World {
    gate: Gated<Inner>,
    peer: PeerId,
    endpoint: ConnectedPoint,
    count: usize,
}

impl World {
    fn new() -> Self {
        let anywhere: Multiaddr = "/memory/1".parse().expect("an address");
        let (local_addr, send_back_addr) = (anywhere.clone(), anywhere);
        Self {
            gate: gate(Limits::default()),
            peer: peer_of(&Principal([1; 32])),
            endpoint: ConnectedPoint::Listener { local_addr, send_back_addr },
            count: 0,
        }
    }

    fn admit(&mut self, whom: &[Principal]) {
        self.gate.admit(Arc::new(whom.iter().copied().collect()));
    }

    /// Makes a connection. Returns whether it got a handler of the inner behaviour.
    fn connect(&mut self, id: usize) -> bool {
        let (connection_id, addr) = (ConnectionId::new_unchecked(id), Multiaddr::empty());
        let handler = self
            .gate
            .handle_established_inbound_connection(connection_id, self.peer, &addr, &addr)
            .expect("not refused");
        self.gate.on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
            peer_id: self.peer,
            connection_id,
            endpoint: &self.endpoint,
            failed_addresses: &[],
            other_established: self.count,
        }));
        self.count += 1;
        match handler {
            Either::Left(Told) => true,
            Either::Right(dummy::ConnectionHandler) => false,
        }
    }

    fn close(&mut self, id: usize) {
        self.count -= 1;
        self.gate.on_swarm_event(FromSwarm::ConnectionClosed(ConnectionClosed {
            peer_id: self.peer,
            connection_id: ConnectionId::new_unchecked(id),
            endpoint: &self.endpoint,
            cause: None,
            remaining_established: self.count,
        }));
    }

    /// Returns what the gate makes of a wish.
    fn wish(
        &mut self,
        wish: ToSwarm<(), &'static str>,
    ) -> Option<ToSwarm<(), Either<&'static str, std::convert::Infallible>>> {
        self.gate.inner_mut().wishes.push_back(wish);
        match self.gate.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(wish) => Some(wish),
            Poll::Pending => None,
        }
    }

    /// Returns which connection is notified if the inner behaviour says so.
    fn notify(&mut self, handler: NotifyHandler) -> Option<usize> {
        let wish = ToSwarm::NotifyHandler { peer_id: self.peer, handler, event: "something" };
        match self.wish(wish)? {
            ToSwarm::NotifyHandler { handler: NotifyHandler::One(id), .. } => Some(number(id)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_inner_behaviour_counts_what_it_sees() {
    let mut world = World::new();
    assert!(!world.connect(1));
    world.admit(&[Principal([1; 32])]);
    assert!(world.connect(2));
    assert!(world.connect(3));
    world.close(2);
    world.close(3);
    world.close(1);
    let shown = [
        Shown::Established { id: 2, others: 0 },
        Shown::Established { id: 3, others: 1 },
        Shown::Closed { id: 2, remaining: 1 },
        Shown::Closed { id: 3, remaining: 0 },
    ];
    assert_eq!(world.gate.inner_mut().shown, shown);
}

#[test]
fn only_a_handler_that_understands_is_notified() {
    let mut world = World::new();
    world.connect(1);
    assert_eq!(world.notify(NotifyHandler::Any), None);
    world.admit(&[Principal([1; 32])]);
    world.connect(2);
    world.admit(&[]);
    world.connect(3);
    assert_eq!(world.notify(NotifyHandler::Any), Some(2));
    let one = |id| NotifyHandler::One(ConnectionId::new_unchecked(id));
    assert_eq!(world.notify(one(2)), Some(2));
    assert_eq!(world.notify(one(1)), None);
    assert_eq!(world.notify(one(3)), None);
    world.close(2);
    assert_eq!(world.notify(NotifyHandler::Any), None);
}

#[test]
fn the_inner_behaviour_dials_members_when_it_may() {
    let mut world = World::new();
    let peer = world.peer;
    let dial = || ToSwarm::Dial { opts: DialOpts::peer_id(peer).build() };
    world.gate.let_inner_dial(true);
    assert!(world.wish(dial()).is_none(), "a stranger");
    world.admit(&[Principal([1; 32])]);
    assert!(world.wish(dial()).is_some());
    world.gate.let_inner_dial(false);
    assert!(world.wish(dial()).is_none(), "not now");
    let told = [Shown::DialFailed, Shown::DialFailed];
    assert_eq!(world.gate.inner_mut().shown, told);
}

/// From where members are, that only the bound of all counts; from elsewhere, that of strangers counts first.
#[test]
fn there_are_only_so_many_handshakes() {
    for from in ["192.0.2.1", "192.0.2.9"] {
        let limits = Limits { pending_max: 2, pending_kept: 0, ..Limits::default() };
        let (doorstep, turned) = (Doorstep::default(), Arc::default());
        let own = ["192.0.2.9".parse().expect("an address")];
        let mut gate = Gated::new(Inner::default(), limits, doorstep, own, turned);
        let addr: Multiaddr = format!("/ip4/{from}/tcp/4000").parse().expect("an address");
        let mut come = |n: usize| {
            let handshake = Arc::new(Handshake::new(Instant::now()));
            gate.doorstep.put(handshake.clone());
            let id = ConnectionId::new_unchecked(n);
            gate.handle_pending_inbound_connection(id, &addr, &addr).expect("room is made");
            handshake
        };
        let first = [come(1), come(2)];
        assert!(first.iter().all(|handshake| !handshake.progress().yields));
        come(3);
        assert!(first[0].progress().yields && !first[1].progress().yields);
        come(4);
        assert!(first[1].progress().yields);
        assert_eq!(gate.turned.lately().pending, 2, "and it is said");
    }
}
