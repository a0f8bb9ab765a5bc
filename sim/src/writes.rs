//! What people do about documents.

use std::sync::Arc;

use crux_crdt::canon::Canonical as _;
use crux_crdt::document::{Document, Documents, Marker, NodeOrder, Target, Usage};
use crux_crdt::fact::Fact;
use crux_crdt::name::Label;
use crux_crdt::record::LaterFields;
use crux_crdt::sign::Terms;
use crux_protocol::fact::{gossiped, whole};
use crux_protocol::flock::{Control, STORE_PATIENCE};
use crux_protocol::link::{Protocol, Topic};
use crux_protocol::sync::Request;

use super::invariant::Papers;
use super::world::World;
use crate::scenario::{Deed, Order, Site, Write};

impl World {
    /// Somebody signs what a node shows, and has that node write it, or lets it out by itself. Nothing happens if
    /// the node does not run.
    pub(super) fn write(&mut self, host: usize, write: &Write) {
        let Some(shown) = self.state(host).map(|state| state.strew().documents().clone()) else {
            return;
        };
        let documents = match write.deed {
            Deed::Apply(site) => vec![self.sign_target(site, &shown)],
            _ => self.people.sign(write, &shown),
        };
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

    /// The operator signs a target, by what a node shows.
    fn sign_target(&mut self, site: Site, shown: &Documents) -> Arc<Document> {
        let target = self.sites.signed.target(site, shown, self.keys.operator.principal());
        let (key, content) = (Target::key(&Label::main_horde()), target.to_canonical().into());
        let document = self.people.operator_puts(shown, &key, content);
        self.sites.signed.note(document.marker(), site, &target);
        document
    }

    /// The operator signs an order to a node, and has one write it that shows what there is.
    pub(super) fn order(&mut self, host: usize, order: Order, node: usize) {
        let Some(shown) = self.state(host).map(|state| state.strew().documents().clone()) else {
            return;
        };
        let usage = match order {
            Order::Drain => Usage::Draining { deadline: None },
            Order::Cordon => Usage::Cordoned,
            Order::Uncordon => Usage::Open,
        };
        let key = NodeOrder::key(&self.hosts[node].principal());
        let content = NodeOrder { usage, later: LaterFields::default() }.to_canonical();
        let document = self.people.operator_puts(&shown, &key, content.into());
        self.told.signs(std::slice::from_ref(&document));
        let (facts, documents) = (vec![document.clone().into()], vec![document]);
        let request = Control::State { facts, sync: 0, patience: STORE_PATIENCE };
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
