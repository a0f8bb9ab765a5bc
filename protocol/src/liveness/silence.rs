//! What the clock says: who was silent for too long, and when to look again.

use std::time::Duration;

use crux_crdt::Principal;

use super::message::Evidence;
use super::state::{Output, State};
use super::subject::{Liveness, Subject};
use crate::time::Instant;

impl State {
    fn beat_timeout(&self) -> Duration {
        (self.config.beat_period + self.config.beat_grace) * self.health
    }

    pub(super) fn look_for_silence(&mut self, now: Instant) -> Vec<Output> {
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

    /// Who is silent for so long is dead.
    fn silence(&self) -> Duration {
        if crux_crdt::planted!(SilenceIsNothing) {
            return Duration::MAX;
        }
        self.beacon_period() * self.config.beacon_periods
    }

    pub(super) fn let_silence_decide(&mut self, member: Principal, now: Instant) -> Vec<Output> {
        let limit = self.silence();
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
        let suspect_for = self.config.suspect_for;
        let silence = self.silence();
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
                        // The shorter time first. Once both have passed, new votes decide, not the
                        // clock.
                        let times = [suspect_for, suspect_for * self.health];
                        let at = times.map(|time| subject.suspect_since + time);
                        let next = at.into_iter().find(|at| *at > self.called_at);
                        next.unwrap_or(Instant::NEVER)
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
