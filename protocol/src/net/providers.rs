//! Searches for holders of blobs, and statements to hold some, in Kademlia.
//!
//! Invariant. A search or a statement leaves the table at the moment its query ends, hence the engine
//! is told of its end once.

use crux_crdt::blob::BlobId;
use libp2p::kad::{GetProvidersOk, QueryId, QueryResult};

use super::book::Kademlia;
use super::holders::key_of;
use super::identity::principal_of;
use super::limits::{HOLDERS_FOUND_MAX, PROVIDES_MAX, SEEKS_MAX};
use crate::link::Event;

/// A query under way.
#[derive(Debug)]
enum Query {
    Provide(BlobId),
    /// And how many were found by now.
    Seek(BlobId, usize),
}

/// Queries about blobs. Few: see [`PROVIDES_MAX`] and [`SEEKS_MAX`].
#[derive(Debug, Default)]
pub(super) struct Providers {
    queries: Vec<(QueryId, Query)>,
}

impl Providers {
    /// States that this node has a blob. Returns what the engine is told at once, if anything.
    pub(super) fn provide(&mut self, kademlia: &mut Kademlia, blob: BlobId) -> Option<Event> {
        let under_way = self.queries.iter().filter(|(_, query)| matches!(query, Query::Provide(_)));
        let begun = if under_way.count() < PROVIDES_MAX {
            kademlia.start_providing(key_of(&blob)).ok()
        } else {
            None
        };
        match begun {
            Some(query) => {
                self.queries.push((query, Query::Provide(blob)));
                None
            }
            None => Some(Event::Provided { blob, told: false }),
        }
    }

    /// Looks for holders of a blob. Returns what the engine is told at once, if anything.
    pub(super) fn seek(&mut self, kademlia: &mut Kademlia, blob: BlobId) -> Option<Event> {
        let under_way = self.queries.iter().filter(|(_, query)| matches!(query, Query::Seek(..)));
        if under_way.count() >= SEEKS_MAX {
            return Some(Event::Providers { blob, peers: Vec::new(), last: true });
        }
        let query = kademlia.get_providers(key_of(&blob));
        self.queries.push((query, Query::Seek(blob, 0)));
        None
    }

    /// Returns whether a query is in progress.
    pub(super) fn is_busy(&self) -> bool {
        !self.queries.is_empty()
    }

    /// Takes in what a query brought. Returns the event for the engine.
    pub(super) fn progress(
        &mut self,
        query: QueryId,
        result: QueryResult,
        last: bool,
    ) -> Option<Event> {
        let at = self.queries.iter().position(|(id, _)| *id == query)?;
        let event = match &mut self.queries[at].1 {
            Query::Provide(blob) => {
                let told = matches!(result, QueryResult::StartProviding(Ok(_)));
                last.then_some(Event::Provided { blob: *blob, told })
            }
            Query::Seek(blob, found) => {
                let peers = match result {
                    QueryResult::GetProviders(Ok(GetProvidersOk::FoundProviders {
                        providers,
                        ..
                    })) => providers,
                    _ => Default::default(),
                };
                let mut peers: Vec<_> = peers.iter().filter_map(principal_of).collect();
                // A hash set's order is another one in each process.
                peers.sort_unstable();
                peers.truncate(HOLDERS_FOUND_MAX.saturating_sub(*found));
                *found += peers.len();
                let news = last || !peers.is_empty();
                news.then_some(Event::Providers { blob: *blob, peers, last })
            }
        };
        if last {
            self.queries.swap_remove(at);
        }
        event
    }
}
