//! All that is done to the random world: requests, and everything that breaks.

use std::time::Duration;

use crux_protocol::picket::{
    Event, Exit, Found, InstanceId, Request, RequestId, Requested, State, Wait,
};
use rand::RngExt as _;

use super::contents::{self, Content};
use super::rig::{millis, secs};
use super::world::{Item, Known, Program, World};

impl World {
    pub(super) fn ask(&mut self, request: Request, wait: Wait) {
        if self.state.is_none() {
            return;
        }
        self.next += 1;
        let id = RequestId(self.next);
        let timeout = secs(20);
        // A slow disk and those before it in the queue.
        let until = self.now + timeout + millis(2000);
        let name = request.name().unwrap().clone();
        self.starts.retain(|(it, _), _| *it != name);
        self.asked.insert(id, (request.clone(), wait, until));
        let requested = Requested { id, request, generation: None, wait, timeout };
        self.tell(Event::Request(requested));
    }

    /// One program of a service, if any runs.
    fn one_of(&mut self, service: &str) -> Option<InstanceId> {
        let of = |it: &&Program| it.record.service.as_str() == service && it.exit.is_none();
        let all: Vec<_> = self.programs.values().filter(of).collect();
        let at = self.rng.random_range(0..all.len().max(1));
        Some(all.get(at)?.record.instance.clone())
    }

    pub(super) fn kill_program(&mut self, service: &str) {
        if let Some(instance) = self.one_of(service) {
            self.happen(Item::End(instance, Exit::Signal(9)));
        }
    }

    pub(super) fn kill_keeper(&mut self, service: &str) {
        if let Some(instance) = self.one_of(service) {
            self.programs.remove(&instance);
            self.soon(5, Item::Tell(Event::Gone { instance, taken: Vec::new() }));
        }
    }

    pub(super) fn pause(&mut self, service: &str, paused: bool) {
        let of = |it: &&mut Program| it.record.service.as_str() == service && it.paused != paused;
        let of = self.programs.values_mut().filter(of);
        let told: Vec<_> = of
            .map(|program| {
                program.paused = paused;
                Event::Paused { instance: program.record.instance.clone(), paused }
            })
            .collect();
        told.into_iter().for_each(|event| self.tell(event));
    }

    pub(super) fn sicken(&mut self, service: &str, sick: bool) {
        if sick {
            self.sick.insert(service.to_owned());
        } else {
            self.sick.remove(service);
        }
    }

    pub(super) fn disk(&mut self, works: bool) {
        self.disk_works = works;
    }

    pub(super) fn kill_fulcrum(&mut self) {
        if self.fulcrum {
            self.lose_fulcrum();
            self.tell(Event::FulcrumAway);
            self.soon(3000, Item::FulcrumBack);
        }
    }

    fn lose_fulcrum(&mut self) {
        (self.fulcrum, self.landed) = (false, 0);
        self.registered.clear();
        self.told.clear();
        self.queue.retain(|_, item| !matches!(item, Item::Publish(..)));
    }

    /// The picket dies, and the fulcrum with it. Work it had begun lands, or does not.
    pub(super) fn kill_picket(&mut self, power: bool) {
        if self.state.take().is_none() && !power {
            return;
        }
        self.lose_fulcrum();
        for (key, item) in core::mem::take(&mut self.queue) {
            match item {
                Item::End(..) if !power => {
                    self.queue.insert(key, item);
                }
                Item::Tell(_) | Item::FulcrumBack | Item::PicketBack | Item::End(..) => {}
                Item::Spawn(_) if power => {}
                Item::Spawn(record) if contents::of(record.blob) == Content::NotExecutable => {}
                item if self.disk_works && self.rng.random_bool(0.5) => self.land(item),
                _ => {}
            }
        }
        if power {
            self.programs.clear();
        }
        self.is_ahead = false;
        self.asked.clear();
        self.known.clear();
        self.sealed.clear();
        self.starts.clear();
        self.soon(3000, Item::PicketBack);
    }

    pub(super) fn picket_back(&mut self) {
        let seed = self.rng.random();
        self.state = Some(State::new(self.disk.clone(), seed, self.now));
        for record in self.records.clone().into_values() {
            let program = self.programs.get(&record.instance);
            let found = match program.map(|program| (program.exit, program.noted_up)) {
                None => Found::Gone,
                Some((Some(exit), _)) => Found::Ended { exit },
                Some((None, up)) => Found::Running { pid: 1, up },
            };
            let (was_up, spawned) = (found == Found::Running { pid: 1, up: true }, Some(self.now));
            let known = Known { was_up, spawned, ..Known::default() };
            self.known.insert(record.instance.clone(), known);
            self.tell(Event::Found { record, found });
        }
        self.tell(Event::AdoptionOver);
        let paused = self.programs.values().filter(|it| it.paused);
        let paused: Vec<_> = paused.map(|it| it.record.instance.clone()).collect();
        for instance in paused {
            self.tell(Event::Paused { instance, paused: true });
        }
        self.soon(500, Item::FulcrumBack);
    }

    pub(super) fn stop(&mut self, within: Duration) {
        self.stopping = Some(self.now);
        self.tell(Event::Stop { within });
    }
}
