//! What this node says: written, then merged, published and acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crux_crdt::Principal;
use crux_crdt::act::{Act, Statement};
use crux_crdt::fact::{Fact, Gone, Refused};
use crux_crdt::sign::Signed;
use crux_crdt::strew::Outcome;

use super::command::{Batch, Command, Ticket};
use super::control::{Answer, ControlError, ControlId};
use super::event::PersistError;
use super::state::State;
use crate::author::{Change, Commit, Origin, Rejection, Waiter, Write};
use crate::leader;
use crate::link::ReplyId;
use crate::sync::Response;
use crate::time::Instant;

/// How long a node whose disk is full waits before it tries to write its own record again.
const RETRY_WRITE: core::time::Duration = core::time::Duration::from_secs(5);

/// How long a newcomer waits for the death of the old holder of the name it claims: twice what
/// silence takes to decide in a small flock. A holder that dies later keeps its name.
const VOUCH_FOR: core::time::Duration = core::time::Duration::from_secs(60);

/// How long a node that leaves goes on, so that others take in that it does.
const LEAVE_LINGER: core::time::Duration = core::time::Duration::from_secs(1);

impl State {
    /// Starts the next write, unless one is under way.
    pub(super) fn start_write(&mut self, now: Instant) {
        let silent = self.past.is_listening() || self.yields_idly();
        if self.ticket.is_some() || now < self.retry_write_at || silent {
            return;
        }
        let calm = self.retry_write_at == Instant::ORIGIN && !self.read_only;
        if calm && !self.author.has_something_to_say() {
            return;
        }
        let retrying = std::mem::replace(&mut self.retry_write_at, Instant::ORIGIN);
        if self.read_only && retrying != Instant::ORIGIN {
            // Whether there is room shows only by a write of something new.
            self.author.say_again();
        }
        let me = self.context.me;
        let frontier = self.strew.frontier(&me);
        let said = self.strew.record(&me).cloned();
        self.retry_write_at = Instant::ORIGIN;
        let waits = self.take_what_is_behind();
        let write = self.author.start(frontier, said.as_deref());
        self.author.put_back(waits);
        if self.read_only && write.as_ref().is_none_or(Write::is_empty) {
            self.retry_write_at = now + RETRY_WRITE;
        }
        let Some(write) = write else { return };
        if write.is_empty() {
            self.finish_write(Ok(()), now);
            return;
        }
        let Write { record, acts, fence, forgotten, kept, stated, removed } = write;
        let own = record.map(Fact::from).into_iter().chain(acts.into_iter().map(Fact::from));
        let facts = own.chain(kept).chain(stated).collect();
        let batch = Batch { facts, gone: Vec::new(), forgotten, fence, removed };
        let ticket = Ticket(self.fresh());
        self.ticket = Some(ticket);
        self.out.push(Command::Persist { ticket, batch });
    }

    pub(super) fn finish_write(&mut self, result: Result<(), PersistError>, now: Instant) {
        let Some(commit) = self.author.finish(result.is_ok()) else { return };
        if result.is_err() {
            self.retry_write_at = now + RETRY_WRITE;
        }
        self.merge_own(&commit, now);
        let mut late = self.merge_stated(&commit, now);
        let has = |is: fn(&Change) -> bool| commit.waiters.iter().any(|(_, change, _)| is(change));
        if has(|change| matches!(change, Change::Recover(_))) {
            self.lease_what_came_back(now);
        }
        if commit.write.record.is_some() {
            self.hand_over();
        }
        if has(|change| matches!(change, Change::Recover(_) | Change::Reincarnate(_))) {
            // Members that had a greater record refused the one before.
            self.ask_again_to_store();
        }
        let error = result.err();
        for waiter in commit.waiters {
            match (waiter.0, late.remove(&waiter.0)) {
                (Origin::Control(id), Some(refused)) => self.refuse_stated(ControlId(id), refused),
                _ => self.answer_waiter(waiter, error, now),
            }
        }
    }

    /// What waited for its turn is looked at again: somebody else may have been faster. Returns what has no place
    /// beside what is written now. It waits for the next write, and meets what came of this one.
    fn take_what_is_behind(&mut self) -> Vec<(Origin, Change)> {
        let together = self.strew.may_state_each(&self.author.stated());
        let passes: Vec<_> = together.iter().map(Result::is_ok).collect();
        let mut waits = Vec::new();
        for (origin, change) in self.author.take_stated(&passes) {
            let Change::State(facts) = &change else { continue };
            match (self.strew.may_state(facts), origin) {
                (Err(refused), Origin::Control(id)) => {
                    self.refuse_stated(ControlId(id), refused.into());
                }
                (Err(_), _) => {}
                (Ok(()), _) => waits.push((origin, change)),
            }
        }
        waits
    }

    fn refuse_stated(&mut self, id: ControlId, refused: ControlError) {
        self.stores.remove(&id);
        self.answer(id, Err(refused));
    }

    /// Merges and publishes what persons stated, which is durable. Returns for whom it is not as stated: somebody
    /// else was faster while it was being written, or there is no place for it any more.
    fn merge_stated(&mut self, commit: &Commit, now: Instant) -> BTreeMap<Origin, ControlError> {
        let mut late = BTreeMap::new();
        for (origin, change, _) in commit.waiters.iter().filter(|_| commit.durable) {
            let Change::State(facts) = change else { continue };
            let refused = self.strew.may_state(facts).err();
            let placed = facts.iter().filter(|fact| self.merge_written(fact, now)).count();
            // All of it counts, whatever else came while it was being written, so the answer is that to a repeated write.
            if placed == facts.len() && self.strew.may_state(facts).is_ok() {
                continue;
            }
            let refused = match refused {
                Some(refused) if refused.is_overtaken() || placed < facts.len() => refused,
                None if placed < facts.len() => Refused::NoRoom,
                _ => continue,
            };
            let is_held = |fact: &Fact| {
                let under = self.strew.under(fact.kind(), &fact.key());
                under.iter().any(|held| held.id() == fact.id())
            };
            let error =
                if facts.iter().any(is_held) { ControlError::Late } else { ControlError::Refused };
            late.insert(*origin, error(refused));
        }
        late
    }

    /// Merges and publishes a fact that is on the disk. Returns whether its author has a place for it; else the
    /// disk drops it.
    fn merge_written(&mut self, fact: &Fact, now: Instant) -> bool {
        let outcome = self.strew.merge_fact(fact.clone());
        self.follow_merge((outcome == Outcome::New).then_some(fact));
        if matches!(outcome, Outcome::TooMany | Outcome::NoRoom) {
            let (kind, key, author) = (fact.kind(), fact.key(), fact.author());
            if self.strew.under(kind, &key).iter().all(|held| held.author() != author) {
                self.unsaved.gone.push(Gone { kind, key, author });
            }
            return false;
        }
        if !self.publish_fact(fact) {
            // It is too large for gossip.
            self.sync.announce_soon(now);
        }
        true
    }

    fn merge_own(&mut self, commit: &Commit, now: Instant) {
        for act in &commit.write.acts {
            self.strew.merge_act(act.clone());
            self.publish_fact(&act.clone().into());
        }
        self.look_at_departed(&forgotten_by(commit), now);
        if let Some(record) = &commit.write.record {
            let me = self.context.me;
            let before = self.strew.shown_record(&me).cloned();
            self.strew.merge_record(record.clone());
            let shown = self.strew.shown_record(&me).is_some();
            self.note_record_changed(before.as_deref().filter(|_| shown), record);
            self.publish_record(record);
        }
        if let Some(claim) = commit.write.forgotten {
            self.on_fence_forgotten(claim);
        }
        if let Some(claim) = commit.write.fence {
            self.leader.set_fence(claim);
            self.leader_dirty |= self.leader().is_some_and(|leader| leader < claim);
        }
        if !commit.write.acts.is_empty() {
            self.note_replica_changed();
        }
    }

    /// What was taken over has its whole lease before it.
    fn lease_what_came_back(&mut self, now: Instant) {
        for (key, service) in &self.author.committed().services {
            if let Some(lease) = service.lease {
                self.leases.entry(key.clone()).or_insert(now + lease);
            }
        }
    }

    fn answer_waiter(&mut self, waiter: Waiter, error: Option<PersistError>, now: Instant) {
        let (origin, change, result) = waiter;
        match origin {
            Origin::Internal if error.is_some() => self.try_again(change),
            Origin::Internal => {}
            Origin::Control(id) => self.answer_control(ControlId(id), change, result, error, now),
            Origin::Join { peer, joining } => {
                let act = if error.is_some() { None } else { result.ok().flatten() };
                if joining && act.is_some() && self.strew.record(&peer).is_none() {
                    self.vouched.insert(peer, now + VOUCH_FOR);
                }
                let outputs = self.join.on_signed(peer, joining, act);
                self.act_on_join(outputs, now);
            }
            Origin::Peer(id) => self.answer_peer(id, &change, error),
        }
    }

    /// What this node wants by itself it wants until the disk takes it. Only a claim to lead, and
    /// whether a fence is to be forgotten, is decided again.
    fn try_again(&mut self, change: Change) {
        if matches!(change, Change::Claim(_) | Change::ForgetFence(_)) {
            self.leader_dirty = true;
        } else {
            self.author.push(Origin::Internal, change);
        }
    }

    fn answer_peer(&mut self, id: ReplyId, change: &Change, error: Option<PersistError>) {
        let body = match (change, error) {
            (Change::Fence(_), None) => leader::Response::Accepted.encode(),
            (Change::Fence(_), Some(_)) => return self.refuse_for_disk(id),
            (_, error) => Response::encode_stored(error.is_none()),
        };
        self.reply(id, body);
    }

    fn answer_control(
        &mut self,
        id: ControlId,
        change: Change,
        result: Result<Option<Arc<Signed<Act>>>, Rejection>,
        error: Option<PersistError>,
        now: Instant,
    ) {
        let failed = match (result, error) {
            (_, Some(PersistError::Full)) => Some(ControlError::DiskFull),
            (_, Some(PersistError::Failed)) => Some(ControlError::DiskFailed),
            (Err(rejection), None) => Some(ControlError::Rejected(rejection)),
            (Ok(_), None) => None,
        };
        if let Some(error) = failed {
            self.stores.remove(&id);
            self.answer(id, Err(error));
            return;
        }
        match change {
            Change::Register(registration) => self.on_registered(id, registration, now),
            Change::State(facts) => self.answer_when_stored(id, Answer::Done, facts),
            Change::Deregister(key) => {
                self.leases.remove(&key);
                self.answer(id, Ok(Answer::Done));
            }
            Change::Act(Statement::Leave { .. }) => {
                // Gossip may lose it, and afterwards nobody has it: whoever is linked is asked to look.
                self.stop_at = Some(now + LEAVE_LINGER);
                self.sync.announce_soon(now);
                self.answer(id, Ok(Answer::Done));
            }
            Change::Fence(_) => {}
            _ => self.answer(id, Ok(Answer::Done)),
        }
    }

    fn on_registered(
        &mut self,
        id: ControlId,
        asked: crux_crdt::record::Registration,
        now: Instant,
    ) {
        let key = asked.key.clone();
        match asked.lease {
            Some(lease) => _ = self.leases.insert(key.clone(), now + lease),
            None => _ = self.leases.remove(&key),
        }
        // The one that stands may have kept its instance name.
        let stands = self.author.committed().services.get(&key).cloned().unwrap_or(asked);
        self.answer_when_stored(id, Answer::Registered(stands), Vec::new());
    }

    pub(super) fn answer(&mut self, id: ControlId, result: Result<Answer, ControlError>) {
        self.out.push(Command::Answer { id, result });
    }
}

/// The members that this node's operator forgot.
fn forgotten_by(commit: &Commit) -> BTreeSet<Principal> {
    let forgotten = commit.waiters.iter().filter_map(|(origin, change, result)| match change {
        Change::Act(Statement::Retire { subject, .. })
            if matches!(origin, Origin::Control(_)) && result.is_ok() =>
        {
            Some(*subject)
        }
        _ => None,
    });
    forgotten.filter(|_| commit.durable).collect()
}
