//! What is merged, from wherever it came.

use core::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use crux_crdt::Principal;
use crux_crdt::act::Act;
use crux_crdt::fact::{Arrival, Fact, FactError};
use crux_crdt::record::{Frame, Record};
use crux_crdt::sign::Signed;
use crux_crdt::strew::{ActOutcome, Outcome, RecordOutcome};

use super::command::Notice;
use super::past::{Due, Meaning};
use super::state::{Route, State};
use super::{Command, command};
use crate::author::{Change, Origin};
use crate::fact::{self, Message};
use crate::link::{Protocol, ReplyId};
use crate::liveness::Liveness;
use crate::sync::{self, Response};
use crate::time::Instant;

/// How many merged facts wait before they are handed to the disk.
const UNSAVED_MAX: usize = 256;

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merged {
    /// It is its author's newest.
    New,
    /// It was there, and is its author's newest.
    Same,
    /// A newer one was there, or it is this node's own.
    Known,
    /// Bodies are missing: nothing was merged.
    Incomplete,
    /// This node's replica is full: nothing was merged. What the record would take, in bytes.
    NoRoom(usize),
}

/// What came of a merge beside what was merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Followed {
    /// Nothing was merged.
    Nothing,
    /// What others of its kind are merged after.
    First,
    /// Anything else.
    Other,
}

impl State {
    pub(super) fn act_on_sync(&mut self, outputs: Vec<sync::Output>, now: Instant) {
        for output in outputs {
            match output {
                sync::Output::Send { peer, request } => {
                    self.send(peer, Protocol::Sync, request.encode(), Route::Sync);
                }
                sync::Output::Reply { id, body } => self.reply(id, body),
                sync::Output::Merge { peer, facts } => {
                    let merged = self.merge_arrivals(peer, facts, now);
                    let outputs = self.sync.resume(peer, merged, now, &self.strew);
                    self.act_on_sync(outputs, now);
                }
                sync::Output::Store { id, fact } => self.on_store(id, &fact, now),
                sync::Output::Aside { peer, aside } => self.on_aside(peer, aside, now),
                sync::Output::Tell { id, of } => self.tell(id, &of, now),
                sync::Output::OtherVersion { peer, what } => self.note_other_version(peer, &what),
                sync::Output::Complete { peer } => {
                    self.past.on_compared(now);
                    self.leader_dirty |= self.leader.on_compared();
                    self.note_seed(&peer);
                }
            }
        }
    }

    /// Merges what a peer sent, of whatever kinds: acts together, since one of them may make the author of
    /// another a member.
    pub(super) fn merge_arrivals(
        &mut self,
        peer: Principal,
        arrivals: Vec<Arrival>,
        now: Instant,
    ) -> sync::Merged {
        let (mut acts, mut others, mut all) = (Vec::new(), Vec::new(), sync::Merged::default());
        for arrival in arrivals {
            match arrival {
                Arrival::Whole(Fact::Act(act)) => acts.push(act),
                Arrival::Whole(fact) => others.push(fact),
                Arrival::Frame(frame) => self.merge_sent(peer, *frame, &mut all, now),
            }
        }
        others.sort_by_key(|fact| !fact.comes_first());
        others.into_iter().for_each(|fact| self.merge_whole(fact, &mut all));
        all.add(self.merge_acts(acts, now));
        all
    }

    /// Merges a fact that no engine follows.
    fn merge_whole(&mut self, fact: Fact, all: &mut sync::Merged) {
        let (key, bytes) = (fact.key(), fact.bytes());
        let fact = self.context.sharing.fact(fact);
        let outcome = self.strew.merge_fact(fact.clone());
        let merged = Some(&fact).filter(|_| outcome == Outcome::New);
        merged.into_iter().for_each(|fact| self.unsaved.add(fact.clone()));
        let followed = self.follow_merge(merged);
        all.brought |= followed != Followed::Nothing;
        if followed == Followed::First {
            all.refused.clear();
        }
        self.save_if_many();
        match outcome {
            Outcome::New | Outcome::Known => {}
            Outcome::TooMany => all.refused.push((key, bytes)),
            Outcome::NoRoom => {
                self.note_refusal();
                all.full = true;
                all.refused.push((key, bytes));
            }
        }
    }

    /// After a merge, of this fact if it was new: what came in with it has to be saved, what is held no more the disk
    /// may drop, and what is shown, and the digest, may be others. What others of its kind are merged after may
    /// make room for those that were not taken.
    pub(super) fn follow_merge(&mut self, merged: Option<&Fact>) -> Followed {
        let (enclosed, gone) = (self.strew.take_enclosed(), self.strew.take_gone());
        if merged.is_none() && enclosed.is_empty() && gone.is_empty() {
            return Followed::Nothing;
        }
        let first = merged.into_iter().chain(&enclosed).any(Fact::comes_first);
        enclosed.into_iter().for_each(|fact| self.unsaved.add(fact));
        for gone in gone {
            for id in self.author.on_gone(&gone) {
                self.reply(id, Response::encode_stored(false));
            }
            self.unsaved.gone.push(gone);
        }
        self.members_dirty = true;
        self.changed = true;
        if first {
            self.sync.on_room();
        }
        if first { Followed::First } else { Followed::Other }
    }

    fn merge_sent(&mut self, peer: Principal, frame: Frame, all: &mut sync::Merged, now: Instant) {
        let author = frame.header.author();
        if !self.strew.membership().contains(&author) {
            return;
        }
        match self.merge_frame(frame, now) {
            Ok(Merged::NoRoom(bytes)) => {
                all.full = true;
                all.refused.push((crux_crdt::Digest(author.0), bytes));
            }
            Ok(merged) => all.brought |= merged == Merged::New,
            Err(error) => _ = self.misbehaved(peer, format!("a record: {error}")),
        }
    }

    /// Merges a record of a member.
    pub(super) fn merge_frame(&mut self, frame: Frame, now: Instant) -> Result<Merged, FactError> {
        let author = frame.header.author();
        let held = self.strew.record(&author).cloned();
        let marker = frame.header.value().marker;
        let total = marker.total(frame.header.id());
        let theirs = author != self.context.me;
        match held.as_ref().map(|held| held.total().cmp(&total)) {
            Some(Ordering::Equal) => return Ok(Merged::Same),
            Some(Ordering::Greater) if theirs && !crux_crdt::planted!(ArrivalOrder) => {
                return Ok(Merged::Known);
            }
            _ => {}
        }
        let Some(record) = frame.complete(held.as_deref())? else { return Ok(Merged::Incomplete) };
        let record = self.shared_record(record);
        if !theirs {
            self.on_own_record(&record, now);
            return Ok(Merged::Known);
        }
        let shown_before = self.strew.shown_record(&author).is_some();
        let outcome = self.strew.merge_record(record.clone());
        if outcome == RecordOutcome::NoRoom {
            self.note_refusal();
            return Ok(Merged::NoRoom(record.footprint()));
        }
        if matches!(outcome, RecordOutcome::Twice { .. }) {
            self.notice(Notice::SignedTwice(author));
        }
        if !matches!(outcome, RecordOutcome::Newer | RecordOutcome::Twice { kept: true }) {
            return Ok(Merged::Known);
        }
        let shown = shown_before && self.strew.shown_record(&author).is_some();
        self.note_record_changed(held.as_deref().filter(|_| shown), &record);
        self.save_record(record, now);
        self.save_if_many();
        self.free_name_for(author, now);
        Ok(Merged::New)
    }

    fn shared_record(&self, record: Record) -> Arc<Record> {
        let record = Arc::new(record);
        match self.context.sharing.fact(record.clone().into()) {
            Fact::Record(shared) => shared,
            _ => record,
        }
    }

    fn shared_act(&self, act: Arc<Signed<Act>>) -> Arc<Signed<Act>> {
        match self.context.sharing.fact(act.clone().into()) {
            Fact::Act(shared) => shared,
            _ => act,
        }
    }

    /// A member that this node admitted as the joining side takes over the name of a dead member, as a
    /// newcomer does that a sponsor admits: a recreated container may be dialled before it dials, and
    /// before its old self is found dead.
    fn free_name_for(&mut self, newcomer: Principal, now: Instant) {
        let Some(until) = self.vouched.get(&newcomer).copied() else { return };
        let record = self.strew.record(&newcomer);
        let name = record.and_then(|record| record.profile().name.clone());
        let waits = record.is_none();
        let holder = name.and_then(|name| self.names.holder(&name));
        match holder.filter(|holder| *holder != newcomer) {
            Some(holder) if self.liveness.liveness(&holder) == Liveness::Dead => {
                self.vouched.remove(&newcomer);
                self.retire(holder, Origin::Internal);
            }
            // A holder that stays alive for so long keeps the name.
            Some(_) if now < until => {}
            None if waits && now < until => {}
            _ => _ = self.vouched.remove(&newcomer),
        }
    }

    /// A member died: its name may be that of somebody who was let in lately.
    pub(super) fn free_names(&mut self, now: Instant) {
        for newcomer in self.vouched.keys().copied().collect::<Vec<_>>() {
            self.free_name_for(newcomer, now);
        }
    }

    /// A record of this identity, which this run may not have written.
    fn on_own_record(&mut self, record: &Arc<Record>, now: Instant) {
        let nonce = record.marker().nonce;
        let meaning = self.past.look_at(record, self.author.incarnation(), now);
        if nonce != self.past.nonce() {
            self.twins.on_record(record);
            self.on_record_of(record, now);
        }
        if meaning == Meaning::Above {
            self.twins.name(nonce, self.past.is_heir_of(&nonce));
            self.name_the_other_run(now);
        }
        let yields = record.profile().yields.as_ref();
        if yields.is_some_and(|yields| yields.to == self.past.nonce()) {
            self.past.yielded_to(now);
        }
    }

    /// Goes on above an earlier life, once its newest record had time to be found, or none is there.
    pub(super) fn recover(&mut self, now: Instant) {
        let due = self.past.take_due(now);
        if self.yielding.is_some() {
            // What it finds is for the run that goes on.
            return;
        }
        match due {
            Some(Due::Recover(record)) if record.profile().yields.is_some() => {
                self.go_above(record);
            }
            Some(Due::GoAbove(record)) => self.go_above(record),
            Some(Due::Outlast(incarnation)) => {
                self.author.push(Origin::Internal, Change::Reincarnate(incarnation));
            }
            Some(Due::Recover(record)) => self.take_over_from_earlier(record),
            Some(Due::Rise) => _ = self.author.push(Origin::Internal, Change::Reincarnate(0)),
            None => {}
        }
    }

    /// Keeps an admission of this node by a sponsor that is no member yet. It counts once this node
    /// admitted the sponsor in return.
    pub(super) fn keep_welcome(&mut self, act: Arc<Signed<Act>>) {
        let act = self.shared_act(act);
        if let ActOutcome::New(_) = self.strew.merge_act(act.clone()) {
            self.unsaved.facts.push(act.into());
        }
    }

    /// Merges acts whose authors are members, in whatever order makes them so, and of the operator what this build
    /// does not know.
    pub(super) fn merge_acts(&mut self, acts: Vec<Arc<Signed<Act>>>, now: Instant) -> sync::Merged {
        let mut changed = BTreeSet::new();
        let mut all = sync::Merged::default();
        let mut rest: Vec<_> = acts.into_iter().map(|act| self.shared_act(act)).collect();
        loop {
            let before = rest.len();
            rest.retain(|act| {
                if !self.strew.shares(act) {
                    return true;
                }
                let refused = (act.id(), act.value().bytes());
                match self.strew.merge_act(act.clone()) {
                    ActOutcome::New(whose) => {
                        all.brought = true;
                        changed.extend(whose);
                        self.unsaved.facts.push(act.clone().into());
                    }
                    ActOutcome::NoRoom => {
                        self.note_refusal();
                        all.full = true;
                        all.refused.push(refused);
                    }
                    ActOutcome::TooMany => all.refused.push(refused),
                    ActOutcome::Known => {}
                }
                false
            });
            if rest.len() == before || rest.is_empty() {
                break;
            }
        }
        all.strangers = rest.iter().map(|act| act.id()).collect();
        if all.brought {
            self.save_if_many();
            self.on_standing_changed(&changed, now);
        }
        all
    }

    /// Somebody became a member, left or was retired.
    fn on_standing_changed(&mut self, changed: &BTreeSet<Principal>, now: Instant) {
        self.note_replica_changed();
        self.look_at_departed(&BTreeSet::new(), now);
        let me = self.context.me;
        for who in changed.iter().filter(|who| **who != me) {
            if self.strew.membership().contains(who) && self.strew.record(who).is_none() {
                self.notice(Notice::Admitted(*who));
            }
        }
    }

    pub(super) fn note_replica_changed(&mut self) {
        self.sync.on_members();
        self.roster_dirty = true;
        self.leader_dirty = true;
        self.members_dirty = true;
        self.changed = true;
    }

    /// A record replaced that of a member, who is shown as before. Most changes are of services or of a
    /// claim: then nobody is called or reached another way.
    pub(super) fn note_record_changed(&mut self, before: Option<&Record>, now: &Record) {
        let Some(before) = before else { return self.note_replica_changed() };
        let (old, new) = (before.profile(), now.profile());
        self.roster_dirty |= (&old.name, old.provisional, &old.addresses)
            != (&new.name, new.provisional, &new.addresses);
        self.leader_dirty |= (old.claim, old.draining) != (new.claim, new.draining);
        self.members_dirty = true;
        self.changed = true;
    }

    fn save_if_many(&mut self) {
        if self.unsaved.facts.len() >= UNSAVED_MAX {
            self.save();
        }
    }

    pub(super) fn save(&mut self) {
        if !self.unsaved.is_empty() {
            let batch = std::mem::take::<command::Batch>(&mut self.unsaved);
            self.out.push(Command::Save(batch));
        }
    }

    /// A peer wants a fact on this disk before it acknowledges it.
    fn on_store(&mut self, id: ReplyId, message: &[u8], now: Instant) {
        let stored = match fact::open(message, &self.context) {
            Ok(Message::Fact(Arrival::Frame(frame))) => {
                self.store_record(*frame, now).map(Fact::from)
            }
            Ok(Message::Fact(Arrival::Whole(fact))) => self.store_whole(fact, now),
            Ok(Message::Later(_)) | Err(_) => None,
        };
        let kept =
            stored.is_some_and(|held| self.author.push(Origin::Peer(id), Change::Keep(held)));
        if kept {
            self.try_disk_again();
        } else {
            self.reply(id, Response::encode_stored(false));
        }
    }

    /// The record that is held once this one was merged, if it says what this one says.
    fn store_record(&mut self, frame: Frame, now: Instant) -> Option<Arc<Record>> {
        let author = frame.header.author();
        let member = self.strew.membership().contains(&author);
        let wanted = frame.header.value().marker;
        let merged = member.then(|| self.merge_frame(frame, now))?;
        let held = self.strew.record(&author).cloned()?;
        // A greater record of another run does not say what this one says.
        let says = held.marker() >= wanted && held.marker().nonce == wanted.nonce;
        let stored = (merged.is_ok() && says && !held.is_stripped()).then_some(held);
        if stored.as_ref().is_some_and(|held| held.profile().yields.is_some()) {
            // Another run of its author waits for it.
            self.sync.announce_soon(now);
        }
        stored
    }

    /// The fact, if it is held once it was merged.
    fn store_whole(&mut self, fact: Fact, now: Instant) -> Option<Fact> {
        let (kind, key, id) = (fact.kind(), fact.key(), fact.id());
        let author = fact.author();
        self.merge_arrivals(author, vec![fact.into()], now);
        self.strew.under(kind, &key).into_iter().find(|held| held.id() == id)
    }
}
