//! Suspicions: whose they are, what they decide, and how they are answered.

use std::time::Duration;

use crux_crdt::Principal;
use crux_crdt::sign::Signed;
use rand::RngExt;
use rand::rngs::StdRng;

use super::message::{Evidence, Notice, Suspicion};
use super::state::{Output, State};
use super::subject::{Count, Liveness, Subject, Vote};
use crate::link::Verdict;
use crate::time::Instant;

/// The least time between two beacons by which a suspected node shows that it lives, however many
/// suspect it.
pub(super) const BEACON_REST: Duration = Duration::from_millis(200);
/// Of how many members a process asks that slept. In a larger flock silence decides on the rest.
const ASKED_MAX: usize = 64;
/// What piled up for a process that slept is read by then, and was perhaps said by who is dead now.
const PILED_UP: Duration = Duration::from_millis(500);
/// Within which time it asks for whom a late beacon spoke: longer than a question takes to come to all.
const ASK_WITHIN: Duration = Duration::from_millis(500);
/// How many beacons of a dead member another one may have got that this node missed.
const BEACONS_MISSED_MAX: u64 = 4;

impl State {
    pub(super) fn on_suspicion(
        &mut self,
        signed: &Signed<Suspicion>,
        now: Instant,
    ) -> (Verdict, Vec<Output>) {
        let suspicion = signed.value();
        let about = (suspicion.incarnation, suspicion.counter);
        if !self.subjects.contains(&signed.author()) {
            // Only members have a voice.
            return (Verdict::Ignore, Vec::new());
        }
        if suspicion.subject == self.context.me {
            return (self.on_accused(signed.author(), about, now), Vec::new());
        }
        let repeat = self.config.repeat_suspicion / 2;
        let Some(mut subject) = self.subjects.get_mut(&suspicion.subject) else {
            return (Verdict::Ignore, Vec::new());
        };
        let dead = subject.liveness == Liveness::Dead;
        if suspicion.evidence == Evidence::Asked || about < subject.freshest && !dead {
            drop(subject);
            let verdict = self.on_question(suspicion.subject, about, now);
            let out = if dead { self.agree(suspicion.subject, about, now) } else { Vec::new() };
            return (verdict, out);
        }
        if dead {
            drop(subject);
            return (Verdict::Accept, self.agree(suspicion.subject, about, now));
        }
        let old = subject.votes.get(&signed.author());
        if old.is_some_and(|old| now.since(old.at) < repeat && suspicion.evidence <= old.evidence) {
            return (Verdict::Ignore, Vec::new());
        }
        let vote = Vote { evidence: suspicion.evidence, about, at: now };
        subject.votes.insert(signed.author(), vote);
        drop(subject);
        (Verdict::Accept, self.weigh(suspicion.subject, now))
    }

    /// An observer that asks, or suspects by an older beacon, missed one. The subject sends another, if
    /// this is passed on to it; one of many that come at once is enough. Members that would ask the same
    /// hear the answer, too.
    fn on_question(&mut self, of: Principal, about: (u64, u64), now: Instant) -> Verdict {
        let Some(mut subject) = self.subjects.get_mut(&of) else { return Verdict::Ignore };
        if now.since(subject.doubted_at) < self.config.repeat_suspicion / 2 {
            return Verdict::Ignore;
        }
        subject.doubted_at = now;
        let same = about >= subject.freshest;
        drop(subject);
        if same {
            self.doubtful.remove(&of);
        }
        Verdict::Accept
    }

    /// An observer that still suspects a member that is dead to this node missed this node's suspicion:
    /// repeat it, if it counts, about the beacon that the other one may have got and this node not.
    fn agree(&mut self, dead: Principal, about: (u64, u64), now: Instant) -> Vec<Output> {
        let me = self.context.me;
        if !self.observers(&dead).contains(&me) {
            return Vec::new();
        }
        let Some(subject) = self.subjects.get(&dead) else { return Vec::new() };
        if now.since(subject.voted_at) < self.config.repeat_suspicion / 2 {
            return Vec::new();
        }
        let evidence = subject.votes.get(&me).map_or(Evidence::Silent, |vote| vote.evidence);
        let (incarnation, counter) = subject.freshest;
        let limit = (incarnation, counter.saturating_add(BEACONS_MISSED_MAX));
        let vote = Vote { evidence, about: subject.freshest.max(about.min(limit)), at: now };
        vec![self.publish_vote(dead, vote, now)]
    }

    /// Asks of members that may have died while this process slept, of whom nobody speaks any more,
    /// and of those for whom only a late beacon spoke: see [`State::agree`] and [`State::on_accused`].
    pub(super) fn ask_what_is_doubtful(&mut self, now: Instant, rng: &mut StdRng) -> Vec<Output> {
        if self.asks_at().is_some() && self.ask_at == Instant::NEVER {
            // A late beacon is late to many, and the first question answers them all.
            self.ask_at = now + ASK_WITHIN.mul_f64(rng.random_range(0.0..1.0));
        }
        if self.asks_at().is_none_or(|at| now < at) {
            return Vec::new();
        }
        self.ask_at = Instant::NEVER;
        let doubtful = std::mem::take(&mut self.doubtful);
        let met = std::mem::take(&mut self.met);
        let woke_at = self.woke_at.take();
        let unheard = woke_at.into_iter().flat_map(|woke_at| self.unheard_since(woke_at));
        let unheard = unheard.filter(|who| !met.contains(who) && !doubtful.contains(who));
        let lately_dead = woke_at.into_iter().flat_map(|woke_at| self.lately_dead(woke_at));
        let lately_dead = lately_dead.filter(|who| !doubtful.contains(who));
        let asked = unheard.chain(doubtful.iter().copied()).chain(lately_dead);
        // A member that is observed and connected sends heartbeats.
        let asked = asked.filter(|who| !(self.observed.contains(who) && self.linked.contains(who)));
        let asked: Vec<_> = asked.take(ASKED_MAX).collect();
        asked.into_iter().filter_map(|who| self.ask_about(who)).collect()
    }

    /// When to ask; none: there is nothing to ask.
    pub(super) fn asks_at(&self) -> Option<Instant> {
        match self.woke_at {
            Some(_) => Some(self.grace_until),
            None if self.doubtful.is_empty() => None,
            None if self.ask_at == Instant::NEVER => Some(self.called_at),
            None => Some(self.ask_at.max(self.grace_until)),
        }
    }

    /// The living that were not heard since this process woke.
    fn unheard_since(&self, woke_at: Instant) -> impl Iterator<Item = Principal> {
        let live = self.subjects.live().iter();
        let unheard = live.take_while(move |(heard_at, _)| *heard_at < woke_at + PILED_UP);
        unheard.map(|(_, who)| *who)
    }

    /// Those who died not long before this process woke, and may have come back.
    fn lately_dead(&self, woke_at: Instant) -> impl Iterator<Item = Principal> {
        let from = woke_at - self.silence();
        let is_lately_dead = move |subject: &Subject| {
            subject.liveness == Liveness::Dead
                && subject.beacon.is_some()
                && subject.heard_at >= from
        };
        let dead = self.subjects.iter().filter(move |(_, subject)| is_lately_dead(subject));
        dead.map(|(who, _)| *who)
    }

    fn ask_about(&mut self, member: Principal) -> Option<Output> {
        let about = self.subjects.get(&member)?.freshest;
        Some(self.publish_suspicion(member, about, Evidence::Asked))
    }

    /// Somebody suspects this node, which shows that it lives.
    fn on_accused(&mut self, by: Principal, about: (u64, u64), now: Instant) -> Verdict {
        let Some(mut accuser) = self.subjects.get_mut(&by) else { return Verdict::Ignore };
        let (accused_at, before) = accuser.accused;
        // One about a fresher beacon is not the same again: who slept hears old ones, too.
        if now.since(accused_at) < self.config.repeat_suspicion / 2 && about <= before {
            return Verdict::Ignore;
        }
        accuser.accused = (now, about);
        // About an older beacon, it was perhaps said before the newest one came there. Or that one never
        // came: who slept or had no links asks once, and must not be left with what it read.
        let known = about >= (self.incarnation, self.counter);
        let rest = if known { BEACON_REST } else { self.config.repeat_suspicion };
        self.next_beacon = self.next_beacon.min(now.max(self.beacon_at + rest));
        Verdict::Accept
    }

    /// Whether the suspicions that stand suffice for a death.
    pub(super) fn is_outvoted(&self, member: &Principal, now: Instant) -> bool {
        let count = self.subjects.get(member).map(|it| it.count(&self.judges(member, now)));
        count.is_some_and(|it| it.gone_by_majority() || it.silent_by_majority())
    }

    /// The observers of a member that are neither suspect nor dead, nor away.
    fn judges(&self, member: &Principal, now: Instant) -> Vec<Principal> {
        let mut observers = self.observers(member);
        let me = self.context.me;
        observers.retain(|other| {
            // This node hears what it says, wherever it goes then.
            let speaks = *other == me || !self.is_away(other, now);
            speaks && self.liveness(other) == Liveness::Alive
        });
        observers
    }

    /// Decides on a member by the votes there are.
    pub(super) fn weigh(&mut self, member: Principal, now: Instant) -> Vec<Output> {
        let observers = self.judges(&member, now);
        let (me, health) = (self.context.me, self.health);
        let suspect_for = self.config.suspect_for;
        let Some(mut subject) = self.subjects.get_mut(&member) else { return Vec::new() };
        if subject.is_away(now) {
            return Vec::new();
        }
        let count = subject.count(&observers);
        // This node's health says nothing of what a majority without it saw.
        let mine = usize::from(observers.contains(&me) && subject.votes.contains_key(&me));
        let needs_me = !Count { silent: count.silent - mine, ..count }.silent_by_majority();
        let suspect_for = if needs_me { suspect_for * health } else { suspect_for };
        let before = subject.liveness;
        let lasted = now.since(subject.suspect_since) >= suspect_for;
        let verdict = match before {
            Liveness::Dead => Liveness::Dead,
            _ if count.gone_by_majority() => Liveness::Dead,
            Liveness::Suspect if lasted && count.silent_by_majority() => Liveness::Dead,
            _ if count.is_suspect() => Liveness::Suspect,
            _ => Liveness::Alive,
        };
        if verdict == before {
            return Vec::new();
        }
        subject.liveness = verdict;
        // What a process reads that slept may have been refuted since. It asks when its grace ends.
        let since = now.max(self.grace_until);
        subject.suspect_since = if verdict == Liveness::Suspect { since } else { Instant::NEVER };
        self.observed_stale |= verdict == Liveness::Dead;
        vec![Output::Changed { member, liveness: verdict }]
    }

    pub(super) fn vote(
        &mut self,
        peer: Principal,
        evidence: Evidence,
        now: Instant,
    ) -> Vec<Output> {
        let Some(mut subject) = self.subjects.get_mut(&peer) else { return Vec::new() };
        if subject.liveness == Liveness::Dead {
            return Vec::new();
        }
        subject.my_vote = Some(evidence);
        let vote = Vote { evidence, about: subject.freshest, at: now };
        drop(subject);
        let mut out = vec![self.publish_vote(peer, vote, now)];
        out.extend(self.weigh(peer, now));
        out
    }

    fn publish_vote(&mut self, on: Principal, vote: Vote, now: Instant) -> Output {
        if let Some(mut subject) = self.subjects.get_mut(&on) {
            subject.voted_at = now;
            subject.votes.insert(self.context.me, vote);
        }
        self.publish_suspicion(on, vote.about, vote.evidence)
    }

    fn publish_suspicion(
        &mut self,
        subject: Principal,
        (incarnation, counter): (u64, u64),
        evidence: Evidence,
    ) -> Output {
        self.suspicions += 1;
        let number = self.suspicions;
        let suspicion = Suspicion { subject, incarnation, counter, evidence, number };
        let signed = Signed::sign(suspicion, &self.context.flock, &self.identity);
        Output::Publish(Notice::Suspicion(signed).encode())
    }
}
