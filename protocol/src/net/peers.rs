//! Connections told as peers.
//!
//! Invariants. An engine sees, per peer, `Connected{member: false}?`, `Connected{member: true}?`,
//! `Disconnected`, in this order and at least one of the first two; then perhaps again. Between
//! `Connected{member: true}` and `Disconnected` the gate is open on some connection, or the rest
//! are being closed.

use std::collections::{BTreeMap, BTreeSet};

use libp2p::PeerId;
use libp2p::swarm::ConnectionId;

/// The connections of one peer.
#[derive(Debug, Default)]
struct Links {
    open: BTreeSet<ConnectionId>,
    shut: BTreeSet<ConnectionId>,
}

/// All connected peers.
#[derive(Debug, Default)]
pub(super) struct Peers {
    links: BTreeMap<PeerId, Links>,
}

/// What follows from a connection that closed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// Nothing.
    Nothing,
    /// The remaining connections of the peer have to be closed: none of them is open.
    CloseRest,
    /// The peer is gone.
    Gone,
}

impl Peers {
    /// Adds a connection. Returns whether it is news.
    pub(super) fn established(&mut self, peer: PeerId, id: ConnectionId, open: bool) -> bool {
        let links = self.links.entry(peer).or_default();
        let kind = if open { &mut links.open } else { &mut links.shut };
        kind.insert(id);
        if open { links.open.len() == 1 } else { links.open.is_empty() && links.shut.len() == 1 }
    }

    /// Removes a connection.
    pub(super) fn closed(&mut self, peer: &PeerId, id: ConnectionId) -> Closed {
        let Some(links) = self.links.get_mut(peer) else {
            return Closed::Nothing;
        };
        let was_open = links.open.remove(&id);
        links.shut.remove(&id);
        if !links.open.is_empty() {
            return Closed::Nothing;
        }
        if links.shut.is_empty() {
            self.links.remove(peer);
            return Closed::Gone;
        }
        if was_open { Closed::CloseRest } else { Closed::Nothing }
    }

    /// Returns whether there is any connection to a peer.
    pub(super) fn is_connected(&self, peer: &PeerId) -> bool {
        self.links.contains_key(peer)
    }
}

#[cfg(test)]
mod tests {
    use crux_crdt::Principal;

    use super::super::identity::peer_of;
    use super::*;

    fn id(n: usize) -> ConnectionId {
        ConnectionId::new_unchecked(n)
    }

    #[test]
    fn each_kind_of_connection_is_news_once() {
        let (mut peers, peer) = (Peers::default(), peer_of(&Principal([1; 32])));
        assert!(peers.established(peer, id(1), false));
        assert!(!peers.established(peer, id(2), false));
        assert!(peers.established(peer, id(3), true));
        assert!(!peers.established(peer, id(4), true));
        assert!(!peers.established(peer, id(5), false));
        assert_eq!(peers.closed(&peer, id(1)), Closed::Nothing);
        assert_eq!(peers.closed(&peer, id(3)), Closed::Nothing);
        assert_eq!(peers.closed(&peer, id(4)), Closed::CloseRest);
        assert_eq!(peers.closed(&peer, id(2)), Closed::Nothing);
        assert!(peers.is_connected(&peer));
        assert_eq!(peers.closed(&peer, id(5)), Closed::Gone);
        assert_eq!(peers.closed(&peer, id(5)), Closed::Nothing);
        assert!(!peers.is_connected(&peer));
    }

    #[test]
    fn a_member_comes_and_goes_with_its_only_connection() {
        let (mut peers, peer) = (Peers::default(), peer_of(&Principal([1; 32])));
        assert!(peers.established(peer, id(1), true));
        assert!(!peers.established(peer, id(2), false), "less than is known");
        assert_eq!(peers.closed(&peer, id(2)), Closed::Nothing);
        assert_eq!(peers.closed(&peer, id(1)), Closed::Gone);
    }
}
