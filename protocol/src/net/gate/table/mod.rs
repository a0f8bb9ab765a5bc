//! Which connections there are, and on which of them the gate is open.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use libp2p::PeerId;
use libp2p::swarm::ConnectionId;

use super::super::Limits;
use super::group::Group;

/// One connection.
#[derive(Debug)]
pub(super) struct Link {
    peer: PeerId,
    from: Group,
    /// Whether the gate is open on it. Never changes.
    open: bool,
    inbound: bool,
    /// Whether it has been asked to close. It stays until it has.
    closing: bool,
    /// Whether its peer, a stranger, proved that it may become a member.
    kept: bool,
}

impl Link {
    pub(super) const fn new(peer: PeerId, from: Group, open: bool, inbound: bool) -> Self {
        Self { peer, from, open, inbound, closing: false, kept: false }
    }

    const fn is_strangers(&self) -> bool {
        self.inbound && !self.open && !self.closing
    }

    const fn is_members(&self) -> bool {
        self.open && !self.closing
    }
}

/// A connection that may not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// The key of the peer is not Ed25519.
    #[error("the peer's key is not Ed25519")]
    UnknownKey,
    /// No stranger may be connected.
    #[error("strangers are not let in")]
    Strangers,
    /// No connection may be in its handshake.
    #[error("no handshake may be in progress")]
    Pending,
    /// Another address of the same dial was faster.
    #[error("the dial has been answered by another address")]
    Surplus,
}

/// Connections that have to go for another one to come.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Room {
    /// Of a stranger, and where it is.
    pub(super) of_stranger: Option<(ConnectionId, Group)>,
    /// Of the same peer.
    pub(super) of_same: Option<ConnectionId>,
    /// Of another member.
    pub(super) of_member: Option<ConnectionId>,
}

impl Room {
    /// All of them.
    pub(super) fn yielding(&self) -> impl Iterator<Item = ConnectionId> {
        let of_stranger = self.of_stranger.map(|(id, _)| id);
        of_stranger.into_iter().chain(self.of_same).chain(self.of_member)
    }
}

/// All established connections.
///
/// Connection ids grow, so that the smallest is the oldest.
///
/// **Invariant**: there are at most [`Limits::strangers_max`] connections of strangers that proved
/// nothing, of one network at most [`Limits::strangers_per_network_max`], and as many of those who did.
/// A stranger that comes is let in; of those that proved
/// nothing the oldest of the address that has most goes. So a stranger that proves what it can at
/// once gets through however many others prove nothing.
///
/// **Invariant**: there are at most [`Limits::members_max`] connections of members. One that comes is
/// let in, and the one that is missed least goes: a second one of a member; else one that a member
/// made, of the network that made most, because those that this node made are what its engines asked for. So
/// whoever has many keys closes its own connections first where it has them from few networks: from each address of
/// one IPv6 /48 is from one network.
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
        link: Link,
        limits: &Limits,
    ) -> Result<Room, Refusal> {
        let mut room = Room::default();
        if link.is_strangers() {
            room.of_stranger = self.room_for_stranger(link.from, limits)?;
        }
        room.of_same = self.surplus_of(&link.peer, limits);
        room.yielding().for_each(|id| self.close(id));
        if link.open && self.members().count() >= limits.members_max {
            room.of_member = self.least_missed(&link);
            room.of_member.into_iter().for_each(|id| self.close(id));
        }
        self.of_peer.entry(link.peer).or_default().insert(id);
        self.links.insert(id, link);
        Ok(room)
    }

    /// The connection of a stranger that goes for one that comes from there, if one has to.
    fn room_for_stranger(
        &self,
        from: Group,
        limits: &Limits,
    ) -> Result<Option<(ConnectionId, Group)>, Refusal> {
        let near = |group: Group| group.network() == from.network();
        let goes = if self.unproved(near).count() >= limits.strangers_per_network_max {
            self.least_wanted(Some(from), near)
        } else if self.unproved(|_| true).count() >= limits.strangers_max {
            self.least_wanted(Some(from), |_| true)
        } else {
            return Ok(None);
        };
        goes.map(Some).ok_or(Refusal::Strangers)
    }

    /// The connections of strangers that proved nothing, of some addresses, the oldest first.
    fn unproved(&self, of: impl Fn(Group) -> bool) -> impl Iterator<Item = (ConnectionId, Group)> {
        let all = self.links.iter();
        all.filter(move |(_, link)| link.is_strangers() && !link.kept && of(link.from))
            .map(|(id, link)| (*id, link.from))
    }

    /// The oldest connection of a stranger that proved nothing, of the one of some addresses that has
    /// most, with the one that comes.
    fn least_wanted(
        &self,
        comes: Option<Group>,
        of: impl Fn(Group) -> bool,
    ) -> Option<(ConnectionId, Group)> {
        let mut held: BTreeMap<Group, usize> = comes.into_iter().map(|from| (from, 1)).collect();
        self.unproved(&of).for_each(|(_, from)| *held.entry(from).or_default() += 1);
        let most = held.values().max()?;
        self.unproved(&of).find(|(_, from)| held.get(from) == Some(most))
    }

    /// The connections of members.
    fn members(&self) -> impl Iterator<Item = (ConnectionId, &Link)> {
        self.links.iter().filter(|(_, link)| link.is_members()).map(|(id, link)| (*id, link))
    }

    /// The connection of a member that goes for another one.
    fn least_missed(&self, comes: &Link) -> Option<ConnectionId> {
        let mut at = BTreeMap::from([(comes.from.network(), usize::from(comes.inbound))]);
        let mut of = BTreeMap::from([(comes.peer, 1)]);
        for (_, link) in self.members() {
            *at.entry(link.from.network()).or_default() += usize::from(link.inbound);
            *of.entry(link.peer).or_default() += 1;
        }
        let missed = |id: ConnectionId, link: &Link| {
            (
                of.get(&link.peer) == Some(&1),
                !link.inbound,
                Reverse(at.get(&link.from.network()).copied()),
                id,
            )
        };
        self.members().min_by_key(|(id, link)| missed(*id, link)).map(|(id, _)| id)
    }

    /// Returns a connection of a stranger that may go, if there is one.
    pub(super) fn relieve(&self) -> Option<(PeerId, ConnectionId, Group)> {
        let (id, from) = self.least_wanted(None, |_| true)?;
        Some((self.links.get(&id)?.peer, id, from))
    }

    /// Remembers that a stranger proved that it may become a member.
    pub(super) fn keep(&mut self, peer: &PeerId, limits: &Limits) {
        let kept = self.links.values().filter(|link| link.is_strangers() && link.kept).count();
        let ids = self.of_peer.get(peer).into_iter().flatten();
        for id in ids.take(limits.strangers_max.saturating_sub(kept)) {
            if let Some(link) = self.links.get_mut(id) {
                link.kept = true;
            }
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
mod table_test;
