//! What the swarm runs on each connection.

use std::net::SocketAddr;
use std::sync::Arc;

use libp2p::PeerId;
use libp2p::swarm::NetworkBehaviour;

use super::book::{self, Kademlia};
use super::door::Doorstep;
use super::exchange::{self, Exchange};
use super::gate::Gated;
use super::gossip::{self, Gossipsub, Topics};
use super::turned::Turned;
use super::{Config, Error, beat};
use crate::link::Protocol;

/// Everything.
///
/// The gate comes first: it refuses connections, and what is before it in this list would have
/// taken those for made.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    pub(super) gate: Gated<Members>,
    /// `/crux/join/2`, for everyone.
    pub(super) join: Exchange,
}

/// What only members get.
#[derive(NetworkBehaviour)]
pub(super) struct Members {
    pub(super) gossipsub: Gossipsub,
    pub(super) kademlia: Kademlia,
    pub(super) beat: beat::Behaviour,
    pub(super) sync: Exchange,
    pub(super) call: Exchange,
    pub(super) pastiche: Exchange,
}

impl Behaviour {
    /// Behind the door that leaves what comes on the doorstep.
    pub(super) fn new(
        local: PeerId,
        topics: &Topics,
        config: &Config,
        doorstep: Doorstep,
        turned: Arc<Turned>,
    ) -> Result<Self, Error> {
        let members = Members {
            gossipsub: gossip::build(topics)?,
            kademlia: book::build(local),
            beat: beat::Behaviour::default(),
            sync: exchange::build(Protocol::Sync),
            call: exchange::build(Protocol::Call),
            pastiche: exchange::build(Protocol::Pastiche),
        };
        let own = config.listen.iter().map(SocketAddr::ip);
        let mut gate = Gated::new(members, config.limits.clone(), doorstep, own, turned);
        gate.admit(Arc::clone(&config.members));
        Ok(Self { gate, join: exchange::build(Protocol::Join) })
    }

    /// Returns the exchange of a protocol.
    pub(super) fn exchange(&mut self, protocol: Protocol) -> &mut Exchange {
        match protocol {
            Protocol::Join => &mut self.join,
            Protocol::Sync => &mut self.gate.inner_mut().sync,
            Protocol::Call => &mut self.gate.inner_mut().call,
            Protocol::Pastiche => &mut self.gate.inner_mut().pastiche,
        }
    }

    /// Returns gossipsub.
    pub(super) fn gossipsub(&mut self) -> &mut Gossipsub {
        &mut self.gate.inner_mut().gossipsub
    }

    /// Returns Kademlia.
    pub(super) fn kademlia(&mut self) -> &mut Kademlia {
        &mut self.gate.inner_mut().kademlia
    }
}
