//! Control requests, and the leader's fenced commands.

use core::time::Duration;
use std::collections::BTreeSet;

use crux_crdt::Principal;
use crux_crdt::act::{NUMBER_LIMIT, Statement};
use crux_crdt::fact::Fact;
use crux_crdt::hash::sha3;
use crux_crdt::record::Registration;
use data_encoding::BASE32_NOPAD;
use rand::Rng;

use super::control::{Answer, Control, ControlError, ControlId, STATED_MAX};
use super::state::{Route, State};
use super::stores::StoreWait;
use crate::author::{Change, Origin, Rejection};
use crate::leader::{Claim, Fenced, Pinged, Refused, Request, Response};
use crate::link::{ReplyId, RequestFailure};
use crate::liveness::Liveness;
use crate::time::Instant;

/// How long the leader waits for those who do not answer.
const PING_PATIENCE: Duration = Duration::from_secs(1);
/// How many fenced commands may be under way. Each asks every live member.
const PINGS_MAX: usize = 64;
/// How long a lease waits that could not be ended at once.
const LEASE_AGAIN: Duration = Duration::from_secs(1);

/// The party that waits for the outcome of a fenced command.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asker {
    Control(ControlId),
    Peer(ReplyId),
}

/// A fenced command under way.
#[derive(Debug)]
pub(super) struct Ping {
    asker: Asker,
    claim: Claim,
    /// The command, encoded.
    body: Vec<u8>,
    waiting: BTreeSet<Principal>,
    accepted: BTreeSet<Principal>,
    failed: BTreeSet<Principal>,
    /// Members that were called a second time, because a link was lost or its other gate closed.
    again: BTreeSet<Principal>,
    pub(super) until: Instant,
}

impl State {
    pub(super) fn on_control(&mut self, id: ControlId, request: Control, now: Instant) {
        if self.yielding.is_some() && !matches!(request, Control::Reach(_) | Control::LeaderPing) {
            return self.answer(id, Err(ControlError::Yields));
        }
        let origin = Origin::Control(id.0);
        let pushed = match request {
            Control::Register { key, endpoint, labels, lease, sync, patience } => {
                let instance = self.instance_name();
                let registration = Registration { key, endpoint, instance, labels, lease };
                if sync > 0 {
                    self.stores.insert(id, StoreWait::new(sync, patience, now));
                }
                self.author.push(origin, Change::Register(registration))
            }
            Control::State { facts, sync, patience } => {
                if let Err(refused) = self.may_state(&facts) {
                    return self.answer(id, Err(refused));
                }
                if sync > 0 {
                    self.stores.insert(id, StoreWait::new(sync, patience, now));
                }
                self.author.push(origin, Change::State(facts))
            }
            Control::Deregister(key) => self.author.push(origin, Change::Deregister(key)),
            Control::Set(set) => self.author.push(origin, Change::Set(set)),
            Control::LeaderPing => {
                self.on_ping_request(id, now);
                true
            }
            Control::Forget(member) => return self.forget(id, member),
            Control::Reach(member) => {
                self.reach(member, now);
                return self.answer(id, Ok(Answer::Done));
            }
            Control::Outbid(held) => {
                self.on_greater_term(held, now);
                return self.answer(id, Ok(Answer::Done));
            }
            Control::Restart(within) => {
                let outputs = self.liveness.announce_restart(within, now, &mut self.rng);
                self.act_on_liveness(outputs, now);
                // It leads no more.
                self.leader_dirty = true;
                return self.answer(id, Ok(Answer::Done));
            }
            Control::Leave => {
                let incarnation = self.author.incarnation();
                self.author.push(origin, Change::Act(Statement::Leave { incarnation }))
            }
        };
        if !pushed {
            self.stores.remove(&id);
            self.answer(id, Err(ControlError::Busy));
        } else {
            self.try_disk_again();
        }
    }

    /// Others obey this term, or what is signed under it, rather than a lower one. That of a stranger counts for nothing.
    fn on_greater_term(&mut self, held: Claim, now: Instant) {
        if self.strew.membership().contains(&held.principal) {
            self.leader.on_greater(held, now);
            self.leader_dirty = true;
        }
    }

    /// Whether facts may be written: none is behind what is held, or what is being written.
    fn may_state(&self, facts: &[Fact]) -> Result<(), ControlError> {
        if facts.len() > STATED_MAX {
            return Err(ControlError::TooManyFacts(facts.len()));
        }
        self.strew.may_state(facts)?;
        for fact in facts {
            let same = |other: &Fact| other.kind() == fact.kind() && other.key() == fact.key();
            let is_same =
                |change: &Change| matches!(change, Change::State(all) if all.iter().any(same));
            if self.author.is_pending(is_same) {
                return Err(ControlError::Busy);
            }
        }
        Ok(())
    }

    /// Lets a full disk say again whether it is full, rather than let somebody wait who has less
    /// patience than this node.
    pub(super) const fn try_disk_again(&mut self) {
        if self.read_only {
            self.retry_write_at = Instant::ORIGIN;
        }
    }

    /// `svc-` and ten base32 characters, unique in the flock.
    fn instance_name(&mut self) -> String {
        let mut nonce = [0; 16];
        self.rng.fill_bytes(&mut nonce);
        let incarnation = self.author.incarnation().to_be_bytes();
        let hash = sha3("crux/instance/1", &[&self.context.me.0, &incarnation, &nonce]);
        format!("svc-{}", BASE32_NOPAD.encode(&hash.0[..8])[..10].to_lowercase())
    }

    fn forget(&mut self, id: ControlId, member: Principal) {
        if member == self.context.me || self.liveness.liveness(&member) != Liveness::Dead {
            self.answer(id, Err(ControlError::Alive));
            return;
        }
        let Some(incarnation) = self.strew.shown_record(&member).map(|r| r.marker().incarnation)
        else {
            if self.forget_departed(&member) {
                // Others retired it before.
                return self.answer(id, Ok(Answer::Done));
            }
            return self.answer(id, Err(ControlError::NotFound));
        };
        if incarnation >= NUMBER_LIMIT {
            self.answer(id, Err(ControlError::Rejected(Rejection::Incarnation)));
        } else if !self.retire(member, Origin::Control(id.0)) {
            self.answer(id, Err(ControlError::Busy));
        }
    }

    fn on_ping_request(&mut self, id: ControlId, now: Instant) {
        match self.leader.leader() {
            None => self.answer(id, Err(ControlError::NoLeader)),
            Some(claim) if claim.principal == self.context.me => {
                self.lead(Asker::Control(id), claim, now);
            }
            Some(claim) => {
                let body = Request::Forward.encode();
                self.call(claim.principal, body, Route::Forward(id), now);
            }
        }
    }

    /// Has every live member store this node's claim.
    fn lead(&mut self, asker: Asker, claim: Claim, now: Instant) {
        let own = self.strew.record(&self.context.me).and_then(|own| Fenced::of(own));
        let command = own.filter(|command| command.claim() == claim);
        let may = self.pings.len() < PINGS_MAX
            && self.leader.has_authority(self.last_heard(), now)
            // This node is one of those who obey: not a claim below one that it obeyed.
            && self.leader.check(claim, now).is_ok();
        let Some(command) = command.filter(|_| may) else { return self.refuse_to_lead(asker) };
        let body = Request::Fenced(Box::new(command)).encode();
        let waiting: BTreeSet<_> = self
            .strew
            .shown()
            .map(|record| record.author())
            .filter(|m| *m != self.context.me && self.liveness.liveness(m) != Liveness::Dead)
            .collect();
        let number = self.fresh();
        for peer in &waiting {
            self.call(*peer, body.clone(), Route::Ping(number), now);
        }
        let (accepted, failed) = (BTreeSet::from([self.context.me]), BTreeSet::new());
        let until = now + PING_PATIENCE;
        self.author.push(Origin::Internal, Change::Fence(claim));
        let again = BTreeSet::new();
        let ping = Ping { asker, claim, body, waiting, accepted, failed, again, until };
        self.pings.insert(number, ping);
        self.finish_pings(now);
    }

    /// When this node last heard one of those who observe it or whom it observes; none: there are
    /// none. In a large flock it does not observe those who do, and hears them by beacons only.
    fn last_heard(&self) -> Option<Instant> {
        let observers = self.liveness.observers_of_me();
        let close = observers.iter().chain(self.liveness.observed());
        close.filter_map(|member| self.liveness.heard_at(member)).max()
    }

    fn refuse_to_lead(&mut self, asker: Asker) {
        match asker {
            Asker::Control(id) => self.answer(id, Err(ControlError::NoLeader)),
            Asker::Peer(id) => self.reply(id, Response::NotLeading.encode()),
        }
    }

    pub(super) fn on_call(&mut self, peer: Principal, id: ReplyId, body: &[u8], now: Instant) {
        match Request::decode(body, &self.context) {
            Ok(Request::Fenced(fenced)) if fenced.claim().principal == peer => {
                self.obey(&fenced, id, now);
            }
            Ok(Request::Fenced(_)) => {
                self.misbehaved(peer, "a command under a claim that is not its own".to_owned());
                self.reply(id, Response::NotLeading.encode());
            }
            Err(error) => {
                self.misbehaved(peer, format!("a call: {error}"));
                self.reply(id, Response::NotLeading.encode());
            }
            Ok(Request::Forward) => match self.leader.leader() {
                Some(claim) if claim.principal == self.context.me => {
                    self.lead(Asker::Peer(id), claim, now);
                }
                _ => self.reply(id, Response::NotLeading.encode()),
            },
        }
    }

    fn obey(&mut self, fenced: &Fenced, id: ReplyId, now: Instant) {
        let claim = fenced.claim();
        if self.strew.membership().departed(&claim.principal, fenced.incarnation()).is_some() {
            return self.reply(id, Response::NotLeading.encode());
        }
        match self.leader.check(claim, now) {
            Err(Refused::Held(held)) => self.reply(id, Response::Held(held).encode()),
            // A newcomer finds an honest leader far above what it knows, too: that accuses nobody.
            Err(Refused::Beyond) => self.reply(id, Response::Beyond.encode()),
            Ok(()) if self.leader.fence() == Some(claim) => {
                self.reply(id, Response::Accepted.encode());
            }
            Ok(()) => {
                self.try_disk_again();
                if !self.author.push(Origin::Peer(id), Change::Fence(claim)) {
                    self.refuse_for_disk(id);
                }
            }
        }
    }

    /// A fenced command cannot be written: lower ones are not refused for it.
    pub(super) fn refuse_for_disk(&mut self, id: ReplyId) {
        self.leader.on_unwritten(self.author.pending_fence());
        self.reply(id, Response::Disk.encode());
    }

    /// To store a claim twice is to store it once. So who did not get it is asked once more.
    pub(super) fn on_ping_failed(
        &mut self,
        number: u64,
        peer: Principal,
        failure: RequestFailure,
        now: Instant,
    ) {
        let may = matches!(failure, RequestFailure::Lost | RequestFailure::Unsupported);
        let ping = self.pings.get_mut(&number).filter(|_| may);
        let again = ping.and_then(|ping| ping.again.insert(peer).then(|| ping.body.clone()));
        match again {
            Some(body) => {
                self.call(peer, body, Route::Ping(number), now);
            }
            None => self.on_ping_answer(number, peer, None, now),
        }
    }

    pub(super) fn on_ping_answer(
        &mut self,
        number: u64,
        peer: Principal,
        body: Option<&[u8]>,
        now: Instant,
    ) {
        let answer = body.and_then(|body| Response::decode(body).ok());
        if let Some(Response::Held(held)) = answer {
            self.on_greater_term(held, now);
        }
        let Some(ping) = self.pings.get_mut(&number) else { return };
        ping.waiting.remove(&peer);
        if answer == Some(Response::Accepted) {
            ping.accepted.insert(peer);
        } else {
            ping.failed.insert(peer);
        }
        self.finish_pings(now);
    }

    /// Answers the commands that everyone answered, or that waited long enough.
    pub(super) fn finish_pings(&mut self, now: Instant) {
        let done = |ping: &Ping| ping.waiting.is_empty() || ping.until <= now;
        let due: Vec<_> =
            self.pings.iter().filter(|(_, ping)| done(ping)).map(|(number, _)| *number).collect();
        for number in due {
            let Some(mut ping) = self.pings.remove(&number) else { continue };
            ping.failed.append(&mut ping.waiting);
            let pinged = Pinged { claim: ping.claim, accepted: ping.accepted, failed: ping.failed };
            match ping.asker {
                Asker::Control(id) => self.answer_pinged(id, pinged),
                Asker::Peer(id) => self.reply(id, Response::Pinged(pinged).encode()),
            }
        }
    }

    fn answer_pinged(&mut self, id: ControlId, pinged: Pinged) {
        // Alone it is accepted by its leader; otherwise by somebody else too.
        let accepted = pinged.accepted.len() > 1 || pinged.failed.is_empty();
        let result = if accepted { Ok(Answer::Pinged(pinged)) } else { Err(ControlError::Fenced) };
        self.answer(id, result);
    }

    pub(super) fn on_forward_answer(&mut self, id: ControlId, body: Option<&[u8]>) {
        match body.and_then(|body| Response::decode(body).ok()) {
            Some(Response::Pinged(pinged)) => self.answer_pinged(id, pinged),
            Some(Response::NotLeading) => self.answer(id, Err(ControlError::NoLeader)),
            _ => self.answer(id, Err(ControlError::LeaderSilent)),
        }
    }

    /// Ends what waited long enough.
    pub(super) fn expire(&mut self, now: Instant) {
        self.finish_pings(now);
        self.expire_calls(now);
        self.expire_stores(now);
        let ended: Vec<_> =
            self.leases.iter().filter(|(_, at)| **at <= now).map(|(key, _)| key.clone()).collect();
        for key in ended {
            let renewed = self
                .author
                .is_pending(|change| matches!(change, Change::Register(new) if new.key == key));
            let ending =
                !renewed && self.author.push(Origin::Internal, Change::Deregister(key.clone()));
            if ending {
                self.leases.remove(&key);
            } else {
                self.leases.insert(key, now + LEASE_AGAIN);
            }
        }
        self.forget_the_long_dead(now);
        self.on_departed_due(now);
        self.recover(now);
        self.stop_if_it_yields(now);
        if self.stop_at.is_some_and(|at| at <= now) {
            // It is said once, and stays said: who left does not undo it.
            self.stop_at = Some(Instant::NEVER);
            self.out.push(super::Command::Stop(super::StopReason::Left));
        }
    }

    pub(super) fn calls_deadline(&self) -> Instant {
        let pings = self.pings.values().map(|ping| ping.until);
        let stores = self.stores.values().map(StoreWait::deadline);
        let leases = self.leases.values().copied();
        let stop = self.stop_at.unwrap_or(Instant::NEVER);
        let yields = self.yield_deadline();
        let (past, departed) = (self.past.deadline(), self.departed.deadline());
        let rest = [stop, yields, past, departed, self.waiting_deadline()];
        pings.chain(stores).chain(leases).chain(rest).min().unwrap_or(Instant::NEVER)
    }

    /// The leader retires who is dead for long.
    fn forget_the_long_dead(&mut self, now: Instant) {
        if self.leader.leader().is_none_or(|claim| claim.principal != self.context.me) {
            return;
        }
        let asked = self.strew.forget_after().unwrap_or(self.config.forget_after);
        let limit = |member: &Principal| {
            let record = self.strew.record(member);
            let ephemeral = record.is_some_and(|r| r.profile().labels.contains_key("ephemeral"));
            if ephemeral { self.config.forget_ephemeral_after } else { asked }
        };
        let long: Vec<_> = self
            .dead_since
            .iter()
            .filter(|(member, since)| now.since(**since) >= limit(member))
            .map(|(member, _)| *member)
            .collect();
        for member in long {
            let subject = member;
            let retiring = self.author.is_pending(
                |change| matches!(change, Change::Act(Statement::Retire { subject: who, .. }) if *who == subject),
            );
            if !retiring {
                self.retire(member, Origin::Internal);
            }
        }
    }
}
