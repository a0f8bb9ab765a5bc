//! The address book of the flock: Kademlia, as a book and nothing else.
//!
//! It holds what the engines say of members and answers searches of members, and it keeps who has
//! which blob (see `holders`). It stores no values, picks up no addresses of its own and runs nothing
//! periodically.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crux_crdt::Principal;
use libp2p::kad::{
    self, BucketInserts, Caching, Mode, PeerInfo, QueryId, QueryResult, StoreInserts,
};
use libp2p::{Multiaddr, PeerId, StreamProtocol};

use super::Transport;
use super::address::socket_addr;
use super::holders::Holders;
use super::identity::peer_of;
use super::limits::{FIND_TIMEOUT, FINDS_MAX, HOLDER_LIFE};

const PROTOCOL: StreamProtocol = StreamProtocol::new("/crux/kad/1");

pub(super) type Kademlia = kad::Behaviour<Holders>;

/// Builds Kademlia.
pub(super) fn build(local: PeerId) -> Kademlia {
    let mut config = kad::Config::new(PROTOCOL);
    config
        .set_query_timeout(FIND_TIMEOUT)
        .set_kbucket_inserts(BucketInserts::Manual)
        .set_periodic_bootstrap_interval(None)
        // The store has bounds of its own, and refuses values.
        .set_record_filtering(StoreInserts::Unfiltered)
        .set_caching(Caching::Disabled)
        .set_replication_interval(None)
        .set_publication_interval(None)
        .set_provider_record_ttl(Some(HOLDER_LIFE))
        .set_provider_publication_interval(None);
    let mut kademlia = kad::Behaviour::with_config(local, Holders::default(), config);
    // The default is to serve nobody until an address is confirmed.
    kademlia.set_mode(Some(Mode::Server));
    kademlia
}

/// What the engines put into the book, and what they look for.
#[derive(Debug)]
pub(super) struct Book {
    transport: Transport,
    /// What Kademlia was told, so that it can be untold. One entry per member.
    told: BTreeMap<PeerId, BTreeSet<Multiaddr>>,
    finds: Vec<(QueryId, Principal)>,
}

impl Book {
    pub(super) fn new(transport: Transport) -> Self {
        Self { transport, told: BTreeMap::new(), finds: Vec::new() }
    }

    /// Replaces the addresses of a member.
    ///
    /// What stays the same is not touched: Kademlia takes every new entry for a reason to search.
    pub(super) fn set(&mut self, kademlia: &mut Kademlia, peer: PeerId, addrs: &[SocketAddr]) {
        let addrs = addrs.iter().map(|addr| self.transport.multiaddr(*addr));
        let new: BTreeSet<Multiaddr> = addrs.collect();
        let old = self.told.remove(&peer).unwrap_or_default();
        for addr in new.difference(&old) {
            kademlia.add_address(&peer, addr.clone());
        }
        for addr in old.difference(&new) {
            kademlia.remove_address(&peer, addr);
        }
        if !new.is_empty() {
            self.told.insert(peer, new);
        }
    }

    /// Begins a search, unless the member is searched already or too many are.
    pub(super) fn find(&mut self, kademlia: &mut Kademlia, principal: Principal) {
        let searched = self.finds.iter().any(|(_, other)| *other == principal);
        if !searched && self.finds.len() < FINDS_MAX {
            let query = kademlia.get_closest_peers(peer_of(&principal));
            self.finds.push((query, principal));
        }
    }

    /// Returns whether a search is in progress.
    pub(super) fn is_finding(&self) -> bool {
        !self.finds.is_empty()
    }

    /// Takes in what a search brought. Returns whom it found, and where.
    pub(super) fn progress(
        &mut self,
        query: QueryId,
        result: QueryResult,
        last: bool,
    ) -> Option<(Principal, Vec<SocketAddr>)> {
        let at = self.finds.iter().position(|(id, _)| *id == query)?;
        let (_, sought) = self.finds[at];
        if last {
            self.finds.swap_remove(at);
        }
        let peers = match result {
            QueryResult::GetClosestPeers(Ok(found)) => found.peers,
            QueryResult::GetClosestPeers(Err(kad::GetClosestPeersError::Timeout {
                peers, ..
            })) => peers,
            _ => return None,
        };
        let addrs = self.addrs_of(&peer_of(&sought), peers);
        (!addrs.is_empty()).then_some((sought, addrs))
    }

    /// Returns the addresses of a peer that answered a search: as others told them, or, if nobody
    /// had to, as this node knows them.
    fn addrs_of(&self, peer: &PeerId, peers: Vec<PeerInfo>) -> Vec<SocketAddr> {
        let Some(info) = peers.into_iter().find(|info| info.peer_id == *peer) else {
            return Vec::new();
        };
        let mut addrs: Vec<SocketAddr> = info.addrs.iter().filter_map(socket_addr).collect();
        if addrs.is_empty() {
            let told = self.told.get(peer).into_iter().flatten();
            addrs.extend(told.filter_map(socket_addr));
        }
        addrs.sort_unstable();
        addrs.dedup();
        addrs
    }
}
