//! Statements to the fulcrum: registrations, and which of them are not well.
//!
//! **Invariants**: only instances that are up are in the list; an instance that goes is taken off it before
//! its first signal. The list is the whole one each time, so that a fulcrum that comes back has the same as
//! one that never left. The statuses go out at most once a second.

use std::collections::BTreeMap;

use crux_crdt::record::ServiceKey;

use super::command::{Command, Registered, Status};
use super::id::InstanceId;
use super::life::{Life, Phase};
use super::rules::UNWELL_EVERY;
use super::service::Service;
use crate::time::Instant;

type Registrations = BTreeMap<ServiceKey, Registered>;

/// The last statements to the fulcrum.
#[derive(Debug, Default)]
pub(super) struct Publish {
    pub(super) attached: bool,
    seq: u64,
    /// The last word of the fulcrum.
    word: u64,
    told: Option<Registrations>,
    /// The instances that are up, and how: while they are the same, nothing has to be compared.
    stamp: Option<Vec<(InstanceId, Option<Status>)>>,
    unwell: BTreeMap<ServiceKey, Status>,
    unwell_told: Option<BTreeMap<ServiceKey, Status>>,
    /// When the statuses may go out again.
    next: Instant,
    /// They wait for that.
    waits: bool,
}

impl Publish {
    /// A fulcrum is there, or away. One that comes back knows nothing.
    pub(super) fn attach(&mut self, attached: bool) {
        (self.attached, self.told, self.stamp, self.unwell_told) = (attached, None, None, None);
        self.waits = false;
    }

    /// The fulcrum's word.
    pub(super) fn on_published(&mut self, seq: u64) {
        self.word = self.word.max(seq.min(self.seq));
    }

    /// Tells what has changed.
    pub(super) fn tell<'a>(
        &mut self,
        services: impl Iterator<Item = &'a mut Service>,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        if !self.attached {
            return;
        }
        let mut lives: Vec<&mut Life> = services.flat_map(|service| &mut service.lives).collect();
        if self.told.is_none() {
            lives.iter_mut().for_each(|life| life.stated = None);
        }
        let stamp =
            |life: &&mut Life| life.announced.then(|| (life.id().clone(), life.status(now)));
        let stamp: Vec<_> = lives.iter().filter_map(stamp).collect();
        if self.stamp.as_ref() != Some(&stamp) {
            self.stamp = Some(stamp);
            self.state_all(&lives, now, out);
        }
        for life in &mut lives {
            if life.announced {
                life.stated.get_or_insert((self.seq, now));
            }
            if life.phase == Phase::Withdrawing(None) {
                life.phase = Phase::Withdrawing(Some(self.seq));
            }
        }
        self.state_unwell(now, out);
    }

    fn state_all(&mut self, lives: &[&mut Life], now: Instant, out: &mut Vec<Command>) {
        let announced = lives.iter().filter(|life| life.announced);
        let all: Registrations = announced.clone().flat_map(|life| life.registrations()).collect();
        self.unwell = announced
            .filter_map(|life| Some((life, life.status(now)?)))
            .flat_map(|(life, status)| life.registrations().map(move |(key, _)| (key, status)))
            .collect();
        if self.told.as_ref() != Some(&all) {
            self.seq += 1;
            self.told = Some(all.clone());
            out.push(Command::Publish { seq: self.seq, registrations: all });
        }
    }

    fn state_unwell(&mut self, now: Instant, out: &mut Vec<Command>) {
        let is_new = self.unwell_told.as_ref() != Some(&self.unwell);
        self.waits = is_new && now < self.next;
        if is_new && !self.waits {
            self.next = now + UNWELL_EVERY;
            self.unwell_told = Some(self.unwell.clone());
            out.push(Command::Conditions(self.unwell.clone()));
        }
    }

    /// A running service has other settings: its registrations may differ.
    pub(super) fn look_again(&mut self) {
        self.stamp = None;
    }

    /// Whether the fulcrum has taken back what an instance waits for, or cannot say so.
    pub(super) fn is_withdrawn(&self, life: &Life) -> bool {
        match life.phase {
            Phase::Withdrawing(_) if !self.attached => true,
            Phase::Withdrawing(Some(seq)) => seq <= self.word,
            _ => false,
        }
    }

    /// Since when the fulcrum's word is awaited that the registrations of an instance are stored; none: it is not,
    /// because the fulcrum has said so, cannot say so, or has nothing to store.
    pub(super) fn awaited_since(&self, life: &Life) -> Option<Instant> {
        let (seq, at) = life.stated.filter(|_| self.attached && life.announced)?;
        (seq > self.word && life.is_registered()).then_some(at)
    }

    pub(super) const fn deadline(&self) -> Instant {
        if self.waits { self.next } else { Instant::NEVER }
    }

    /// How much is kept.
    pub(super) fn footprint(&self) -> usize {
        self.told.as_ref().map_or(0, BTreeMap::len) + self.unwell.len()
    }
}

impl Life {
    /// Its registrations.
    pub(super) fn registrations(&self) -> impl Iterator<Item = (ServiceKey, Registered)> + '_ {
        let config = self.version.as_ref().map(|version| &version.config);
        let (ordinal, ports) = (self.record.ordinal, &self.record.ports);
        let all = config.map(|config| config.registrations(ordinal, ports)).unwrap_or_default();
        all.into_iter().map(|(key, port, labels)| {
            (key, Registered { instance: self.id().clone(), port, labels })
        })
    }

    /// Whether it has any.
    pub(super) fn is_registered(&self) -> bool {
        self.registrations().next().is_some()
    }
}
