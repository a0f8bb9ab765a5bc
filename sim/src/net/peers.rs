use std::collections::BTreeMap;

use crux_crdt::Principal;

use super::ConnId;

/// The connections of one peer, oldest first. Mostly there is one.
#[derive(Debug, Default)]
struct Links {
    open: Vec<ConnId>,
    shut: Vec<ConnId>,
}

/// Takes one out. Returns whether it was there.
fn remove(from: &mut Vec<ConnId>, id: ConnId) -> bool {
    let before = from.len();
    from.retain(|it| *it != id);
    from.len() < before
}

/// What follows from a connection that closed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// Nothing.
    Nothing,
    /// The peer's other connections are to be closed: none of them is open.
    CloseRest,
    /// The peer is gone.
    Gone,
}

/// Connections told as peers, by the rules of the libp2p adapter.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    links: BTreeMap<Principal, Links>,
}

impl Peers {
    /// Adds a connection. Returns whether it is news.
    pub(crate) fn established(&mut self, peer: Principal, id: ConnId, open: bool) -> bool {
        let links = self.links.entry(peer).or_default();
        let kind = if open { &mut links.open } else { &mut links.shut };
        kind.push(id);
        kind.sort_unstable();
        if open { links.open.len() == 1 } else { links.open.is_empty() && links.shut.len() == 1 }
    }

    /// Removes a connection.
    pub(crate) fn closed(&mut self, peer: &Principal, id: ConnId) -> Closed {
        let Some(links) = self.links.get_mut(peer) else { return Closed::Nothing };
        let was_open = remove(&mut links.open, id);
        remove(&mut links.shut, id);
        if !links.open.is_empty() {
            return Closed::Nothing;
        }
        if links.shut.is_empty() {
            self.links.remove(peer);
            return Closed::Gone;
        }
        if was_open { Closed::CloseRest } else { Closed::Nothing }
    }

    /// All connections of a peer, oldest first.
    pub(crate) fn all(&self, peer: &Principal) -> Vec<ConnId> {
        let links = self.links.get(peer).into_iter();
        let mut all: Vec<_> =
            links.flat_map(|it| it.open.iter().chain(&it.shut)).copied().collect();
        all.sort_unstable();
        all
    }

    /// Those on which this side's gate is open, oldest first.
    pub(crate) fn open(&self, peer: &Principal) -> &[ConnId] {
        self.links.get(peer).map_or(&[], |links| &links.open)
    }

    /// Everyone with whom a connection with an open gate stands.
    pub(crate) fn with_open_gate(&self) -> Vec<Principal> {
        let open = self.links.iter().filter(|(_, links)| !links.open.is_empty());
        open.map(|(peer, _)| *peer).collect()
    }

    pub(crate) fn is_connected(&self, peer: &Principal) -> bool {
        self.links.contains_key(peer)
    }
}
