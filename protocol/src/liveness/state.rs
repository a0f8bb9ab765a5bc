use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crux_crdt::sign::{Identity, Signed};
use crux_crdt::{Digest, Principal};
use rand::RngExt;
use rand::rngs::StdRng;

use super::config::Config;
use super::message::{Beacon, Evidence, Notice, Suspicion};
use super::rings::{RINGS, Rings};
use super::subject::{Liveness, Subject, Vote};
use crate::context::Context;
use crate::link::Verdict;
use crate::time::Instant;

/// Lifeguard's greatest multiplier.
const HEALTH_MAX: u32 = 8;
/// The least time between two beacons by which a suspected node shows that it lives, however many
/// suspect it.
const BEACON_REST: Duration = Duration::from_millis(200);
/// How long local health takes to improve by one.
const HEALTH_RECOVERY: Duration = Duration::from_secs(10);
/// How many beacons of a dead member another one may have got that this node missed.
const BEACONS_MISSED_MAX: u64 = 4;
/// A wake that comes this much later than asked for speaks against this node's health.
const LATE_WAKE: Duration = Duration::from_millis(500);

/// What the engine asks of whoever drives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Gossip on the beat topic.
    Publish(Vec<u8>),
    /// Send a beat to those who observe this node.
    Beat {
        /// This node's incarnation.
        incarnation: u64,
        /// Its beacon counter.
        counter: u64,
    },
    /// Beats of exactly these are wanted.
    Observe(BTreeSet<Principal>),
    /// The link to this member closed: dial it, and tell [`State::on_refused`] if nobody listens.
    Probe(Principal),
    /// A member's verdict changed.
    Changed {
        /// The member.
        member: Principal,
        /// The verdict now.
        liveness: Liveness,
    },
    /// A live member beaconed another state digest than this node's.
    Doubt(Principal),
}

/// The failure detector of one node. See the module for its invariant.
#[derive(Debug)]
pub struct State {
    config: Config,
    context: Context,
    identity: Arc<Identity>,
    incarnation: u64,
    counter: u64,
    suspicions: u64,
    beacon: Vec<u8>,
    state_digest: Digest,
    state_digest_at: Instant,
    leading: bool,
    rings: Rings,
    subjects: BTreeMap<Principal, Subject>,
    linked: BTreeSet<Principal>,
    observed: BTreeSet<Principal>,
    observed_stale: bool,
    health: u32,
    health_at: Instant,
    called_at: Instant,
    grace_until: Instant,
    next_beat: Instant,
    next_beacon: Instant,
    beacon_at: Instant,
}

impl State {
    /// A detector that knows only this node. `incarnation` MUST be one that this node never beaconed
    /// under: the counter starts at zero, and beacons must not repeat.
    pub fn new(
        config: Config,
        context: Context,
        identity: Arc<Identity>,
        incarnation: u64,
        now: Instant,
    ) -> Self {
        Self {
            config,
            context,
            identity,
            incarnation,
            counter: 0,
            suspicions: 0,
            beacon: Vec::new(),
            state_digest: Digest::default(),
            state_digest_at: now,
            leading: false,
            rings: Rings::default(),
            subjects: BTreeMap::new(),
            linked: BTreeSet::new(),
            observed: BTreeSet::new(),
            observed_stale: true,
            health: 1,
            health_at: now,
            called_at: now,
            grace_until: now,
            next_beat: now,
            next_beacon: now,
            beacon_at: Instant::ORIGIN,
        }
    }

    /// Replaces who is watched: every member that has not departed, this node left out. Who is linked
    /// already when it is first watched lives.
    pub fn set_members(&mut self, members: &BTreeSet<Principal>, now: Instant) -> Vec<Output> {
        let me = self.context.me;
        let mut on_rings = members.clone();
        on_rings.insert(me);
        self.rings.set(&self.context.flock, &on_rings);
        self.subjects.retain(|member, _| members.contains(member));
        let known = |member: &Principal| *member == me || self.subjects.contains_key(member);
        let news: Vec<_> = members.iter().filter(|member| !known(member)).copied().collect();
        self.observed_stale = true;
        let mut out = Vec::new();
        for member in news {
            self.subjects.insert(member, Subject::unheard(now));
            if self.linked.contains(&member) {
                out.extend(self.hear(member, now));
            }
        }
        out
    }

    /// This node goes on under a greater incarnation.
    pub fn set_incarnation(&mut self, incarnation: u64, now: Instant) {
        if incarnation != self.incarnation {
            self.incarnation = incarnation;
            self.counter = 0;
            self.next_beacon = now;
        }
    }

    /// What beacons say of this node's replica, and whether it leads.
    pub fn set_own(&mut self, state_digest: Digest, leading: bool, now: Instant) {
        if self.state_digest != state_digest {
            self.state_digest = state_digest;
            self.state_digest_at = now;
        }
        if leading && !self.leading {
            self.next_beacon = now;
        }
        self.leading = leading;
    }

    /// Beacon at the next wake.
    pub fn beacon_soon(&mut self, now: Instant) {
        self.next_beacon = now;
    }

    /// The newest beacon, sealed as [`Notice`]; empty before the first.
    pub fn beacon(&self) -> &[u8] {
        &self.beacon
    }

    /// What this node thinks of a member. Itself, it is alive.
    pub fn liveness(&self, member: &Principal) -> Liveness {
        if *member == self.context.me {
            return Liveness::Alive;
        }
        self.subjects.get(member).map_or(Liveness::Dead, |subject| subject.liveness)
    }

    /// When a member was last heard.
    pub fn heard_at(&self, member: &Principal) -> Option<Instant> {
        self.subjects.get(member).map(|subject| subject.heard_at)
    }

    /// Live members that beaconed another state digest than this node has, and had already when
    /// they did.
    pub fn other_digests(&self) -> Vec<Principal> {
        let differs = |subject: &Subject| {
            subject.liveness != Liveness::Dead
                && subject.digest.is_some_and(|(digest, at)| {
                    digest != self.state_digest && at > self.state_digest_at
                })
        };
        let subjects = self.subjects.iter();
        subjects.filter(|(_, subject)| differs(subject)).map(|(member, _)| *member).collect()
    }

    /// How many members are not dead, this node included.
    pub fn live(&self) -> usize {
        1 + self.subjects.values().filter(|s| s.liveness != Liveness::Dead).count()
    }

    /// Whom this node observes.
    pub const fn observed(&self) -> &BTreeSet<Principal> {
        &self.observed
    }

    /// Who observes this node, from its own view.
    pub fn observers_of_me(&self) -> BTreeSet<Principal> {
        self.observers(&self.context.me)
    }

    fn observers(&self, subject: &Principal) -> BTreeSet<Principal> {
        self.rings.observers(subject, |other| self.liveness(other) != Liveness::Dead)
    }

    /// A member was linked: it lives.
    pub fn on_connected(&mut self, peer: Principal, now: Instant) -> Vec<Output> {
        self.linked.insert(peer);
        let Some(subject) = self.subjects.get_mut(&peer) else { return Vec::new() };
        subject.votes.clear();
        subject.my_vote = None;
        subject.beat_at = now;
        self.hear(peer, now)
    }

    /// The last link to a member closed.
    pub fn on_disconnected(&mut self, peer: Principal) -> Vec<Output> {
        self.linked.remove(&peer);
        let watched = self.observed.contains(&peer)
            && self.subjects.get(&peer).is_some_and(|s| s.liveness != Liveness::Dead);
        if watched { vec![Output::Probe(peer)] } else { Vec::new() }
    }

    /// Nobody listens where a member was: it is gone, unless it is linked again.
    pub fn on_refused(&mut self, peer: Principal, now: Instant) -> Vec<Output> {
        let watched = self.observed.contains(&peer) && !self.linked.contains(&peer);
        if watched { self.vote(peer, Evidence::Gone, now) } else { Vec::new() }
    }

    /// A beat of a member that this node observes.
    pub fn on_beat(&mut self, peer: Principal, about: (u64, u64), now: Instant) -> Vec<Output> {
        let me = self.context.me;
        let Some(subject) = self.subjects.get_mut(&peer) else { return Vec::new() };
        subject.beat_at = now;
        subject.freshest = subject.freshest.max(about);
        // A beat is first-hand: this node no longer finds the sender silent.
        subject.my_vote = None;
        subject.votes.remove(&me);
        subject.heard_at = now;
        match subject.liveness {
            Liveness::Alive => Vec::new(),
            Liveness::Suspect => self.weigh(peer, now),
            Liveness::Dead => self.hear(peer, now),
        }
    }

    /// A notice came in, by gossip or along with roots. Its signature held.
    pub fn on_notice(&mut self, notice: &Notice, now: Instant) -> (Verdict, Vec<Output>) {
        match notice {
            Notice::Beacon(beacon) => self.on_beacon(beacon, now),
            Notice::Suspicion(suspicion) => self.on_suspicion(suspicion, now),
        }
    }

    fn on_beacon(&mut self, beacon: &Signed<Beacon>, now: Instant) -> (Verdict, Vec<Output>) {
        let author = beacon.author();
        let fresh = (beacon.value().incarnation, beacon.value().counter);
        let me = self.context.me;
        let Some(subject) = self.subjects.get_mut(&author) else {
            return (Verdict::Ignore, Vec::new());
        };
        let first = subject.freshest == (0, 0);
        if fresh < subject.freshest {
            return (Verdict::Ignore, Vec::new());
        }
        if subject.beaconed == Some(fresh) {
            // It came by another way first, and not everyone has that way: pass it on.
            return (Verdict::Accept, Vec::new());
        }
        subject.beaconed = Some(fresh);
        subject.digest = Some((beacon.value().state_digest, now));
        let news = fresh > subject.freshest || first;
        subject.freshest = fresh;
        if subject.refute(&me, fresh) {
            self.worsen_health(now);
        }
        // A beat may have told of this beacon before: then there is nothing new to hear from it.
        let mut out = if news { self.hear(author, now) } else { Vec::new() };
        if beacon.value().state_digest != self.state_digest {
            out.push(Output::Doubt(author));
        }
        (Verdict::Accept, out)
    }

    fn on_suspicion(&mut self, signed: &Signed<Suspicion>, now: Instant) -> (Verdict, Vec<Output>) {
        let suspicion = signed.value();
        let about = (suspicion.incarnation, suspicion.counter);
        if !self.subjects.contains_key(&signed.author()) {
            // Only members have a voice.
            return (Verdict::Ignore, Vec::new());
        }
        if suspicion.subject == self.context.me {
            return (self.on_accused(signed.author(), about, now), Vec::new());
        }
        let repeat = self.config.repeat_suspicion / 2;
        let Some(subject) = self.subjects.get_mut(&suspicion.subject) else {
            return (Verdict::Ignore, Vec::new());
        };
        if subject.liveness == Liveness::Dead {
            return (Verdict::Accept, self.agree(suspicion.subject, about, now));
        }
        if about < subject.freshest {
            return (Verdict::Ignore, Vec::new());
        }
        let old = subject.votes.get(&signed.author());
        if old.is_some_and(|old| now.since(old.at) < repeat && suspicion.evidence <= old.evidence) {
            return (Verdict::Ignore, Vec::new());
        }
        let vote = Vote { evidence: suspicion.evidence, about, at: now };
        subject.votes.insert(signed.author(), vote);
        (Verdict::Accept, self.weigh(suspicion.subject, now))
    }

    /// Who still suspects a member that is dead to this node missed this node's suspicion: say it
    /// again, if it counts, about the beacon that the other one may have got and this node not.
    fn agree(&mut self, dead: Principal, about: (u64, u64), now: Instant) -> Vec<Output> {
        let me = self.context.me;
        if !self.observers(&dead).contains(&me) {
            return Vec::new();
        }
        let Some(subject) = self.subjects.get_mut(&dead) else { return Vec::new() };
        if now.since(subject.voted_at) < self.config.repeat_suspicion / 2 {
            return Vec::new();
        }
        let evidence = subject.votes.get(&me).map_or(Evidence::Silent, |vote| vote.evidence);
        let (incarnation, counter) = subject.freshest;
        let limit = (incarnation, counter.saturating_add(BEACONS_MISSED_MAX));
        let vote = Vote { evidence, about: subject.freshest.max(about.min(limit)), at: now };
        vec![self.publish_vote(dead, vote, now)]
    }

    /// Somebody suspects this node, which shows that it lives.
    fn on_accused(&mut self, by: Principal, about: (u64, u64), now: Instant) -> Verdict {
        let Some(accuser) = self.subjects.get_mut(&by) else { return Verdict::Ignore };
        if now.since(accuser.accused_at) < self.config.repeat_suspicion / 2 {
            return Verdict::Ignore;
        }
        accuser.accused_at = now;
        if about >= (self.incarnation, self.counter) {
            self.next_beacon = self.next_beacon.min(now.max(self.beacon_at + BEACON_REST));
        }
        Verdict::Accept
    }

    fn hear(&mut self, peer: Principal, now: Instant) -> Vec<Output> {
        let Some(subject) = self.subjects.get_mut(&peer) else { return Vec::new() };
        subject.heard_at = now;
        let before = subject.liveness;
        if before == Liveness::Dead {
            // Beats are expected from now on, not since it died.
            subject.beat_at = now;
            self.observed_stale = true;
        }
        subject.liveness = Liveness::Alive;
        if before == Liveness::Alive {
            return Vec::new();
        }
        vec![Output::Changed { member: peer, liveness: Liveness::Alive }]
    }

    /// Decides on a member by the votes there are.
    fn weigh(&mut self, member: Principal, now: Instant) -> Vec<Output> {
        let observers: BTreeSet<_> = self
            .observers(&member)
            .into_iter()
            .filter(|other| self.liveness(other) == Liveness::Alive)
            .collect();
        let suspect_for = self.config.suspect_for * self.health;
        let Some(subject) = self.subjects.get_mut(&member) else { return Vec::new() };
        let count = subject.count(&observers);
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
        subject.suspect_since = if verdict == Liveness::Suspect { now } else { Instant::NEVER };
        self.observed_stale |= verdict == Liveness::Dead;
        vec![Output::Changed { member, liveness: verdict }]
    }

    fn vote(&mut self, peer: Principal, evidence: Evidence, now: Instant) -> Vec<Output> {
        let Some(subject) = self.subjects.get_mut(&peer) else { return Vec::new() };
        if subject.liveness == Liveness::Dead {
            return Vec::new();
        }
        subject.my_vote = Some(evidence);
        let vote = Vote { evidence, about: subject.freshest, at: now };
        let mut out = vec![self.publish_vote(peer, vote, now)];
        out.extend(self.weigh(peer, now));
        out
    }

    fn publish_vote(&mut self, on: Principal, vote: Vote, now: Instant) -> Output {
        if let Some(subject) = self.subjects.get_mut(&on) {
            subject.voted_at = now;
            subject.votes.insert(self.context.me, vote);
        }
        self.suspicions += 1;
        let suspicion = Suspicion {
            subject: on,
            incarnation: vote.about.0,
            counter: vote.about.1,
            evidence: vote.evidence,
            number: self.suspicions,
        };
        let signed = Signed::sign(suspicion, &self.context.flock, &self.identity);
        Output::Publish(Notice::Suspicion(signed).encode())
    }

    /// Does what is due. MUST be called at [`State::deadline`] or soon after.
    pub fn on_wake(&mut self, now: Instant, rng: &mut StdRng) -> Vec<Output> {
        self.notice_own_pace(now);
        let mut out = self.refresh_observed(now);
        if self.next_beat <= now {
            self.next_beat = now + self.config.beat_period;
            out.push(Output::Beat { incarnation: self.incarnation, counter: self.counter });
        }
        if self.next_beacon <= now {
            out.push(self.send_beacon(now, rng));
        }
        out.extend(self.look_for_silence(now));
        let members: Vec<_> = self.subjects.keys().copied().collect();
        for member in members {
            out.extend(self.let_silence_decide(member, now));
            if self.subjects.get(&member).is_some_and(|s| !s.votes.is_empty()) {
                out.extend(self.weigh(member, now));
            }
        }
        out.extend(self.refresh_observed(now));
        out
    }

    /// Tells a slow or stopped process from silent peers.
    fn notice_own_pace(&mut self, now: Instant) {
        let gap = now.since(self.called_at);
        // The one timer that nothing moves: it says how late this process was woken.
        let late = now.since(self.next_beat);
        self.called_at = now;
        if gap > self.config.sleep_gap {
            for subject in self.subjects.values_mut() {
                subject.beat_at = now;
                subject.heard_at = subject.heard_at.max(now - self.config.beat_period);
            }
            self.grace_until = now + self.config.beat_period + self.config.beat_grace;
            self.next_beacon = now;
        } else if late > LATE_WAKE {
            self.worsen_health(now);
        } else if now.since(self.health_at) > HEALTH_RECOVERY {
            self.health = (self.health - 1).max(1);
            self.health_at = now;
        }
    }

    fn worsen_health(&mut self, now: Instant) {
        self.health = (self.health + 1).min(HEALTH_MAX);
        self.health_at = now;
    }

    fn refresh_observed(&mut self, now: Instant) -> Vec<Output> {
        if !std::mem::take(&mut self.observed_stale) {
            return Vec::new();
        }
        let live = |(member, subject): (&Principal, &Subject)| {
            (subject.liveness != Liveness::Dead).then_some(*member)
        };
        let everyone: BTreeSet<_> = self.subjects.iter().filter_map(live).collect();
        let observed: BTreeSet<_> = if everyone.len() <= RINGS {
            everyone
        } else {
            let me = self.context.me;
            everyone.into_iter().filter(|m| self.observers(m).contains(&me)).collect()
        };
        if observed == self.observed {
            return Vec::new();
        }
        for member in observed.difference(&self.observed) {
            if let Some(subject) = self.subjects.get_mut(member) {
                subject.beat_at = now;
            }
        }
        for member in self.observed.difference(&observed) {
            if let Some(subject) = self.subjects.get_mut(member) {
                subject.my_vote = None;
            }
        }
        self.observed.clone_from(&observed);
        vec![Output::Observe(observed)]
    }

    fn send_beacon(&mut self, now: Instant, rng: &mut StdRng) -> Output {
        self.counter += 1;
        let beacon = Beacon {
            incarnation: self.incarnation,
            counter: self.counter,
            state_digest: self.state_digest,
        };
        let signed = Signed::sign(beacon, &self.context.flock, &self.identity);
        self.beacon = Notice::Beacon(signed).encode();
        self.beacon_at = now;
        let period =
            if self.leading { self.config.leader_beacon_period } else { self.beacon_period() };
        self.next_beacon = now + period.mul_f64(rng.random_range(0.9..1.0));
        Output::Publish(self.beacon.clone())
    }

    /// Grows with the flock, so that what a node receives does not. From the design, page 01.
    fn beacon_period(&self) -> Duration {
        let members = u32::try_from(self.subjects.len()).unwrap_or(u32::MAX);
        (Duration::from_secs(1) * members / 33)
            .clamp(self.config.beacon_period_min, self.config.beacon_period_max)
    }

    fn beat_timeout(&self) -> Duration {
        (self.config.beat_period + self.config.beat_grace) * self.health
    }

    fn look_for_silence(&mut self, now: Instant) -> Vec<Output> {
        if now < self.grace_until {
            return Vec::new();
        }
        let timeout = self.beat_timeout();
        let repeat = self.config.repeat_suspicion;
        let is_silent = |subject: &Subject| {
            subject.liveness != Liveness::Dead && now.since(subject.beat_at) >= timeout
        };
        let silent: Vec<_> = self
            .observed
            .iter()
            .filter(|member| self.subjects.get(member).is_some_and(is_silent))
            .copied()
            .collect();
        let news = |member: &Principal| {
            self.subjects.get(member).is_some_and(|subject| {
                subject.my_vote.is_none() || now.since(subject.voted_at) >= repeat
            })
        };
        let due: Vec<_> = silent.iter().filter(|member| news(member)).copied().collect();
        if silent.len() * 2 > self.observed.len() && silent.len() > 2 && !due.is_empty() {
            self.worsen_health(now);
        }
        let evidence = |state: &Self, member: &Principal| {
            let vote = state.subjects.get(member).and_then(|subject| subject.my_vote);
            vote.unwrap_or(Evidence::Silent)
        };
        due.into_iter()
            .flat_map(|member| {
                let evidence = evidence(self, &member);
                self.vote(member, evidence, now)
            })
            .collect()
    }

    fn let_silence_decide(&mut self, member: Principal, now: Instant) -> Vec<Output> {
        let limit = self.beacon_period() * self.config.beacon_periods;
        let Some(subject) = self.subjects.get_mut(&member) else { return Vec::new() };
        if subject.liveness == Liveness::Dead || now.since(subject.heard_at) < limit {
            return Vec::new();
        }
        subject.liveness = Liveness::Dead;
        self.observed_stale = true;
        vec![Output::Changed { member, liveness: Liveness::Dead }]
    }

    /// When [`State::on_wake`] has something to do.
    pub fn deadline(&self) -> Instant {
        let timeout = self.beat_timeout();
        let suspect_for = self.config.suspect_for * self.health;
        let silence = self.beacon_period() * self.config.beacon_periods;
        let subjects = self
            .subjects
            .iter()
            .filter(|(_, subject)| subject.liveness != Liveness::Dead)
            .map(|(member, subject)| {
                let silent_at = (subject.beat_at + timeout).max(self.grace_until);
                let beat = match subject.my_vote {
                    _ if !self.observed.contains(member) => Instant::NEVER,
                    None => silent_at,
                    Some(_) => silent_at.max(subject.voted_at + self.config.repeat_suspicion),
                };
                let suspect = match subject.liveness {
                    Liveness::Suspect => {
                        // Once the time has passed, new votes decide, not the clock.
                        let at = subject.suspect_since + suspect_for;
                        if at > self.called_at { at } else { Instant::NEVER }
                    }
                    _ => Instant::NEVER,
                };
                beat.min(suspect).min(subject.heard_at + silence)
            })
            .min()
            .unwrap_or(Instant::NEVER);
        let stale = if self.observed_stale { self.called_at } else { Instant::NEVER };
        self.next_beat.min(self.next_beacon).min(subjects).min(stale)
    }
}
