use std::collections::BTreeMap;

use crux_crdt::record::{Condition, KindFull, ServiceKey, ServiceTag, SlotSet, Unwell};

use super::{REST, RETRY};
use crate::flips::Flips;
use crate::time::Instant;

/// An input of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// How all services are that the picket runs; `None`: up. Those that are not in it, are up or not there.
    Stated(BTreeMap<ServiceKey, Option<Condition>>),
    /// The outcome of [`Command::Set`]: whether it is durable.
    Answered(bool),
    /// Time passed.
    Wake,
}

/// An output of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Say this in the node's record. Answered by [`Event::Answered`].
    Set(SlotSet),
    /// More of the services are not up than a record can say, so the record says what it did before.
    Full(KindFull),
}

/// The content of the record's slot: tags and conditions, ascending.
type Said = BTreeMap<ServiceTag, Condition>;

/// The engine that says which registrations are not up. See the module for its invariants.
#[derive(Debug, Default)]
pub struct State {
    /// As the picket stated it last; none before it did.
    stated: Option<BTreeMap<ServiceKey, Service>>,
    /// The content of the record's slot; none: unknown, after a start.
    said: Option<Said>,
    /// The content that is being written.
    flight: Option<Said>,
    /// From when on the next statement may go out.
    rests_until: Instant,
    deadline: Instant,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Service {
    condition: Option<Condition>,
    flips: Flips,
}

impl Service {
    /// It is like this now.
    fn turn(&mut self, condition: Option<Condition>, now: Instant) {
        if self.condition != condition {
            self.condition = condition;
            self.flips.note(now);
        }
    }

    fn shown(&self, now: Instant) -> Option<Condition> {
        self.flips.held_until(now).map_or(self.condition, |_| Some(Condition::Degraded))
    }
}

impl State {
    /// An engine that does not know what the node's record says.
    pub fn new() -> Self {
        Self { rests_until: Instant::ORIGIN, deadline: Instant::NEVER, ..Self::default() }
    }

    /// Takes one event. The commands are to be executed in order.
    pub fn handle(&mut self, event: Event, now: Instant, out: &mut Vec<Command>) {
        match event {
            Event::Stated(all) => self.take(all, now),
            Event::Answered(durable) => {
                let written = self.flight.take();
                if durable {
                    self.said = written;
                } else {
                    // Nobody knows what is on the disk.
                    (self.said, self.rests_until) = (None, now + RETRY);
                }
            }
            Event::Wake => {}
        }
        self.speak(now, out);
    }

    /// When [`Event::Wake`] has something to do.
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// How many services it remembers: those that were stated last.
    pub fn footprint(&self) -> usize {
        self.stated.as_ref().map_or(0, BTreeMap::len)
    }

    fn take(&mut self, all: BTreeMap<ServiceKey, Option<Condition>>, now: Instant) {
        let mut before = self.stated.take().unwrap_or_default();
        let stated = all.into_iter().map(|(key, condition)| {
            let fresh = || Service { condition, flips: Flips::default() };
            let mut service = before.remove(&key).unwrap_or_else(fresh);
            service.turn(condition, now);
            (key, service)
        });
        self.stated = Some(stated.collect());
    }

    /// Says what is to be said, if it may.
    fn speak(&mut self, now: Instant, out: &mut Vec<Command>) {
        self.deadline = Instant::NEVER;
        let Some(stated) = &self.stated else { return };
        if self.flight.is_some() {
            return;
        }
        let shown = |(key, it): (&ServiceKey, &Service)| Some((key.tag(), it.shown(now)?));
        let due: Said = stated.iter().filter_map(shown).collect();
        let held = stated.values().filter_map(|service| service.flips.held_until(now)).min();
        self.deadline = held.unwrap_or(Instant::NEVER);
        if self.said.as_ref() == Some(&due) {
            return;
        }
        if now < self.rests_until {
            self.deadline = self.deadline.min(self.rests_until);
            return;
        }
        self.rests_until = now + REST;
        let set = Unwell::new(due.iter().map(|(tag, condition)| (*tag, *condition)));
        match set.and_then(SlotSet::new) {
            Ok(set) => {
                (self.flight, self.deadline) = (Some(due), Instant::NEVER);
                out.push(Command::Set(set));
            }
            Err(full) => {
                // It tries again when the picket states something else.
                self.said = Some(due);
                out.push(Command::Full(full));
            }
        }
    }
}
