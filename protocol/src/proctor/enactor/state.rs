use std::collections::BTreeMap;
use std::sync::Arc;

use crux_crdt::blob::BlobId;
use crux_crdt::name::{Label, ServiceName};
use crux_crdt::record::{First, InstanceKey, NameTag, Stage};
use crux_crdt::service::{Machine, SpecTag};

use super::choose::choose;
use super::configs::{Configs, is_had};
use super::earlier::Earlier;
use super::hand::Hand;
use super::images::Images;
use super::parts::{Found, Parts, images_of, parts};
use super::say::{Said, Say};
use super::{Command, Event};
use crate::proctor::{Assignment, Batches, Goal, Goals, Held, Order, Owned};
use crate::time::Instant;

/// The engine that has a node run its part of the plan. See the module for its invariants.
#[derive(Debug)]
pub struct State {
    horde: Label,
    machine: Machine,
    target: Option<Held>,
    /// Of every member that plans; at most one each.
    plans: Vec<Assignment>,
    /// What the node enacts; none: nothing since it started.
    chosen: Option<Assignment>,
    /// The picket's list; none before it was told.
    owned: Option<Owned>,
    configs: Configs,
    images: Images,
    earlier: Earlier,
    hand: Hand,
    /// The goals that were decided last; none: it enacts nothing.
    goals: Option<Goals>,
    say: Say,
    /// The order of a set that is more than a node can run: that is told once.
    unfit: Option<Order>,
    deadline: Instant,
}

/// How much a state keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footprint {
    /// Entries of the assignment that it enacts.
    pub entries: usize,
    /// Images that it wants.
    pub images: usize,
    /// Earlier generations that it reads.
    pub earlier: usize,
}

impl State {
    /// An engine for a horde's target on this machine. It knows neither what the picket has nor what the record says.
    pub fn new(horde: Label, machine: Machine) -> Self {
        Self {
            horde,
            machine,
            target: None,
            plans: Vec::new(),
            chosen: None,
            owned: None,
            configs: Configs::default(),
            images: Images::default(),
            earlier: Earlier::default(),
            hand: Hand::default(),
            goals: None,
            say: Say::default(),
            unfit: None,
            deadline: Instant::NEVER,
        }
    }

    /// Takes one event. The commands are to be executed in order.
    pub fn handle(&mut self, event: Event, now: Instant, out: &mut Vec<Command>) {
        match event {
            Event::Seen { target, plans } => (self.target, self.plans) = (target, plans),
            Event::Owned(owned) => {
                self.hand.on_order(owned.order);
                self.owned = Some(owned);
            }
            Event::Answered(accepted) => self.hand.on_answered(accepted, now),
            Event::Fetched(image) => self.images.on_fetched(image),
            Event::FetchFailed(blob) => self.images.on_failed(blob, now),
            Event::Read { blob, content } => {
                self.earlier.on_read(&self.horde, (blob, content), now);
            }
            Event::Said(durable) => self.say.on_said(durable, now),
            Event::Wake => {}
        }
        self.turn(now, out);
    }

    /// When [`Event::Wake`] has something to do.
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// How much is kept.
    pub fn footprint(&self) -> Footprint {
        let entries = self.chosen.as_ref().map_or(0, |chosen| chosen.entries.len());
        Footprint { entries, images: self.images.len(), earlier: self.earlier.len() }
    }

    /// Whether it wants an image. Those that are here are to be kept from eviction as long as it does.
    pub fn wants(&self, blob: &BlobId) -> bool {
        self.images.wants(blob)
    }

    /// What this node enacts.
    pub const fn assignment(&self) -> Option<&Assignment> {
        self.chosen.as_ref()
    }

    /// Everything that the target wants of this node, as it was decided last; none: it enacts nothing.
    pub const fn goals(&self) -> Option<&Goals> {
        self.goals.as_ref()
    }

    /// Everything that the target placed here, as the picket said last; none before it said so.
    pub const fn owned(&self) -> Option<&Owned> {
        self.owned.as_ref()
    }

    /// Does what is to be done now.
    fn turn(&mut self, now: Instant, out: &mut Vec<Command>) {
        self.deadline = Instant::NEVER;
        let Some(owned) = self.owned.take() else { return };
        self.choose(&owned);
        let target = self.target.as_ref().and_then(Held::target);
        let parts = self.chosen.as_ref().map(|chosen| parts(chosen, target.map(Arc::as_ref)));
        let parts = parts.unwrap_or_default();
        self.look_up(&parts, &owned, now, out);
        let (goals, said) = self.decide(&parts, &owned, now, out);
        self.hand(goals, now, out);
        let again = self.say.speak(said, now, out);
        let retries = self.images.deadline().min(self.earlier.deadline(now));
        self.deadline = self.deadline.min(again).min(retries);
        self.owned = Some(owned);
    }

    /// Follows the greatest plan; see [`choose`].
    fn choose(&mut self, owned: &Owned) {
        let chosen = self.chosen.as_ref().map(|chosen| chosen.order);
        let floor = owned.order.max(chosen);
        let held = self.target.as_ref().map(|held| held.marker);
        let next = held.and_then(|held| choose(&self.plans, floor, held));
        if let Some(next) = next {
            self.chosen = Some(next.clone());
        } else if chosen < owned.order {
            self.chosen = None;
        }
    }

    /// Looks for the configs of all parts, and reads the earlier generations that may have what is missing.
    fn look_up(&mut self, parts: &Parts, owned: &Owned, now: Instant, out: &mut Vec<Command>) {
        let target = self.target.as_ref().and_then(Held::target).map(Arc::as_ref);
        let mut missing = self.configs.find(parts, target, &self.earlier);
        missing.retain(|(name, spec)| !is_had(owned, name, *spec));
        self.earlier.want(missing, target, now, out);
    }

    /// Fetches the images, and makes of all parts the goals and the statement.
    fn decide(
        &mut self,
        parts: &Parts,
        owned: &Owned,
        now: Instant,
        out: &mut Vec<Command>,
    ) -> (BTreeMap<ServiceName, Goal>, Said) {
        let known = |name| self.configs.of(name, self.machine);
        let found = |(name, part)| Found { name, part, known: known(name) };
        let found: Vec<Found<'_>> = parts.iter().map(found).collect();
        self.images.want(&images_of(&found), now, out);
        let goal = |found: &Found<'_>| (found.name.clone(), found.goal(&self.images));
        (found.iter().map(goal).collect(), said(owned, &found))
    }

    fn hand(&mut self, goals: BTreeMap<ServiceName, Goal>, now: Instant, out: &mut Vec<Command>) {
        let Some(order) = self.chosen.as_ref().map(|chosen| chosen.order) else { return };
        match Goals::new(order, goals) {
            Ok(goals) => {
                self.deadline = self.hand.give(&goals, now, out);
                self.goals = Some(goals);
            }
            Err(error) if self.unfit != Some(order) => {
                self.unfit = Some(order);
                out.push(Command::Unfit(error));
            }
            Err(_) => {}
        }
    }
}

/// The statement: what the picket reports, and as failed what this node can never run.
fn said(owned: &Owned, found: &[Found<'_>]) -> Said {
    let mut said = Said::new();
    for row in &owned.rows {
        let key = (&row.service, row.spec, row.stage, row.first);
        add(&mut said, key, row.count);
    }
    for found in found.iter().filter(|found| found.is_impossible()) {
        for batch in found.part.batches.iter().flat_map(Batches::as_slice) {
            add(&mut said, (found.name, found.part.spec, Stage::Failed, batch.first), batch.count);
        }
    }
    said
}

fn add(said: &mut Said, of: (&ServiceName, SpecTag, Stage, First), count: u16) {
    let (service, spec, stage, first) = of;
    let key = InstanceKey { service: NameTag::of(service), spec, stage, first };
    let sum = said.entry(key).or_default();
    *sum = sum.saturating_add(count);
}
