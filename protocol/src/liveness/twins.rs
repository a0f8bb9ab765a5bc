//! Members that run twice: an identity copied with its disk, of which two processes beacon.
//!
//! **Invariant**: as long as both runs of a member are heard here, the last beacon of each is kept, and each
//! of the two learns the other's within the time between two comparisons of roots.
//!
//! Neither run can dial the other, since each takes the other's key for its own, and a peer to which both are
//! linked answers either of them on what it takes for connections of one peer. So whoever hears both is who
//! tells them; what it tells are their own signed words. A restart looks alike for a moment: the last beacon
//! of the run that ended is told to the one that follows, which knows it for its own past.

use core::time::Duration;

use crux_crdt::Principal;
use crux_crdt::canon::Encoder;
use crux_crdt::sign::{Signed, seal_parts};

use super::message::{BEACON, Beacon};
use super::run::Run;
use super::state::State;
use super::subject::{Heard, Subject};
use crate::time::Instant;

/// How long the beacon of a run is told to the other one. Six times as long as beacons of a small flock are
/// apart.
const TOLD_FOR: Duration = Duration::from_secs(60);

/// What a beacon is to who knows others of its author.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sighting {
    /// The newest. `tells`: it says something of another run that it did not say before.
    Fresh { tells: bool },
    /// Of a run that is not the newest, and news of that.
    Twin,
    /// It came before.
    Known,
    /// A newer one of the same run came before.
    Stale,
}

impl Subject {
    /// Says what a beacon is, and keeps one of a run that is not the newest.
    pub(super) fn sight(&mut self, beacon: &Signed<Beacon>, now: Instant) -> Sighting {
        let (mark, run) = (beacon.value().mark(), beacon.value().run);
        let same = self.beacon.as_ref().is_none_or(|last| last.nonce() == run.nonce);
        let known = if same { self.beacon.as_ref() } else { self.other.as_deref() };
        let known = known.filter(|last| last.nonce() == run.nonce).map(|last| &last.beacon);
        match known.map(|last| last.mark().cmp(&mark)) {
            Some(core::cmp::Ordering::Equal) => return Sighting::Known,
            Some(core::cmp::Ordering::Greater) => return Sighting::Stale,
            _ => {}
        }
        let said = known.and_then(|last| last.run.sees);
        if mark >= self.freshest {
            return Sighting::Fresh { tells: run.sees.is_some() && run.sees != said };
        }
        match (same, &self.beacon) {
            // A heartbeat named a newer one, maybe of the other run.
            (true, None) => return Sighting::Stale,
            (true, Some(_)) if self.other.is_none() => return Sighting::Stale,
            (true, Some(_)) => self.beacon = Some(Heard::new(beacon, now, Duration::ZERO)),
            (false, _) => self.other = Some(Box::new(Heard::new(beacon, now, Duration::ZERO))),
        }
        Sighting::Twin
    }

    fn both(&self) -> Option<[&Heard; 2]> {
        Some([self.beacon.as_ref()?, self.other.as_deref()?])
    }
}

impl State {
    /// The last beacons of both runs of a member, sealed as [`super::Notice`]; none if one run was heard
    /// lately.
    pub fn runs_of(&self, member: &Principal, now: Instant) -> Vec<Vec<u8>> {
        let both = self.subjects.get(member).and_then(Subject::both);
        let both = both.filter(|both| both.iter().all(|heard| now.since(heard.at) < TOLD_FOR));
        let seal = |heard: &Heard| {
            let mut out = Encoder::default();
            seal_parts(out.u8(BEACON), member, &heard.signature, &heard.beacon);
            out.finish()
        };
        both.into_iter().flatten().map(seal).collect()
    }

    /// Members of which two runs were heard lately that know of each other. After one of them stopped it is
    /// still among them for a minute.
    pub fn twins(&self, now: Instant) -> Vec<Principal> {
        let names = |one: &Run, other: &Run| one.sees.is_some_and(|it| it.nonce == other.nonce);
        let twice = |subject: &Subject| {
            subject.both().is_some_and(|[a, b]| {
                let (one, other) = (&a.beacon.run, &b.beacon.run);
                let lately = now.since(a.at) < TOLD_FOR && now.since(b.at) < TOLD_FOR;
                lately && names(one, other) && names(other, one)
            })
        };
        let all = self.subjects.iter().filter(|(_, subject)| twice(subject));
        all.map(|(member, _)| *member).collect()
    }
}
