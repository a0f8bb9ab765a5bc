//! Two runs of one identity: one stops, and the other one goes on above it.
//!
//! **Invariant**: what the run that stops acknowledged is taken over by the one that goes on, or both say by
//! name what is not.
//!
//! The run that stops takes no further changes. It says for the last time what it says, above everything that
//! is known of the other run, with a list of what it added since its start; has its members store that; and
//! stops once one did, or after three seconds. If it is outdone meanwhile (the other run goes above it, or
//! somebody retires this identity) it says so once more above that. The other run finds this record above its
//! own, takes over what was added, and goes on above it ([`super::past`]).
//!
//! What the run that stops had registered in *earlier* runs is not taken over: the other run may never have had
//! it, or may have removed it in an earlier run of its own, and neither disk tells which. Both name what the other
//! run is not seen to have, so that a person decides; what a run removed since its start it knows, and does not
//! name.
//!
//! A run that has nothing of either kind says nothing, since that would cost all members a record.

use core::time::Duration;

use crux_crdt::Principal;
use crux_crdt::record::{Record, Registration};
use crux_crdt::sign::Signed;
use std::sync::Arc;

use super::command::{Command, Notice, StopReason};
use super::state::{Route, State};
use super::twins::Outcome;
use crate::author::{Change, Origin};
use crate::fact;
use crate::link::{Protocol, Verdict};
use crate::liveness::{self, Beacon, BootNonce};
use crate::sync::{Request, Response, Roots};
use crate::time::Instant;

/// How long a run that stops tries to hand over what it added.
const YIELD_FOR: Duration = Duration::from_secs(3);
/// How long a run that has nothing to hand over waits for the other's record, which says where that is.
const LOOK_FOR: Duration = Duration::from_secs(2);
/// How long after naming another run all links are told: the beacon that names it is made by then.
const TELL_AFTER: Duration = Duration::from_millis(250);
/// How many requests reach each of the connections that a peer has at most: the network takes them in turn.
const CONNECTIONS_MAX: usize = 3;

/// A run that stops because another one goes on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Yielding {
    to: BootNonce,
    until: Instant,
    stored: bool,
    /// There is nothing to hand over: it waits for nothing but to learn where the other run is.
    idle: bool,
    /// Whether the last word was said once more, above a record of the other run.
    repeated: bool,
}

impl State {
    /// A beacon under this node's own key came; its signature held.
    pub(super) fn on_own_beacon(&mut self, beacon: &Signed<Beacon>, now: Instant) -> Verdict {
        let (theirs, before) = (beacon.value(), self.twins.run());
        let nonce = &theirs.run.nonce;
        let (heir, child) = (self.past.is_heir_of(nonce), self.past.is_child_of(nonce));
        let outcome = self.twins.on_beacon(theirs, heir, child);
        if self.twins.run() != before {
            self.name_the_other_run(now);
        }
        match outcome {
            Outcome::Known => return Verdict::Ignore,
            Outcome::Yield => self.yield_to(theirs, now),
            // Beacons and beats of this one must not seem older than the other's for long.
            _ if theirs.incarnation >= self.author.incarnation() => {
                self.past.outlast(theirs.incarnation, now);
            }
            Outcome::News | Outcome::Name | Outcome::GoOn => {}
        }
        // What waits for the clock is looked at again, though only a beacon came.
        self.links_due = None;
        Verdict::Accept
    }

    /// Says in a beacon that it heard of the other run, and tells whoever is linked.
    pub(super) fn name_the_other_run(&mut self, now: Instant) {
        self.liveness.set_run(self.twins.run(), now);
        self.sync.announce_soon(now + TELL_AFTER);
    }

    /// Two processes beacon with the key of a peer: tells it, on each of its connections, what both say.
    pub(super) fn tell_twins(&mut self, peer: Principal, now: Instant) {
        if !self.links.get(&peer).is_some_and(|link| link.open) {
            return;
        }
        let (roots, aside) = (Roots::of(&self.strew), self.aside_for(&peer, now));
        let body = Request::Roots { roots, aside, urgent: false }.encode();
        for _ in 0..CONNECTIONS_MAX {
            self.send(peer, Protocol::Sync, body.clone(), Route::Sync);
        }
    }

    fn yield_to(&mut self, theirs: &Beacon, now: Instant) {
        if self.yielding.is_some() || self.stop_at.is_some() {
            return;
        }
        let to = theirs.run.nonce;
        let quiet = self.author.under_way() == 0 || self.past.is_listening();
        let idle = quiet && self.has_nothing_for(&to);
        let until = match idle {
            true if self.twins.places(&to).is_empty() => now + LOOK_FOR,
            true => now,
            false => now + YIELD_FOR,
        };
        self.yielding = Some(Yielding { to, until, stored: false, idle, repeated: false });
        if !idle {
            // One more than the other run may rise to meanwhile.
            let above = self.author.incarnation().max(theirs.incarnation).saturating_add(1);
            self.author.push(Origin::Internal, Change::Yield { to, above });
        }
    }

    /// Whether it has nothing that the other run is to know of.
    fn has_nothing_for(&self, other: &BootNonce) -> bool {
        let own = self.author.committed();
        let (added, removed) = (own.added().next(), own.removed().next());
        added.is_none() && removed.is_none() && self.said_only_here(other).is_empty()
    }

    /// A record of this run is on its disk: if it is its last word, members are to store it. One that was on
    /// its way to the disk when the other run was heard is none: an answer to it would end this run too early.
    pub(super) fn hand_over(&mut self) {
        if self.yielding.is_none_or(|yielding| yielding.idle) {
            return;
        }
        let Some(record) = self.strew.record(&self.context.me).cloned() else { return };
        if record.profile().yields.is_none() {
            return;
        }
        let body = Request::Store(fact::whole(&record.into())).encode();
        for peer in self.linked() {
            self.send(peer, Protocol::Sync, body.clone(), Route::HandOver);
        }
    }

    /// A member answered whether it stored this run's last record.
    pub(super) fn on_handed_over(&mut self, body: &[u8], now: Instant) {
        let stored = body == Response::encode_stored(true);
        if let Some(yielding) = self.yielding.as_mut().filter(|_| stored) {
            yielding.stored = true;
            yielding.until = yielding.until.min(now);
        }
    }

    /// Whether it is about to stop and has nothing more to say.
    pub(super) fn yields_idly(&self) -> bool {
        self.yielding.is_some_and(|yielding| yielding.idle)
    }

    /// A record of another run came. If this one stops for it: where that is is known, and whether it took
    /// over what was handed to it; or it hides the last word, which is said once more.
    pub(super) fn on_record_of(&mut self, other: &Record, now: Instant) {
        let marker = other.marker();
        let Some(mut yielding) = self.yielding.filter(|it| it.to == marker.nonce) else { return };
        let own = self.author.committed();
        let above =
            (marker.incarnation, marker.nonce) > (self.author.incarnation(), self.past.nonce());
        let took = own.added().next().is_some()
            && own.added().all(|added| other.registrations().any(|it| it == added));
        let spoken = own.profile.yields.is_some();
        if !yielding.idle && !spoken && self.has_nothing_for(&yielding.to) {
            // It waited, since it may not speak yet, and needs not.
            self.author.retract(|change| matches!(change, Change::Yield { .. }));
            yielding.idle =
                !self.author.is_pending(|change| matches!(change, Change::Yield { .. }));
        }
        let speaks = self.author.is_pending(
            |change| matches!(change, Change::Yield { above, .. } if *above >= marker.incarnation),
        );
        if yielding.idle {
            yielding.until = yielding.until.min(now);
        } else if above && took && spoken {
            yielding.stored = true;
            yielding.until = yielding.until.min(now);
        } else if above && !yielding.repeated && !speaks {
            yielding.repeated = true;
            let (to, above) = (yielding.to, marker.incarnation.saturating_add(1));
            self.author.push(Origin::Internal, Change::Yield { to, above });
        }
        self.yielding = Some(yielding);
    }

    /// Stops, once it is time.
    pub(super) fn stop_if_it_yields(&mut self, now: Instant) {
        let Some(yielding) = self.yielding.filter(|yielding| yielding.until <= now) else { return };
        // It is said once.
        self.yielding = Some(Yielding { until: Instant::NEVER, ..yielding });
        let own = self.author.committed();
        let added: Vec<_> = own.added().map(name_of).collect();
        let removed: Vec<_> = own.removed().map(ToString::to_string).collect();
        let earlier = self.said_only_here(&yielding.to);
        if !added.is_empty() {
            let stored = yielding.stored;
            self.notice(Notice::HandedOver { services: added, stored });
        }
        if !removed.is_empty() {
            self.notice(Notice::RemovedInVain { services: removed });
        }
        if !earlier.is_empty() {
            self.notice(Notice::LeftBehind { services: earlier });
        }
        let elsewhere = self.twins.places(&yielding.to);
        self.out.push(Command::Stop(StopReason::Cloned { elsewhere }));
    }

    /// When [`State::stop_if_it_yields`] has something to do.
    pub(super) fn yield_deadline(&self) -> Instant {
        self.yielding.map_or(Instant::NEVER, |yielding| yielding.until)
    }

    /// Goes on above a record of another run that stood above this one's.
    pub(super) fn go_above(&mut self, record: Arc<Record>) {
        let marker = record.marker();
        if record.profile().yields.is_some() {
            self.take_over_from_twin(record);
        } else if self.twins.is_heard(&marker.nonce) {
            // It ran beside this one, and said nothing when it ended.
            let lost = self.said_only_by(&record);
            self.tell_what_is_lost(lost, &marker.nonce);
            self.author.push(Origin::Internal, Change::Reincarnate(marker.incarnation));
        } else {
            self.take_over_from_earlier(record);
        }
    }

    /// Takes over what an earlier life said, and names what goes by that: what this run had on its disk, and
    /// that life removed or never had.
    pub(super) fn take_over_from_earlier(&mut self, record: Arc<Record>) {
        let lost = self.author.committed().lost_by_taking(&record);
        let (incarnation, lost) =
            (record.marker().incarnation, lost.iter().map(ToString::to_string));
        self.notice(Notice::Recovered { incarnation, lost: lost.collect() });
        self.author.push(Origin::Internal, Change::Recover(record));
    }

    fn take_over_from_twin(&mut self, record: Arc<Record>) {
        let nonce = record.marker().nonce;
        let (taken, lost): (Vec<_>, Vec<_>) =
            self.author.committed().added_by(&record).into_iter().partition(|(_, taken)| *taken);
        let names = |all: Vec<(Registration, bool)>| {
            all.iter().map(|(service, _)| name_of(service)).collect::<Vec<_>>()
        };
        if !taken.is_empty() {
            let from = self.twins.places(&nonce);
            self.notice(Notice::TookOver { services: names(taken), from });
        }
        let lost = names(lost);
        let mut left = self.author.committed().lost_by_taking(&record);
        left.retain(|key| !lost.contains(&key.to_string()));
        self.tell_what_is_lost(lost, &nonce);
        if !left.is_empty() {
            let services = left.iter().map(ToString::to_string).collect();
            self.notice(Notice::NotTakenOver { services, from: self.twins.places(&nonce) });
        }
        self.author.push(Origin::Internal, Change::Recover(record));
    }

    fn tell_what_is_lost(&mut self, services: Vec<String>, to: &BootNonce) {
        if !services.is_empty() {
            let from = self.twins.places(to);
            self.notice(Notice::LostWithTwin { services, from });
        }
    }

    /// What this run registers since before its start, and that run is not seen to register.
    fn said_only_here(&self, other: &BootNonce) -> Vec<String> {
        let theirs = self.twins.said_by(other);
        let says = |service: &Registration| {
            theirs.is_some_and(|record| record.registrations().any(|it| it.key == service.key))
        };
        let inherited = self.author.committed().inherited();
        inherited.filter(|service| !says(service)).map(name_of).collect()
    }

    /// What a record registers and this run does not.
    fn said_only_by(&self, record: &Record) -> Vec<String> {
        let own = &self.author.committed().services;
        let only = |service: &&Registration| !own.contains_key(&service.key);
        record.registrations().filter(only).map(name_of).collect()
    }

    /// Members that run twice as far as this node hears, for whoever looks.
    pub fn twins(&self, now: Instant) -> Vec<Principal> {
        self.liveness.twins(now)
    }

    /// Reads the beacons of this identity that came along with roots.
    pub(super) fn on_told_runs(&mut self, peer: Principal, runs: &[Vec<u8>], now: Instant) {
        for run in runs {
            match liveness::Notice::decode(run, &self.context) {
                Ok(liveness::Notice::Beacon(beacon)) if beacon.author() == self.context.me => {
                    self.on_own_beacon(&beacon, now);
                }
                Ok(_) => {}
                Err(error) => {
                    self.misbehaved(peer, format!("a beacon of this node: {error}"));
                    return;
                }
            }
        }
    }
}

fn name_of(service: &Registration) -> String {
    service.key.to_string()
}
