use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crux_crdt::blob::BlobId;
use crux_crdt::name::ServiceName;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::accepted::Accepted;
use super::answer::Waiters;
use super::command::Command;
use super::desired::{Desired, Wanted};
use super::event::Event;
use super::happened::{Happened, Kind};
use super::health::shortened;
use super::id::InstanceId;
use super::images::Images;
use super::life::Life;
use super::owned::Report;
use super::publish::Publish;
use super::request::Requested;
use super::rules::{DISK_AGAIN, GAP, LAG};
use super::save::Saving;
use super::service::Service;
use super::slot::Slot;
use super::turn::Turn;
use crate::time::Instant;

/// The supervisor of one node's services. See the module for its invariants.
#[derive(Debug)]
pub struct State {
    rng: StdRng,
    /// Instances of an earlier picket are being looked for.
    pub(super) adopting: bool,
    /// The node stops, and each quit has so long.
    pub(super) within: Option<Duration>,
    is_over: bool,
    /// Of what is wanted now, and of the last attempt to write it.
    pub(super) generation: u64,
    pub(super) attempted: u64,
    pub(super) saving: Option<Saving>,
    /// The disk does not have the wanted state: when to try again.
    pub(super) unsaved: Option<Instant>,
    /// The images that the service config on the disk names.
    pub(super) durable_images: BTreeSet<BlobId>,
    /// Requests that wait for the disk, each with the end of its caller's patience.
    pub(super) queue: VecDeque<(Requested, Instant)>,
    pub(super) services: BTreeMap<ServiceName, Service>,
    /// The last set of goals, as far as it is not in the services.
    pub(super) accepted: Accepted,
    /// Something may be gone that was in the way of a goal.
    pub(super) is_freed: bool,
    pub(super) waiters: Waiters,
    pub(super) publish: Publish,
    report: Report,
    images: Images,
    forgetting: BTreeMap<InstanceId, Instant>,
    /// When it was called last, what was due next then, and whether time had a gap.
    now: Instant,
    due: Instant,
    gap: Option<Instant>,
    lags: bool,
}

/// How much the engine keeps: all of it is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Footprint {
    /// Services.
    pub services: usize,
    /// Instances of which something may be left, and records that are being deleted.
    pub instances: usize,
    /// Requests that wait for the disk, and callers that wait for services.
    pub waiting: usize,
    /// Everything remembered: failures, ends, checks, registrations, images.
    pub remembered: usize,
}

impl State {
    /// A supervisor with the node's service config as it was saved. It does nothing before
    /// [`Event::AdoptionOver`]. Its randomness comes from the seed, which must be another one each time:
    /// names of instances come from it.
    pub fn new(desired: Desired, seed: [u8; 32], now: Instant) -> Self {
        let durable_images = desired.images();
        // A service that does not run has its place in the list all the same, and so has what is done.
        let of = |(name, wanted): (ServiceName, Wanted)| {
            let stopped = if wanted.run { 0 } else { wanted.current.config.count };
            let is_kept = !crux_crdt::planted!(DoneForgotten);
            let done: Vec<u16> = wanted.done.iter().copied().filter(|_| is_kept).collect();
            let mut service = Service::new(Some(wanted));
            service.slots.extend((0..stopped).map(|ordinal| (ordinal, Slot::new(now))));
            service.slots.extend(done.into_iter().map(|ordinal| (ordinal, Slot::done(now))));
            (name, service)
        };
        Self {
            rng: StdRng::from_seed(seed),
            adopting: true,
            within: None,
            is_over: false,
            generation: desired.generation,
            attempted: desired.generation,
            saving: None,
            unsaved: None,
            durable_images,
            queue: VecDeque::new(),
            services: desired.services.into_iter().map(of).collect(),
            accepted: desired.accepted,
            is_freed: true,
            waiters: Waiters::default(),
            publish: Publish::default(),
            report: Report::default(),
            images: Images::default(),
            forgetting: BTreeMap::new(),
            now,
            due: Instant::NEVER,
            gap: None,
            lags: false,
        }
    }

    /// Takes in what happened, and adds what is to be done. Times do not step back.
    pub fn handle(&mut self, event: Event, now: Instant, out: &mut Vec<Command>) {
        let late = now.since(self.due);
        self.lags = late > LAG;
        if late >= GAP {
            self.gap = Some(now);
        }
        self.now = now;
        self.take_in(event, out);
        self.pump(out);
        self.due = self.find_deadline();
    }

    /// When [`Event::Wake`] is due, as of the last call of [`State::handle`].
    pub const fn deadline(&self) -> Instant {
        self.due
    }

    /// How much is kept.
    pub fn footprint(&self) -> Footprint {
        let services = self.services.values();
        let lives = services.clone().flat_map(|service| &service.lives);
        let slots = services.clone().flat_map(|service| service.slots.values());
        let checks: usize = lives.clone().map(|life| life.health.footprint()).sum();
        let tries: usize = slots.map(Slot::footprint).sum();
        Footprint {
            services: self.services.len(),
            instances: lives.count() + self.forgetting.len(),
            waiting: self.queue.len() + self.waiters.len(),
            remembered: checks
                + tries
                + self.images.footprint()
                + self.publish.footprint()
                + self.report.footprint()
                + self.accepted.blocked.len(),
        }
    }

    /// The services, and what they work with.
    pub(super) fn split<'a>(
        &'a mut self,
        out: &'a mut Vec<Command>,
    ) -> (&'a mut BTreeMap<ServiceName, Service>, Turn<'a>) {
        let turn = Turn {
            busy: BTreeSet::new(),
            now: self.now,
            out,
            rng: &mut self.rng,
            images: &mut self.images,
            attached: self.publish.attached,
            within: self.within,
            forgetting: &mut self.forgetting,
            gap: self.gap,
            lags: self.lags,
        };
        (&mut self.services, turn)
    }

    pub(super) const fn now(&self) -> Instant {
        self.now
    }

    fn take_in(&mut self, event: Event, out: &mut Vec<Command>) {
        match event {
            Event::Request(requested) => self.on_request(requested, out),
            Event::Cancel { id } => self.on_cancel(id),
            Event::Saved { generation } => self.on_saved(generation, Ok(()), out),
            Event::SaveFailed { generation, reason } => {
                self.on_saved(generation, Err(reason), out);
            }
            Event::Found { record, found } => self.on_found(record, found, out),
            Event::AdoptionOver => self.adopting = false,
            Event::Sealed { blob, sealed } => self.images.on_sealed(blob, sealed),
            Event::SealFailed { blob, reason } => self.on_seal_failed(blob, reason, out),
            Event::Forgotten { instance } => {
                self.forgetting.remove(&instance);
            }
            Event::ForgetFailed { instance, .. } => {
                let again = self.now + DISK_AGAIN;
                self.forgetting.entry(instance).and_modify(|at| *at = again);
            }
            Event::FulcrumAttached { restarted } => self.on_attached(restarted, out),
            Event::FulcrumAway => self.attach(false),
            Event::Published { seq } => self.publish.on_published(seq),
            Event::Stop { within } => self.on_stop(within, out),
            Event::Wake => {}
            event => self.take_in_of_life(event, out),
        }
    }

    /// Takes in an event of one instance.
    fn take_in_of_life(&mut self, event: Event, out: &mut Vec<Command>) {
        match event {
            Event::PortsChosen { instance, ports } => self.on_ports(&instance, ports, out),
            Event::PortsFailed { instance, reason } => self.of(&instance, out, |life, turn| {
                life.on_ports_failed(shortened(reason), turn);
            }),
            Event::Recorded { instance } => self.of(&instance, out, Life::on_recorded),
            Event::RecordFailed { instance, reason } => self.of(&instance, out, |life, turn| {
                life.on_record_failed(shortened(reason), turn);
            }),
            Event::Spawned { instance, pid } => {
                self.of(&instance, out, |life, turn| life.on_spawned(pid, turn));
            }
            Event::SpawnFailed { instance, reason } => self.of(&instance, out, |life, turn| {
                life.on_spawn_failed(shortened(reason), turn);
            }),
            Event::Exited { instance, exit } => {
                self.of(&instance, out, |life, turn| life.on_exited(exit, turn));
            }
            Event::Gone { instance, taken } => {
                self.of(&instance, out, |life, turn| life.on_gone(taken, turn));
            }
            Event::Checked { instance, check, result } => {
                self.of(&instance, out, |life, turn| life.on_checked(check, result, turn));
            }
            Event::Paused { instance, paused } => {
                self.of(&instance, out, |life, turn| life.on_paused(paused, turn));
            }
            _ => {}
        }
    }

    /// Does something with an instance, if there is one of that name.
    pub(super) fn of(
        &mut self,
        instance: &InstanceId,
        out: &mut Vec<Command>,
        with: impl FnOnce(&mut Life, &mut Turn<'_>),
    ) {
        let (services, mut turn) = self.split(out);
        let life = services.values_mut().find_map(|service| service.life_mut(instance));
        if let Some(life) = life {
            with(life, &mut turn);
        }
    }

    fn on_seal_failed(&mut self, blob: BlobId, reason: String, out: &mut Vec<Command>) {
        self.images.on_failed(blob);
        let reason = shortened(reason);
        let (services, mut turn) = self.split(out);
        for life in services.values_mut().flat_map(|service| &mut service.lives) {
            life.on_seal_failed(blob, &reason, &mut turn);
        }
    }

    fn attach(&mut self, attached: bool) {
        self.publish.attach(attached);
        self.report.attach();
    }

    fn on_attached(&mut self, restarted: bool, out: &mut Vec<Command>) {
        self.attach(true);
        if restarted {
            let reason = String::new();
            let kind = Kind::FulcrumRestarted;
            let happened = Happened { kind, service: None, instance: None, reason };
            out.push(Command::Happened(happened));
        }
    }

    fn on_stop(&mut self, within: Duration, out: &mut Vec<Command>) {
        if self.within.is_some_and(|before| before <= within) {
            return;
        }
        self.within = Some(within);
        let now = self.now;
        for life in self.services.values_mut().flat_map(|service| &mut service.lives) {
            life.hurry(within, now);
        }
        self.answer_all(out);
    }

    /// Does what follows.
    fn pump(&mut self, out: &mut Vec<Command>) {
        self.decide_requests(out);
        if self.adopting && !crux_crdt::planted!(StartsBeforeAdoption) {
            return;
        }
        self.step_services(out);
        // First: a goal may have waited for one of them.
        self.drop_removed(out);
        self.save_own(out);
        self.publish.tell(self.services.values_mut(), self.now, out);
        if self.publish.attached {
            self.report.tell(self.services.iter(), &self.accepted, out);
        }
        self.answer_waiters(out);
        self.forget_again(out);
        self.images.pin(self.pins(), out);
        let is_empty = || self.services.values().all(|service| service.lives.is_empty());
        if self.within.is_some() && !self.is_over && is_empty() {
            self.is_over = true;
            self.answer_all(out);
            out.push(Command::AllStopped);
        }
    }

    fn step_services(&mut self, out: &mut Vec<Command>) {
        for life in self.services.values_mut().flat_map(|service| &mut service.lives) {
            if self.publish.is_withdrawn(life) {
                life.until = self.now;
            }
        }
        let lives = self.services.values().flat_map(|service| &service.lives);
        let busy = lives.filter(|life| life.is_leaving()).flat_map(Life::ports).collect();
        let (services, mut turn) = self.split(out);
        turn.busy = busy;
        services.values_mut().for_each(|service| service.step(&mut turn));
    }

    /// Forgets services that nobody wants and of which nothing is left.
    fn drop_removed(&mut self, out: &mut Vec<Command>) {
        let is_over = |service: &Service| service.wanted.is_none() && service.lives.is_empty();
        for (name, _) in self.services.extract_if(.., |_, service| is_over(service)) {
            let service = Some(name);
            let (instance, reason) = (None, String::new());
            let happened = Happened { kind: Kind::Removed, service, instance, reason };
            out.push(Command::Happened(happened));
            self.is_freed = true;
        }
    }

    fn forget_again(&mut self, out: &mut Vec<Command>) {
        for (instance, at) in &mut self.forgetting {
            if *at <= self.now {
                *at = Instant::NEVER;
                out.push(Command::Forget { instance: instance.clone() });
            }
        }
    }

    /// The images that are wanted, now or to go back to, or wait; those of what is being written; those of what runs; and
    /// those that the service config on the disk names, which is older while the disk is full: the next picket starts
    /// from it.
    fn pins(&self) -> BTreeSet<BlobId> {
        let wanted = self.services.values().filter_map(|service| service.wanted.as_ref());
        let wanted = wanted.flat_map(Wanted::images).chain(self.accepted.images());
        let saving = self.saving.iter().flat_map(Saving::images).copied();
        let lives = self.services.values().flat_map(|service| &service.lives);
        let lives = lives.map(|life| life.record.blob);
        wanted.chain(saving).chain(lives).chain(self.durable_images.clone()).collect()
    }

    fn find_deadline(&self) -> Instant {
        if self.adopting {
            return Instant::NEVER;
        }
        let services = self.services.values().map(|service| service.deadline(self.now));
        let disk = self.unsaved.filter(|_| self.saving.is_none());
        let forget = self.forgetting.values().copied();
        let others = [self.publish.deadline(), self.waiters_deadline()];
        let due = services.chain(disk).chain(forget).chain(others);
        due.filter(|at| *at > self.now).min().unwrap_or(Instant::NEVER)
    }
}
