//! A life of a machine: requests of people and things that break, in any order and at any time.

use core::time::Duration;

use std::collections::BTreeSet;

use crux_crdt::name::ServiceName;
use crux_crdt::service::SpecTag;
use crux_protocol::picket::{Event, Exit, Goal, InstanceId, Request, RequestId, Requested, Wait};
use rand::RngExt as _;

use super::program::{self, CONTENTS, SERVICES};
use super::world::{Asked, Item, World};

/// How long a caller waits at most.
const TIMEOUT: Duration = Duration::from_secs(20);
/// A slow disk, and those before it in the queue.
const SLOW: Duration = Duration::from_secs(2);

/// Lives through a seed.
pub(super) fn live(seed: u64, has_target: bool, log: usize) -> World {
    let mut world = World::new(seed, has_target, log);
    if has_target {
        world.run(Duration::from_secs(1));
        world.hand_in_new();
        world.run(Duration::from_secs(1));
    }
    for service in 0..SERVICES.len() {
        if !has_target || world.rng.random_bool(0.5) {
            world.add(service);
        }
    }
    world.run(Duration::from_secs(1));
    let acts = world.rng.random_range(15..60);
    for _ in 0..acts {
        if world.violation.is_some() {
            return world;
        }
        world.act();
    }
    world.settle();
    world
}

impl World {
    /// Somebody adds a service, so that there is something to break.
    fn add(&mut self, service: usize) {
        let number = self.rng.random_range(0..CONTENTS);
        let (config, image) = program::content(service, number);
        self.ask(Request::Add { config: Box::new(config), image }, Wait::Nothing);
    }

    fn act(&mut self) {
        let service = self.rng.random_range(0..SERVICES.len());
        let content = self.rng.random_range(0..CONTENTS);
        let waits = self.rng.random_bool(0.5);
        let wait = if waits { Wait::Up } else { Wait::Nothing };
        let name = SERVICES[service].parse().expect("small letters make a name");
        let (config, image) = program::content(service, content);
        let config = Box::new(config);
        // A target acts about as often as all people together.
        let most = if self.target.is_some() { 46 } else { 34 };
        match self.rng.random_range(0..most) {
            0..6 => self.ask(Request::Add { config, image }, wait),
            6..10 => self.ask(Request::Update { config, image }, wait),
            10 => self.ask(Request::Rollback(name), Wait::Up),
            11 => self.ask(Request::Start(name), Wait::Started),
            12 => self.ask(Request::Stop(name), wait),
            13 => self.ask(Request::Restart(name), Wait::Up),
            14 => self.ask(Request::Remove(name), wait),
            15 | 16 => self.kill_program(service),
            17 => self.kill_keeper(service),
            18 => self.kill_picket(false),
            19 => self.kill_picket(true),
            20 => self.kill_fulcrum(),
            21 => self.fill(waits),
            22 => self.pause(service, waits),
            23 => self.sicken(service, waits),
            24 => self.is_slow = waits,
            25 | 26 => self.ask_for_refused(service, wait),
            34.. => self.act_of_target(),
            _ => {
                let most = [50, 3_000, 70_000][self.rng.random_range(0..3)];
                let time = self.rng.random_range(1..most);
                self.run(Duration::from_millis(time));
            }
        }
    }

    pub(super) fn ask(&mut self, request: Request, wait: Wait) {
        if self.state.is_none() {
            return;
        }
        self.next += 1;
        let id = RequestId(self.next);
        self.forget_starts(&request);
        // Only where no other request may come before it.
        let is_refused = self.asked.is_empty() && !self.is_ahead && self.is_refused(&request);
        let until = self.now + TIMEOUT + SLOW;
        let asked = Asked { request: request.clone(), wait, until, is_refused };
        self.asked.insert(id, asked);
        let requested = Requested { id, request, generation: None, wait, timeout: TIMEOUT };
        self.tell(Event::Request(requested));
    }

    /// Somebody wants it: what is started now is not started by itself.
    fn forget_starts(&mut self, request: &Request) {
        let of_goals = |name: &ServiceName, spec: SpecTag| {
            let wanted = self.disk.desired().services.get(name);
            wanted.is_none_or(|wanted| wanted.current.spec != Some(spec))
        };
        let names: BTreeSet<ServiceName> = match request {
            Request::Goals(goals) => {
                let others = goals.services().iter().filter(|(name, goal)| match goal {
                    Goal::Run(goal) => of_goals(name, goal.spec()),
                    Goal::Had { spec, .. } => of_goals(name, *spec),
                    Goal::Keep => false,
                });
                others.map(|(name, _)| name.clone()).collect()
            }
            request => request.name().cloned().into_iter().collect(),
        };
        self.starts.retain(|(it, _), _| !names.contains(it));
        self.finished.retain(|(it, ..)| !names.contains(it));
    }

    /// A script that does not know that its content was taken back adds it again.
    fn ask_for_refused(&mut self, service: usize, wait: Wait) {
        self.run(TIMEOUT + SLOW);
        let name = SERVICES[service].parse().expect("small letters make a name");
        let wanted = self.disk.desired().services.get(&name);
        if let Some(refused) = wanted.and_then(|wanted| wanted.refused.clone()) {
            let (config, image) = (Box::new(refused.config.clone()), refused.image.clone());
            self.ask(Request::Add { config, image }, wait);
        }
    }

    fn is_refused(&self, request: &Request) -> bool {
        let Request::Add { config, image } = request else { return false };
        let wanted = self.disk.desired().services.get(&config.name);
        let refused = wanted.and_then(|wanted| wanted.refused.as_ref());
        refused.is_some_and(|refused| refused.is_same(config, image))
    }

    /// One program of a service, if any runs.
    fn one_of(&mut self, service: usize) -> Option<InstanceId> {
        let of = self
            .keepers
            .values()
            .filter(|it| it.record.service.as_str() == SERVICES[service] && it.exit.is_none());
        let all: Vec<_> = of.map(|it| it.record.instance.clone()).collect();
        let at = self.rng.random_range(0..all.len().max(1));
        all.get(at).cloned()
    }

    fn kill_program(&mut self, service: usize) {
        if let Some(instance) = self.one_of(service) {
            self.end_program(&instance, Exit::Signal(9));
        }
    }

    fn kill_keeper(&mut self, service: usize) {
        if let Some(instance) = self.one_of(service) {
            self.note(format_args!("the keeper of {instance} dies"));
            self.keepers.remove(&instance);
            if self.known.contains_key(&instance) {
                self.soon(5, Item::Tell(Event::Gone { instance, taken: Vec::new() }));
            }
        }
    }

    fn fill(&mut self, full: bool) {
        self.note(format_args!("the disk is full: {full}"));
        self.disk.full = full;
    }

    pub(super) fn pause(&mut self, service: usize, paused: bool) {
        let of = self
            .keepers
            .values_mut()
            .filter(|it| it.record.service.as_str() == SERVICES[service] && it.paused != paused);
        let told: Vec<_> = of
            .map(|keeper| {
                keeper.paused = paused;
                Event::Paused { instance: keeper.record.instance.clone(), paused }
            })
            .collect();
        told.into_iter().for_each(|event| self.tell(event));
    }

    fn sicken(&mut self, service: usize, sick: bool) {
        self.note(format_args!("{} is sick: {sick}", SERVICES[service]));
        let name = SERVICES[service].parse().expect("small letters make a name");
        if sick {
            self.sick.insert(name);
        } else {
            self.sick.remove(&name);
        }
    }

    /// Nothing breaks from now on.
    pub(super) fn heal(&mut self) {
        self.note(format_args!("== everything is healed"));
        self.plan.end();
        self.fill(false);
        self.is_slow = false;
        self.sick.clear();
        (0..SERVICES.len()).for_each(|service| self.pause(service, false));
    }
}
