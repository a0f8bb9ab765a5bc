use std::collections::BTreeMap;
use std::sync::Arc;

use super::acts::Chain;
use super::footprint::Footprint;
use super::{Index, Membership, Outcome};
use crate::act::Act;
use crate::canon::Encoder;
use crate::document::Documents;
use crate::fact::{Fact, Gone, Kind};
use crate::hash::sha3;
use crate::lww::Register;
use crate::merge::Merge;
use crate::pack::pack;
use crate::record::{Marker, Record};
use crate::sign::Signed;
use crate::{Digest, Principal};

/// What merging a record did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordOutcome {
    /// It is the author's newest now.
    Newer,
    /// It was there.
    Known,
    /// A newer one is there.
    Older,
    /// The replica is full, and the record would make its author take more. It was not taken in.
    NoRoom,
    /// Another record has the same marker: the author, or two nodes with one identity, signed twice.
    /// The one with the greater id is kept, everywhere.
    Twice {
        /// Whether it replaced the other one.
        kept: bool,
    },
}

impl RecordOutcome {
    /// Whether the record is held now and was not before.
    pub const fn is_change(self) -> bool {
        matches!(self, Self::Newer | Self::Twice { kept: true })
    }
}

/// One node's replica. See the module for its invariant.
#[derive(Debug, Clone)]
pub struct Strew {
    records: BTreeMap<Principal, Register<Arc<Record>, (Marker, Digest)>>,
    pub(super) acts: BTreeMap<Digest, Arc<Signed<Act>>>,
    pub(super) chains: BTreeMap<Principal, Chain>,
    pub(super) membership: Membership,
    pub(super) operator: Option<Principal>,
    pub(super) documents: Arc<Documents>,
    registers_index: Index,
    pub(super) acts_index: Index,
    pub(super) footprint: Footprint,
    // The authors whose records were stripped since that was asked last, and what the whole ones took.
    stripped: Vec<(Principal, usize)>,
    // What a disk may drop.
    pub(super) gone: Vec<Gone>,
    // Facts that came in with others.
    pub(super) enclosed: Vec<Fact>,
}

impl Strew {
    /// An empty replica of this node.
    pub fn new(me: Principal) -> Self {
        Self {
            records: BTreeMap::new(),
            acts: BTreeMap::new(),
            chains: BTreeMap::new(),
            membership: Membership::new(me),
            operator: None,
            documents: Arc::default(),
            registers_index: Index::default(),
            acts_index: Index::default(),
            footprint: Footprint::new(me),
            stripped: Vec::new(),
            gone: Vec::new(),
            enclosed: Vec::new(),
        }
    }

    /// From now on the replica is full when it takes this many bytes; see the module. What it holds
    /// already it keeps. Without it there is no limit.
    pub const fn set_limit(&mut self, bytes: usize) {
        self.footprint.set_limit(bytes);
    }

    /// From now on evictions by this principal count. They and its acts of unknown kinds, to which a later version
    /// gives a meaning, are shared, as those of a member are. The operator is not a member: to be called before the
    /// first merge.
    pub fn set_operator(&mut self, operator: Option<Principal>) {
        self.operator = operator;
        self.membership.set_operator(operator);
        operator.into_iter().for_each(|operator| self.wake(operator));
    }

    /// What the replica takes in memory, in bytes, with what is kept because of it.
    pub const fn footprint(&self) -> usize {
        self.footprint.total()
    }

    /// What of it the records and acts of one author take.
    pub fn footprint_of(&self, author: &Principal) -> usize {
        self.footprint.of(author)
    }

    /// The departed authors whose records lost their slots since this was called last, and what these records
    /// took in memory, in bytes. For a caller that keeps the replica on a disk, where they are whole.
    pub fn take_stripped(&mut self) -> Vec<(Principal, usize)> {
        core::mem::take(&mut self.stripped)
    }

    /// What is held no more since this was called last: a bound took it out again. For a caller that keeps the
    /// replica on a disk.
    pub fn take_gone(&mut self) -> Vec<Gone> {
        core::mem::take(&mut self.gone)
    }

    /// Whether there is no room for a further author with a small record.
    pub const fn is_full(&self) -> bool {
        self.footprint.is_full()
    }

    /// A replica of this node that holds what was on its disk. What of that the disk may drop,
    /// [`Strew::take_gone`] says.
    pub fn restore(
        me: Principal,
        operator: Option<Principal>,
        facts: impl IntoIterator<Item = Fact>,
    ) -> Self {
        let mut strew = Self::new(me);
        strew.set_operator(operator);
        let mut facts: Vec<_> = facts.into_iter().collect();
        // Acts before records, which departures strip; and grants before what they bound.
        facts.sort_by_key(|fact| (fact.kind(), !fact.comes_first()));
        // What one of them encloses may make room for others.
        facts.retain(|fact| strew.merge_fact(fact.clone()) == Outcome::TooMany);
        facts.retain(|fact| strew.merge_fact(fact.clone()) == Outcome::TooMany);
        strew.drop_what_is_left(&facts);
        (strew.stripped, strew.enclosed) = (Vec::new(), Vec::new());
        strew.pack();
        strew
    }

    /// What a disk has in vain, because a crash came between a fact and the end of what it displaced.
    fn drop_what_is_left(&mut self, left: &[Fact]) {
        let gone = |it: &Fact| Gone { kind: it.kind(), key: it.key(), author: it.author() };
        let mut gone: Vec<_> = self.take_gone().into_iter().chain(left.iter().map(gone)).collect();
        let holds =
            |it: &Gone| self.under(it.kind, &it.key).iter().any(|of| of.author() == it.author);
        gone.retain(|it| !holds(it));
        self.gone = gone;
    }

    /// Takes as little memory as it can.
    fn pack(&mut self) {
        pack(&mut self.records);
        pack(&mut self.acts);
        pack(&mut self.chains);
        self.chains.values_mut().for_each(Chain::pack);
        self.membership.pack();
        Arc::make_mut(&mut self.documents).pack();
        self.registers_index.pack();
        self.acts_index.pack();
        self.footprint.pack();
    }

    /// Merges a record.
    pub fn merge_record(&mut self, record: Arc<Record>) -> RecordOutcome {
        let author = record.author();
        let departed = self.is_over(&record);
        if record.is_stripped() && !departed {
            // Its bodies are needed: it is as if nobody had sent it.
            return RecordOutcome::Older;
        }
        let record = if departed { strip(record) } else { record };
        let completes = self.is_completed_by(&record);
        let outcome = if completes { RecordOutcome::Newer } else { self.compare(&record) };
        if outcome.is_change() && !self.footprint.takes(&author, self.cost(&author, &record)) {
            return RecordOutcome::NoRoom;
        }
        let total = record.total();
        let register = Register::new(record, total);
        match self.records.get_mut(&author) {
            Some(known) if completes || crate::planted!(ArrivalOrder) => *known = register,
            Some(known) => _ = known.merge(&register),
            None => _ = self.records.insert(author, register),
        }
        self.refresh(author);
        outcome
    }

    fn compare(&self, record: &Record) -> RecordOutcome {
        let Some(known) = self.record(&record.author()) else { return RecordOutcome::Newer };
        if known.id() == record.id() {
            RecordOutcome::Known
        } else if known.marker() == record.marker() {
            RecordOutcome::Twice { kept: record.total() > known.total() }
        } else if record.total() > known.total() || crate::planted!(ArrivalOrder) {
            RecordOutcome::Newer
        } else {
            RecordOutcome::Older
        }
    }

    /// What an author takes once this is its record.
    fn cost(&self, author: &Principal, record: &Record) -> usize {
        let acts = self.chains.get(author).map_or(0, |chain| chain.cost);
        record.footprint() + acts + self.documents.footprint_of(author)
    }

    /// Whether the author of a record is evicted, or departed at its incarnation, so that it is not shown again. This
    /// node's own is kept whole: it goes on from it.
    fn is_over(&self, record: &Record) -> bool {
        let (author, incarnation) = (record.author(), record.marker().incarnation);
        let departed = self.membership.departed(&author, incarnation).is_some();
        (departed || self.membership.is_evicted(&author)) && !self.footprint.is_own(&author)
    }

    /// Whether a record lost its slots by a departure that does not count any longer, because the member that stated
    /// it is evicted, or suspended.
    pub(crate) fn is_incomplete(&self, record: &Record) -> bool {
        record.is_stripped() && !self.is_over(record)
    }

    /// Whether this is what an incomplete record was.
    fn is_completed_by(&self, record: &Record) -> bool {
        let held = self.record(&record.author()).filter(|held| held.id() == record.id());
        held.is_some_and(|held| self.is_incomplete(held) && !record.is_stripped())
    }

    /// Brings what is kept of an author's record, and the index, in line with whether it is shown.
    pub(super) fn refresh(&mut self, author: Principal) {
        let is_over = |record: &&Arc<Record>| self.is_over(record);
        if let Some(record) = self.record(&author).filter(is_over)
            && !record.slots().is_empty()
        {
            let (whole, total) = (record.footprint(), record.total());
            let record = strip(record.clone());
            self.records.insert(author, Register::new(record, total));
            self.stripped.push((author, whole));
        }
        if let Some(record) = self.record(&author) {
            let cost = self.cost(&author, record);
            self.footprint.set(author, cost);
        }
        let key = Digest(author.0);
        match self.shown_record(&author).map(|record| record.id()) {
            Some(id) if self.registers_index.get(&key) == Some(id) => {}
            Some(id) => self.registers_index.insert(key, id),
            None => self.registers_index.remove(&key),
        }
    }

    /// The newest record of an author, shown or not; that of one that departed or is evicted is stripped.
    pub fn record(&self, author: &Principal) -> Option<&Arc<Record>> {
        self.records.get(author).map(Register::value)
    }

    /// The record of a member that has not departed at its incarnation. An incomplete one is not shown.
    pub fn shown_record(&self, author: &Principal) -> Option<&Arc<Record>> {
        let record = self.record(author)?;
        let incarnation = record.marker().incarnation;
        let present = self.membership.contains(author)
            && self.membership.departed(author, incarnation).is_none();
        (present && !self.is_incomplete(record)).then_some(record)
    }

    /// Every shown record, by author.
    pub fn shown(&self) -> impl Iterator<Item = &Arc<Record>> {
        self.records.keys().filter_map(|author| self.shown_record(author))
    }

    /// Every record, shown or not, by author.
    pub fn records(&self) -> impl Iterator<Item = &Arc<Record>> {
        self.records.values().map(Register::value)
    }

    /// The members.
    pub const fn membership(&self) -> &Membership {
        &self.membership
    }

    /// The shown records: author → record id.
    pub const fn registers_index(&self) -> &Index {
        &self.registers_index
    }

    /// The acts that are shared: id → id.
    pub const fn acts_index(&self) -> &Index {
        &self.acts_index
    }

    /// The fingerprint of each set, in ascending order of kinds.
    pub fn roots(&self) -> impl Iterator<Item = (Kind, Digest)> {
        let root = |kind: Kind| Some((kind, self.index(kind)?.fingerprint().digest()));
        Kind::KNOWN.iter().copied().filter_map(root)
    }

    /// Equal on replicas that show the same. Covers durable records only. A kind of which there is nothing is
    /// left out, so that it changes nothing where a later version knows more kinds.
    pub fn digest(&self) -> Digest {
        let mut out = Encoder::default();
        for (kind, root) in self.roots() {
            let ignored = kind == Kind::RECORD && crate::planted!(DigestIgnoresRecords);
            if !ignored && self.index(kind).is_some_and(|index| !index.is_empty()) {
                out.u8(kind.0).digest(&root);
            }
        }
        sha3("crux/state/2", &[&out.finish()])
    }
}

fn strip(record: Arc<Record>) -> Arc<Record> {
    if record.slots().is_empty() { record } else { Arc::new(record.stripped()) }
}

impl Merge for Strew {
    fn merge(&mut self, other: &Self) -> bool {
        let mut changed = false;
        for fact in Kind::KNOWN.iter().flat_map(|kind| other.facts(*kind)) {
            changed |= self.merge_fact(fact) == Outcome::New;
        }
        changed
    }
}
