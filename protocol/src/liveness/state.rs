use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crux_crdt::sign::Identity;
use crux_crdt::{Digest, Principal};
use rand::rngs::StdRng;

use super::config::Config;
use super::rings::RINGS;
use super::run::Run;
use super::subject::{Liveness, Subject};
use super::subjects::Subjects;
use super::vote::BEACON_REST;
use crate::context::Context;
use crate::time::Instant;

/// How long whom a node observes stays as it is, per member. Thousands that come to life within a
/// second, at the start, change it thousands of times, and each time would cost them all.
pub(super) const OBSERVE_REST: Duration = Duration::from_micros(100);

/// Requests of the engine to its caller.
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
    /// This member is heard of and sends no beat over its link: close that, so that another is made.
    Stuck(Principal),
    /// A member's verdict changed.
    Changed {
        /// The member.
        member: Principal,
        /// The verdict now.
        liveness: Liveness,
    },
    /// A member announced that it restarts, or is back.
    Away(Principal),
    /// A live member beaconed another state digest than this node's.
    Doubt(Principal),
    /// Two processes beacon with this member's key, and one of them may not know it yet.
    Twin(Principal),
}

/// The failure detector of one node. See the module for its invariant.
#[derive(Debug)]
pub struct State {
    pub(super) config: Config,
    pub(super) context: Context,
    pub(super) identity: Arc<Identity>,
    pub(super) incarnation: u64,
    pub(super) counter: u64,
    /// Which run of this identity this is.
    pub(super) run: Run,
    pub(super) started_at: Instant,
    pub(super) suspicions: u64,
    pub(super) beacon: Vec<u8>,
    pub(super) state_digest: Digest,
    pub(super) state_digest_at: Instant,
    pub(super) leading: bool,
    /// By when another process of this node is to run, as this one announced.
    pub(super) back_by: Instant,
    pub(super) subjects: Subjects,
    pub(super) linked: BTreeSet<Principal>,
    pub(super) observed: BTreeSet<Principal>,
    pub(super) observed_stale: bool,
    /// When it was last derived whom this node observes.
    pub(super) observed_at: Instant,
    pub(super) health: u32,
    pub(super) health_at: Instant,
    pub(super) called_at: Instant,
    pub(super) grace_until: Instant,
    /// When this process woke from a sleep, until it asked what it missed.
    pub(super) woke_at: Option<Instant>,
    /// Members whose life is doubtful, because a late beacon spoke for them, or one that this process
    /// read after it slept.
    pub(super) doubtful: BTreeSet<Principal>,
    /// When it asks about them, unless it slept; never: that is to be chosen.
    pub(super) ask_at: Instant,
    /// Members connected since it woke.
    pub(super) met: BTreeSet<Principal>,
    pub(super) next_beat: Instant,
    /// When it beacons next: at its turn, or sooner because something happened.
    pub(super) next_beacon: Instant,
    /// When it is its turn, once in a period.
    pub(super) beacon_turn: Instant,
    /// The period that it was chosen by.
    pub(super) turn_period: Duration,
    pub(super) beacon_at: Instant,
    /// What the clock has to say of those who are observed or suspect; none: look again.
    pub(super) closely_due: Option<Instant>,
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
        let subjects = Subjects::new(context.flock, context.me);
        Self {
            config,
            context,
            identity,
            incarnation,
            counter: 0,
            run: Run::default(),
            started_at: now,
            suspicions: 0,
            beacon: Vec::new(),
            state_digest: Digest::default(),
            state_digest_at: now,
            leading: false,
            back_by: Instant::ORIGIN,
            subjects,
            linked: BTreeSet::new(),
            observed: BTreeSet::new(),
            observed_stale: true,
            observed_at: Instant::ORIGIN,
            health: 1,
            health_at: now,
            called_at: now,
            grace_until: now,
            woke_at: None,
            doubtful: BTreeSet::new(),
            ask_at: Instant::NEVER,
            met: BTreeSet::new(),
            next_beat: now,
            next_beacon: now,
            beacon_turn: now,
            turn_period: Duration::ZERO,
            beacon_at: Instant::ORIGIN,
            closely_due: None,
        }
    }

    /// How many suspicions stand.
    pub fn votes(&self) -> usize {
        self.subjects
            .accused()
            .iter()
            .filter_map(|who| self.subjects.get(who))
            .map(|it| it.votes.len())
            .sum()
    }

    /// Replaces the watched members: all that have not departed, this node left out. A member that is
    /// connected already when it is first watched is alive.
    pub fn set_members(&mut self, members: &BTreeSet<Principal>, now: Instant) -> Vec<Output> {
        let me = self.context.me;
        self.subjects.retain(members);
        let known = |member: &Principal| *member == me || self.subjects.contains(member);
        let news: Vec<_> = members.iter().filter(|member| !known(member)).copied().collect();
        (self.observed_stale, self.closely_due) = (true, None);
        let observed = &self.observed;
        self.subjects.extend(news.iter().map(|member| {
            let observed = observed.contains(member);
            (*member, Subject { observed, ..Subject::unheard(now) })
        }));
        let linked: Vec<_> = news.into_iter().filter(|it| self.linked.contains(it)).collect();
        linked.into_iter().flat_map(|member| self.hear(member, now)).collect()
    }

    /// This node continues under a greater incarnation.
    pub fn set_incarnation(&mut self, incarnation: u64, now: Instant) {
        if incarnation != self.incarnation {
            self.incarnation = incarnation;
            self.counter = 0;
            self.next_beacon = now;
        }
    }

    /// Which run of this identity this is, and what it says of others. MUST be called before the first wake.
    pub fn set_run(&mut self, run: Run, now: Instant) {
        if self.run != run {
            self.run = run;
            self.next_beacon = self.next_beacon.min(now.max(self.beacon_at + BEACON_REST));
        }
    }

    /// What beacons say of this node's replica, and whether it leads.
    pub fn set_own(&mut self, state_digest: Digest, leading: bool, now: Instant) {
        if self.state_digest != state_digest {
            self.state_digest = state_digest;
            self.state_digest_at = now;
        }
        if leading && !self.leading {
            self.next_beacon = self.next_beacon.min(now.max(self.beacon_at + BEACON_REST));
        }
        self.leading = leading;
    }

    /// The newest beacon of a member that came: its incarnation and counter.
    pub fn beaconed(&self, member: &Principal) -> Option<(u64, u64)> {
        self.subjects.get(member).and_then(Subject::beaconed)
    }

    /// The same, and that of the other run that was heard of it.
    pub fn marks(&self, member: &Principal) -> [Option<(u64, u64)>; 2] {
        let subject = self.subjects.get(member);
        let other = subject.and_then(|subject| subject.other.as_ref());
        [self.beaconed(member), other.map(|heard| heard.beacon.mark())]
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
                && subject.beacon.as_ref().is_some_and(|heard| {
                    heard.beacon.state_digest != self.state_digest
                        && heard.at > self.state_digest_at
                })
        };
        let subjects = self.subjects.iter();
        subjects.filter(|(_, subject)| differs(subject)).map(|(member, _)| *member).collect()
    }

    /// How many members are not dead, this node included.
    pub fn live(&self) -> usize {
        1 + self.subjects.live().len()
    }

    /// Those others who are not dead.
    pub fn others(&self) -> impl Iterator<Item = Principal> {
        self.subjects.live().iter().map(|(_, member)| *member)
    }

    /// The members that this node observes.
    pub const fn observed(&self) -> &BTreeSet<Principal> {
        &self.observed
    }

    /// The observers of this node, from its own view.
    pub fn observers_of_me(&self) -> Vec<Principal> {
        self.observers(&self.context.me)
    }

    pub(super) fn observers(&self, subject: &Principal) -> Vec<Principal> {
        self.subjects.rings().observers(subject)
    }

    /// Does what is due. MUST be called at [`State::deadline`] or soon after.
    pub fn on_wake(&mut self, now: Instant, rng: &mut StdRng) -> Vec<Output> {
        self.closely_due = None;
        self.notice_own_pace(now);
        let mut out = self.refresh_observed(now);
        if self.next_beat <= now {
            self.next_beat = now + self.config.beat_period;
            out.push(Output::Beat { incarnation: self.incarnation, counter: self.counter });
        }
        if self.next_beacon <= now {
            out.push(self.send_beacon(now, rng));
        }
        out.extend(self.look_for_stuck_links(now));
        out.extend(self.look_for_silence(now));
        out.extend(self.ask_what_is_doubtful(now, rng));
        let mut due = self.silent_for_too_long(now);
        due.extend(self.subjects.accused());
        due.extend(self.suspects_for_long(now));
        for member in due {
            out.extend(self.let_silence_decide(member, now));
            out.extend(self.weigh(member, now));
        }
        out.extend(self.refresh_observed(now));
        out
    }

    /// From when on the observed members may be derived again.
    pub(super) fn observe_from(&self) -> Instant {
        let members = u32::try_from(self.subjects.len()).unwrap_or(u32::MAX);
        self.observed_at + OBSERVE_REST * members
    }

    fn refresh_observed(&mut self, now: Instant) -> Vec<Output> {
        if !self.observed_stale || now < self.observe_from() {
            return Vec::new();
        }
        (self.observed_stale, self.observed_at) = (false, now);
        let live = self.subjects.live();
        let observed: BTreeSet<_> = if live.len() <= RINGS {
            live.iter().map(|(_, member)| *member).collect()
        } else {
            let me = self.context.me;
            let close = self.subjects.rings().before(&me);
            close.into_iter().filter(|m| self.observers(m).contains(&me)).collect()
        };
        if observed == self.observed {
            return Vec::new();
        }
        for member in observed.difference(&self.observed) {
            if let Some(mut subject) = self.subjects.get_mut(member) {
                (subject.beat_at, subject.observed) = (now, true);
            }
        }
        for member in self.observed.difference(&observed) {
            if let Some(mut subject) = self.subjects.get_mut(member) {
                (subject.my_vote, subject.observed) = (None, false);
            }
        }
        self.observed.clone_from(&observed);
        vec![Output::Observe(observed)]
    }
}
