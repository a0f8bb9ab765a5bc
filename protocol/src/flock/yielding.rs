//! Two runs of one identity: one stops, and the other one goes on above it.
//!
//! **Invariant**: what the run that stops acknowledged is taken over by the one that goes on, or both say by
//! name what is not.
//!
//! The run that stops takes no further changes. It says for the last time what it says, above everything that
//! is known of the other run, with a list of what it added since its start; has its members store that; and
//! stops once one did, or after three seconds. The other run finds this record above its own, takes over what
//! was added, and goes on above it ([`super::past`]).

use core::time::Duration;

use crux_crdt::Principal;
use crux_crdt::canon::Encoder;
use crux_crdt::record::{Record, Registration, ServiceKey};
use crux_crdt::sign::Signed;
use std::sync::Arc;

use super::command::{Command, Notice, StopReason};
use super::state::{Route, State};
use super::twins::Outcome;
use crate::author::{Change, Origin};
use crate::frame::RecordFrame;
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
        let own = self.author.committed();
        let (added, removed) = (own.added().next(), own.removed().next());
        let quiet = added.is_none() && removed.is_none() && self.author.under_way() == 0;
        let idle = quiet || self.past.is_listening();
        let until = match idle {
            true if self.twins.places(&to).is_empty() => now + LOOK_FOR,
            true => now,
            false => now + YIELD_FOR,
        };
        self.yielding = Some(Yielding { to, until, stored: false, idle });
        if !idle {
            // One more than the other run may rise to meanwhile.
            let above = self.author.incarnation().max(theirs.incarnation).saturating_add(1);
            self.author.push(Origin::Internal, Change::Yield { to, above });
        }
    }

    /// This run's last record is on its disk: members are to store it.
    pub(super) fn hand_over(&mut self) {
        let Some(record) = self.strew.record(&self.context.me).cloned() else { return };
        let mut frame = Encoder::default();
        RecordFrame::seal(&mut frame, &record, usize::MAX, |_| false);
        let body = Request::Store(frame.finish()).encode();
        for peer in self.linked() {
            self.send(peer, Protocol::Sync, body.clone(), Route::HandOver);
        }
    }

    /// A member answered whether it stored this run's last record.
    pub(super) fn on_handed_over(&mut self, body: &[u8], now: Instant) {
        let stored = matches!(Response::decode(body, &self.context), Ok(Response::Stored(true)));
        if let Some(yielding) = self.yielding.as_mut().filter(|_| stored) {
            yielding.stored = true;
            yielding.until = yielding.until.min(now);
        }
    }

    /// Whether it is about to stop and has nothing more to say.
    pub(super) fn yields_idly(&self) -> bool {
        self.yielding.is_some_and(|yielding| yielding.idle)
    }

    /// A record of another run came: where that is is known.
    pub(super) fn note_place(&mut self, of: &BootNonce, now: Instant) {
        let waits = self.yielding.as_mut().filter(|yielding| yielding.idle && yielding.to == *of);
        if let Some(yielding) = waits {
            yielding.until = yielding.until.min(now);
        }
    }

    /// Stops, once it is time.
    pub(super) fn stop_if_it_yields(&mut self, now: Instant) {
        let Some(yielding) = self.yielding.filter(|yielding| yielding.until <= now) else { return };
        // It is said once.
        self.yielding = Some(Yielding { until: Instant::NEVER, ..yielding });
        let own = self.author.committed();
        let added: Vec<_> = own.added().map(name_of).collect();
        let removed: Vec<_> = own.removed().map(name_of_key).collect();
        if !added.is_empty() {
            let stored = yielding.stored;
            self.notice(Notice::HandedOver { services: added, stored });
        }
        if !removed.is_empty() {
            self.notice(Notice::RemovedInVain { services: removed });
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
            self.notice(Notice::Recovered { incarnation: marker.incarnation });
            self.author.push(Origin::Internal, Change::Recover(record));
        }
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
        self.tell_what_is_lost(names(lost), &nonce);
        self.author.push(Origin::Internal, Change::Recover(record));
    }

    fn tell_what_is_lost(&mut self, services: Vec<String>, to: &BootNonce) {
        if !services.is_empty() {
            let from = self.twins.places(to);
            self.notice(Notice::LostWithTwin { services, from });
        }
    }

    /// What a record registers and this run does not.
    fn said_only_by(&self, record: &Record) -> Vec<String> {
        let own = &self.author.committed().services;
        let only = |service: &&Registration| {
            let (horde, name, rev) = service.key();
            !own.contains_key(&(horde.clone(), name.clone(), rev.clone()))
        };
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
    let (horde, name, rev) = service.key();
    format!("{horde}/{name}/{rev}")
}

fn name_of_key((horde, name, rev): &ServiceKey) -> String {
    format!("{horde}/{name}/{rev}")
}
