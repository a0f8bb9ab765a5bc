//! Which connections there are, and on which of them the gate is open.

use std::collections::{BTreeMap, BTreeSet};

use libp2p::PeerId;
use libp2p::swarm::ConnectionId;
use tokio::time::Instant;

use super::super::Limits;

/// One connection.
#[derive(Debug)]
struct Link {
    peer: PeerId,
    /// Whether the gate is open on it. Never changes.
    open: bool,
    inbound: bool,
    /// Whether it has been asked to close. It stays until it has.
    closing: bool,
    since: Instant,
}

/// A connection that may not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// The key of the peer is not Ed25519.
    #[error("the peer's key is not Ed25519")]
    UnknownKey,
    /// As many strangers as allowed are connected, none of them for long.
    #[error("too many strangers are connected")]
    Strangers,
    /// As many handshakes as allowed are in progress.
    #[error("too many handshakes are in progress")]
    Pending,
    /// Another address of the same dial was faster.
    #[error("the dial has been answered by another address")]
    Surplus,
}

/// All established connections.
///
/// Connection ids grow, so that the smallest is the oldest.
#[derive(Debug, Default)]
pub(super) struct Table {
    links: BTreeMap<ConnectionId, Link>,
    of_peer: BTreeMap<PeerId, BTreeSet<ConnectionId>>,
}

impl Table {
    /// Adds a connection, unless it is one too many. Returns those that have to make room for it.
    pub(super) fn insert(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        open: bool,
        inbound: bool,
        limits: &Limits,
        now: Instant,
    ) -> Result<Vec<ConnectionId>, Refusal> {
        let mut yielding = Vec::new();
        if inbound && !open {
            yielding.extend(self.make_room_for_stranger(limits, now)?);
        }
        yielding.extend(self.surplus_of(&peer, limits));
        for id in &yielding {
            self.close(*id);
        }
        let link = Link { peer, open, inbound, closing: false, since: now };
        self.links.insert(id, link);
        self.of_peer.entry(peer).or_default().insert(id);
        Ok(yielding)
    }

    /// Returns the stranger that has to go for another one to come, if one has to.
    fn make_room_for_stranger(
        &self,
        limits: &Limits,
        now: Instant,
    ) -> Result<Option<ConnectionId>, Refusal> {
        let strangers = || {
            let inbound = |link: &Link| link.inbound && !link.open && !link.closing;
            self.links.iter().filter(move |(_, link)| inbound(link))
        };
        if strangers().count() < limits.strangers_max {
            return Ok(None);
        }
        let had_its_time = |link: &Link| now.duration_since(link.since) >= limits.stranger_grace;
        match strangers().next() {
            Some((id, oldest)) if had_its_time(oldest) => Ok(Some(*id)),
            _ => Err(Refusal::Strangers),
        }
    }

    /// Returns the oldest connection of a peer if another one would be too many.
    fn surplus_of(&self, peer: &PeerId, limits: &Limits) -> Option<ConnectionId> {
        let alive = || self.of(peer).filter(|id| !self.links[id].closing);
        (alive().count() >= limits.per_peer_max).then(|| alive().next())?
    }

    fn of(&self, peer: &PeerId) -> impl Iterator<Item = ConnectionId> {
        self.of_peer.get(peer).into_iter().flatten().copied()
    }

    /// Removes a connection that has closed. Returns whether its gate was open.
    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<bool> {
        let link = self.links.remove(&id)?;
        if let Some(ids) = self.of_peer.get_mut(&link.peer) {
            ids.remove(&id);
            if ids.is_empty() {
                self.of_peer.remove(&link.peer);
            }
        }
        Some(link.open)
    }

    /// Remembers that a connection has been asked to close.
    pub(super) fn close(&mut self, id: ConnectionId) {
        if let Some(link) = self.links.get_mut(&id) {
            link.closing = true;
        }
    }

    /// Returns whether the gate is open on a connection.
    pub(super) fn is_open(&self, id: ConnectionId) -> bool {
        self.links.get(&id).is_some_and(|link| link.open)
    }

    /// Returns how many connections with an open gate a peer has beside the given one.
    pub(super) fn open_beside(&self, peer: &PeerId, id: ConnectionId) -> usize {
        let counts = |other: &ConnectionId| *other != id && self.is_open(*other);
        self.of(peer).filter(counts).count()
    }

    /// Returns a connection to a peer on which the gate is open: the newest that is not going
    /// down, because of two it is the one that is sure to work.
    pub(super) fn open_link(&self, peer: &PeerId) -> Option<ConnectionId> {
        self.of(peer).filter(|id| self.is_open(*id)).max_by_key(|id| (!self.links[id].closing, *id))
    }

    /// Returns all connections of a peer.
    pub(super) fn all_of(&self, peer: &PeerId) -> Vec<ConnectionId> {
        self.of(peer).collect()
    }

    /// Returns all peers that are connected.
    pub(super) fn peers(&self) -> Vec<PeerId> {
        self.of_peer.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crux_crdt::Principal;

    use super::super::super::identity::peer_of;
    use super::*;

    fn id(n: usize) -> ConnectionId {
        ConnectionId::new_unchecked(n)
    }

    fn peer(n: u8) -> PeerId {
        peer_of(&Principal([n; 32]))
    }

    fn limits() -> Limits {
        Limits { strangers_max: 2, ..Limits::default() }
    }

    #[test]
    fn only_open_connections_count() {
        let (mut table, now) = (Table::default(), Instant::now());
        let mut insert = |n, open| {
            let made = table.insert(id(n), peer(1), open, false, &limits(), now);
            assert_eq!(made, Ok(vec![]));
        };
        insert(1, false);
        insert(2, true);
        insert(3, true);
        assert_eq!(table.open_beside(&peer(1), id(1)), 2);
        assert_eq!(table.open_beside(&peer(1), id(2)), 1);
        assert_eq!(table.open_link(&peer(1)), Some(id(3)));
        table.close(id(3));
        assert_eq!(table.open_link(&peer(1)), Some(id(2)));
        assert_eq!(table.remove(id(2)), Some(true));
        assert_eq!(table.open_link(&peer(1)), Some(id(3)));
        assert_eq!(table.remove(id(3)), Some(true));
        assert_eq!(table.open_link(&peer(1)), None);
        assert_eq!(table.remove(id(1)), Some(false));
        assert_eq!(table.remove(id(1)), None);
        assert!(table.peers().is_empty());
    }

    #[test]
    fn one_too_many_of_a_peer_closes_the_oldest() {
        let (mut table, now) = (Table::default(), Instant::now());
        for n in 1..=3 {
            let made = table.insert(id(n), peer(1), true, true, &limits(), now);
            assert_eq!(made, Ok(vec![]));
        }
        let made = table.insert(id(4), peer(1), true, true, &limits(), now);
        assert_eq!(made, Ok(vec![id(1)]));
        let made = table.insert(id(5), peer(1), true, true, &limits(), now);
        assert_eq!(made, Ok(vec![id(2)]), "the first is on its way already");
    }

    #[test]
    fn strangers_are_refused_until_the_oldest_had_its_time() {
        let (mut table, now) = (Table::default(), Instant::now());
        let mut insert = |n: u8, inbound, now| {
            table.insert(id(n.into()), peer(n), false, inbound, &limits(), now)
        };
        assert_eq!(insert(1, true, now), Ok(vec![]));
        assert_eq!(insert(2, true, now), Ok(vec![]));
        assert_eq!(insert(3, true, now), Err(Refusal::Strangers));
        assert_eq!(insert(4, false, now), Ok(vec![]), "this side dialled");
        let later = now + limits().stranger_grace + Duration::from_millis(1);
        assert_eq!(insert(5, true, later), Ok(vec![id(1)]));
    }
}
