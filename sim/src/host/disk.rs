use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crux_crdt::act::Act;
use crux_crdt::document::{Document, stored};
use crux_crdt::fact::{self, Fact, Kind};
use crux_crdt::record::{Record, ServiceKey};
use crux_crdt::sign::{Signed, Terms};
use crux_crdt::{Digest, Principal};
use crux_protocol::flock::{Batch, Restored, Ticket};
use crux_protocol::leader::Claim;
use crux_protocol::time::Instant;
use rand::RngExt;
use rand::rngs::StdRng;

/// For how many writes a disk keeps room that has none.
const IDLE_WRITES: usize = 16;

/// A write that is not durable yet.
#[derive(Debug)]
struct Write {
    number: u64,
    ticket: Option<Ticket>,
    batch: Batch,
}

/// What many disks hold.
#[derive(Debug, Default)]
pub(crate) struct Stock {
    pub(crate) records: BTreeMap<Principal, Arc<Record>>,
    pub(crate) acts: BTreeMap<Digest, Arc<Signed<Act>>>,
}

/// A disk: what is on it survives a crash, what is on the way to it may not.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    /// What was there in the beginning; the rest is newer.
    stock: Arc<Stock>,
    records: BTreeMap<Principal, Arc<Record>>,
    acts: BTreeMap<Digest, Arc<Signed<Act>>>,
    /// Facts of other kinds, as bytes.
    others: BTreeMap<(Kind, Digest), Vec<u8>>,
    fence: Option<Claim>,
    removed: BTreeSet<ServiceKey>,
    /// Acts that came onto it lately.
    lately: Vec<Arc<Signed<Act>>>,
    queue: VecDeque<Write>,
    next: u64,
    /// Whether it refuses what must be durable.
    pub(crate) full: bool,
    /// When it last took writes again.
    emptied_at: Option<Instant>,
}

impl Disk {
    /// Puts on it what others have, too.
    pub(crate) fn stock(&mut self, stock: Arc<Stock>) {
        self.stock = stock;
    }

    /// Takes a write. It is durable once [`Disk::finish`] is called with the number returned.
    pub(crate) fn write(&mut self, ticket: Option<Ticket>, batch: Batch) -> u64 {
        self.next += 1;
        self.queue.push_back(Write { number: self.next, ticket, batch });
        self.next
    }

    /// Makes everything up to a number durable, in order. Returns whom to tell, and whether it is.
    pub(crate) fn finish(&mut self, number: u64) -> Vec<(Ticket, bool)> {
        let mut done = Vec::new();
        while self.queue.front().is_some_and(|write| write.number <= number)
            && let Some(write) = self.queue.pop_front()
        {
            if !self.full {
                self.apply(write.batch);
            }
            done.extend(write.ticket.map(|ticket| (ticket, !self.full)));
        }
        if self.queue.is_empty() {
            self.queue.shrink_to(IDLE_WRITES);
        }
        done
    }

    fn apply(&mut self, batch: Batch) {
        for fact in batch.facts {
            match fact {
                Fact::Act(act) => {
                    self.lately.push(act.clone());
                    self.acts.insert(act.id(), act);
                }
                Fact::Record(record) => self.apply_record(record),
                fact @ Fact::Document(_) => self.put(&fact),
            }
        }
        for gone in &batch.gone {
            let place = (gone.kind, gone.key);
            let Some(bytes) = self.others.remove(&place) else { continue };
            let left = fact::without(gone.kind, &bytes, &gone.author);
            let left = left.expect("what was written is read");
            self.others.extend(left.map(|bytes| (place, bytes)));
        }
        self.fence = self.fence.filter(|fence| Some(*fence) != batch.forgotten).max(batch.fence);
        self.removed.extend(batch.removed);
    }

    /// Puts on it a fact that is neither an act nor a record, as a node's disk does.
    pub(crate) fn put(&mut self, fact: &Fact) {
        let place = (fact.kind(), fact.key());
        let kept = fact.keep(self.others.get(&place).map(Vec::as_slice));
        if let Some(kept) = kept.expect("what was written is read") {
            self.others.insert(place, kept.bytes);
        }
    }

    fn apply_record(&mut self, record: Arc<Record>) {
        let held = self.record(&record.author());
        let strips = |held: &Arc<Record>| {
            held.total() == record.total() && record.is_stripped() && !held.is_stripped()
        };
        if held.is_none_or(|held| held.total() < record.total() || strips(held)) {
            self.records.insert(record.author(), record);
        }
    }

    /// The process died: of what is on the way, some first part reaches the disk.
    pub(crate) fn crash(&mut self, rng: &mut StdRng) {
        let kept = rng.random_range(0..=self.queue.len());
        for write in self.queue.drain(..).take(kept).collect::<Vec<_>>() {
            if !self.full {
                self.apply(write.batch);
            }
        }
    }

    /// It takes writes again.
    pub(crate) fn empty(&mut self, now: Instant) {
        if std::mem::take(&mut self.full) {
            self.emptied_at = Some(now);
        }
    }

    /// When it was last full, if it ever was.
    pub(crate) fn full_at(&self, now: Instant) -> Option<Instant> {
        if self.full { Some(now) } else { self.emptied_at }
    }

    /// What is durable, on another disk.
    pub(crate) fn copy(&self) -> Self {
        let (records, acts) = (self.records.clone(), self.acts.clone());
        let (stock, removed) = (self.stock.clone(), self.removed.clone());
        let (others, fence) = (self.others.clone(), self.fence);
        Self { stock, records, acts, others, fence, removed, ..Self::default() }
    }

    /// The record of an author that is durable.
    pub(crate) fn record(&self, author: &Principal) -> Option<&Arc<Record>> {
        self.records.get(author).or_else(|| self.stock.records.get(author))
    }

    /// The documents under a key that are durable.
    pub(crate) fn documents(&self, key: &Digest, terms: &Terms<'_>) -> Vec<Arc<Document>> {
        let bytes = self.others.get(&(Kind::DOCUMENT, *key));
        let documents = bytes.map(|bytes| stored::restore(bytes, terms));
        documents.map(|it| it.expect("what was written is read")).unwrap_or_default()
    }

    /// The acts that became durable since this was asked last.
    pub(crate) fn take_new_acts(&mut self) -> Vec<Arc<Signed<Act>>> {
        std::mem::take(&mut self.lately)
    }

    /// The fence that is durable.
    pub(crate) const fn fence(&self) -> Option<Claim> {
        self.fence
    }

    /// Another disk, empty.
    pub(crate) fn wipe(&mut self) {
        *self = Self { next: self.next, ..Self::default() };
    }

    pub(crate) fn restore(&self, known_key: bool, terms: &Terms<'_>) -> Restored {
        let acts = self.stock.acts.values().chain(self.acts.values()).cloned();
        let records = self.stock.records.values().chain(self.records.values()).cloned();
        let others = self.others.iter().flat_map(|((kind, key), bytes)| {
            let facts = fact::restore(*kind, key, bytes, BTreeMap::new(), terms);
            facts.expect("what was written is read")
        });
        Restored {
            known_key,
            facts: acts.map(Fact::from).chain(records.map(Fact::from)).chain(others).collect(),
            fence: self.fence,
            removed: self.removed.clone(),
        }
    }
}
