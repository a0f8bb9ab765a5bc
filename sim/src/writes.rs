//! What people do about documents.

use std::sync::Arc;

use crux_crdt::document::{Document, Marker};
use crux_crdt::fact::Fact;
use crux_crdt::sign::Terms;
use crux_protocol::fact::{gossiped, whole};
use crux_protocol::flock::{Control, STORE_PATIENCE};
use crux_protocol::link::{Protocol, Topic};
use crux_protocol::sync::Request;

use super::invariant::Papers;
use super::world::World;
use crate::scenario::{Deed, Write};

impl World {
    /// Somebody signs what a node shows, and has that node write it, or lets it out by itself. Nothing happens if
    /// the node does not run.
    pub(super) fn write(&mut self, host: usize, write: &Write) {
        let Some(shown) = self.state(host).map(|state| state.strew().documents().clone()) else {
            return;
        };
        let documents = self.people.sign(write, &shown);
        self.told.signs(&documents);
        if documents.is_empty() {
            return;
        }
        self.trace.line(self.now, format_args!("n{host} shows that to sign {documents:?}"));
        if write.stored {
            let all = documents.into_iter().map(|it| Request::Store(whole(&it.into())).encode());
            return all.for_each(|body| self.slip_request_in(host, Protocol::Sync, body));
        }
        if write.unasked || matches!(write.deed, Deed::Flood(_)) {
            let all = documents.into_iter().map(|it| gossiped(&it.into(), |_| false));
            return all.for_each(|data| self.slip_in(host, Topic::Fact, data));
        }
        let facts: Vec<_> = documents.iter().cloned().map(Fact::from).collect();
        let request = Control::State { facts, sync: write.sync, patience: STORE_PATIENCE };
        if let Some(id) = self.ask_for(host, request) {
            self.told.asks(id, host, documents, &shown);
        }
    }

    /// A process found on its disk what it acknowledged before it ended.
    pub(super) fn check_survived(&mut self, host: usize) {
        let Some(state) = self.state(host) else { return };
        let papers = Papers::of(state.strew().documents());
        let promised = self.told.promised(|by| by == Some(host));
        let lost = promised.iter().find_map(|(key, marker)| {
            let why = papers.covers(key, *marker).err()?;
            Some(format!("n{host} acknowledged {marker:?} before it ended, which {why}"))
        });
        lost.into_iter().for_each(|why| self.broken(why));
    }

    /// A host lost what it had on its disk.
    pub(super) fn lose_papers(&mut self, host: usize) {
        let verifier = self.keys.verifier.clone();
        let operator = Some(self.keys.operator.principal());
        let terms = Terms { flock: self.keys.flock, operator, verifier: &*verifier };
        let hosts = &self.hosts;
        let is_kept = |key: &_, marker: Marker| {
            let on = |documents: Vec<Arc<Document>>| {
                documents.iter().any(|document| document.marker() == marker)
            };
            hosts.iter().any(|host| on(host.disk.documents(key, &terms)))
        };
        self.told.on_loss(host, is_kept);
    }
}
