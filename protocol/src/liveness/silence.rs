//! What the clock says: who was silent for too long, and when to look again.

use std::collections::BTreeSet;
use std::time::Duration;

use crux_crdt::Principal;

use super::config::Config;
use super::message::Evidence;
use super::state::{Output, State};
use super::subject::{Liveness, Subject};
use crate::time::Instant;

impl State {
    fn beat_timeout(&self) -> Duration {
        (self.config.beat_period + self.config.beat_grace) * self.health
    }

    /// Links over which no beat comes for twice the time in which a stopped member is found dead, to
    /// those that are not: others hear them. This node's health does not lengthen it, because such a
    /// link is what makes it worse.
    pub(super) fn look_for_stuck_links(&mut self, now: Instant) -> Vec<Output> {
        if now < self.grace_until {
            return Vec::new();
        }
        let Config { beat_period, beat_grace, suspect_for, .. } = self.config;
        let limit = (beat_period + beat_grace + suspect_for) * 2;
        let is_stuck = |member: &&Principal| {
            self.subjects.get(member).is_some_and(|subject| {
                subject.liveness != Liveness::Dead && now.since(subject.beat_at) >= limit
            })
        };
        let stuck: Vec<_> =
            self.observed.intersection(&self.linked).filter(is_stuck).copied().collect();
        // It counts as closed from now on, hence this is said once.
        self.linked.retain(|member| !stuck.contains(member));
        stuck.into_iter().map(Output::Stuck).collect()
    }

    pub(super) fn look_for_silence(&mut self, now: Instant) -> Vec<Output> {
        if now < self.grace_until {
            return Vec::new();
        }
        let timeout = self.beat_timeout();
        let repeat = self.config.repeat_suspicion;
        let is_silent = |subject: &Subject| {
            subject.liveness != Liveness::Dead
                && now.since(subject.beat_at) >= timeout
                && !subject.is_away(now)
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

    /// The silence after which a member is dead.
    pub(super) fn silence(&self) -> Duration {
        if crux_crdt::planted!(SilenceIsNothing) {
            return Duration::MAX;
        }
        self.beacon_period() * self.config.beacon_periods
    }

    /// Members silent for so long that this alone decides.
    pub(super) fn silent_for_too_long(&self, now: Instant) -> BTreeSet<Principal> {
        let limit = self.silence();
        let live = self.subjects.live().iter();
        live.take_while(|(at, _)| now.since(*at) >= limit).map(|(_, member)| *member).collect()
    }

    /// Suspects to be decided on, also if no suspicion counts any more.
    pub(super) fn suspects_for_long(&self, now: Instant) -> Vec<Principal> {
        let lasted = |member: &&Principal| {
            let since = self.subjects.get(member).map(|it| it.suspect_since);
            since.is_some_and(|since| now.since(since) >= self.config.suspect_for)
        };
        self.subjects.suspects().iter().filter(lasted).copied().collect()
    }

    pub(super) fn let_silence_decide(&mut self, member: Principal, now: Instant) -> Vec<Output> {
        let limit = self.silence();
        let Some(mut subject) = self.subjects.get_mut(&member) else { return Vec::new() };
        if subject.liveness == Liveness::Dead || now.since(subject.heard_at) < limit {
            return Vec::new();
        }
        subject.liveness = Liveness::Dead;
        self.observed_stale = true;
        vec![Output::Changed { member, liveness: Liveness::Dead }]
    }

    /// When [`State::on_wake`] has something to do.
    pub fn deadline(&mut self) -> Instant {
        let changed = self.subjects.changed_closely();
        let known = self.closely_due.filter(|_| !changed);
        debug_assert!(known.is_none_or(|at| at == self.look_closely()), "it changed unnoticed");
        let closely = known.unwrap_or_else(|| self.look_closely());
        self.closely_due = Some(closely);
        let first = self.subjects.live().first();
        let silence = first.map_or(Instant::NEVER, |(heard_at, _)| *heard_at + self.silence());
        let stale = if self.observed_stale {
            self.called_at.max(self.observe_from())
        } else {
            Instant::NEVER
        };
        let asking = self.asks_at().unwrap_or(Instant::NEVER);
        let rest = [self.next_beat, self.next_beacon, silence, stale, asking];
        rest.into_iter().fold(closely, Instant::min)
    }

    /// When a beat or a verdict is due. Remembered until one of these subjects changes or this node
    /// wakes: in a large flock most of what is heard is of others.
    fn look_closely(&self) -> Instant {
        let subjects = |members| {
            let subjects = BTreeSet::iter(members).filter_map(|member| self.subjects.get(member));
            subjects.filter(|subject| subject.liveness != Liveness::Dead)
        };
        let beats = subjects(&self.observed).map(|subject| self.beat_deadline(subject));
        let verdicts = subjects(self.subjects.suspects()).map(|it| self.verdict_deadline(it));
        beats.chain(verdicts).min().unwrap_or(Instant::NEVER)
    }

    /// When an observed member is due to be called silent, for the first time or again.
    fn beat_deadline(&self, subject: &Subject) -> Instant {
        let silent_at = (subject.beat_at + self.beat_timeout()).max(self.grace_until);
        let silent_at = silent_at.max(subject.away_until());
        match subject.my_vote {
            None => silent_at,
            Some(_) => silent_at.max(subject.voted_at + self.config.repeat_suspicion),
        }
    }

    /// When a suspect may be found dead: the shorter time first. Once both have passed, new votes
    /// decide, not the clock.
    fn verdict_deadline(&self, subject: &Subject) -> Instant {
        let suspect_for = self.config.suspect_for;
        let times = [suspect_for, suspect_for * self.health];
        let at = times.map(|time| subject.suspect_since + time);
        at.into_iter().find(|at| *at > self.called_at).unwrap_or(Instant::NEVER)
    }
}
