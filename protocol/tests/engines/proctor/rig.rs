//! An enactor by hand: markers, targets, plans and lists by small numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use crux_crdt::Digest;
use crux_crdt::blob::{BlobId, Descriptor, Root};
use crux_crdt::canon::Canonical as _;
use crux_crdt::document::{Earlier, Marker, Target};
use crux_crdt::name::ServiceName;
use crux_crdt::record::{
    Amount, First, InstanceKey, InstanceReport, NameTag, Pass, PlanKey, SlotSet, Stage,
};
use crux_crdt::service::{self, Config, Fields, Machine, SpecTag};
use crux_protocol::picket::Image;
use crux_protocol::proctor::enactor::{Command, Event, State};
use crux_protocol::proctor::{
    Assigned, Assignment, Batch, Batches, Content, Goal, Goals, Held, Order, Owned, OwnedRow,
};

use crate::fixture::{at, principal};

pub(super) const fn blob(number: u8) -> BlobId {
    BlobId([number; 32])
}

pub(super) fn image(number: u8) -> Image {
    let descriptor = Descriptor { blob: blob(number), root: Root([number; 32]), size: 1 };
    Image { descriptor, path: format!("blobs/{number}") }
}

pub(super) fn name(text: &str) -> ServiceName {
    text.parse().unwrap()
}

/// A service whose image has this number.
pub(super) fn config(text: &str, number: u8) -> Config {
    Fields::new(name(text), service::Image::Blob(blob(number))).try_into().unwrap()
}

pub(super) fn spec(text: &str, number: u8) -> SpecTag {
    config(text, number).spec_tag()
}

pub(super) fn marker(generation: u64) -> Marker {
    Marker { grants_version: 1, generation, id: Digest([1; 32]) }
}

/// A target with these services, and these before it, newest first.
pub(super) fn target(configs: Vec<Config>, earlier: &[&Target]) -> Target {
    let earlier = earlier.iter().zip((1..=earlier.len() as u64).rev());
    let earlier = earlier.map(|(target, generation)| Earlier {
        generation,
        by: principal(9),
        note: String::new(),
        blob: target.blob(),
    });
    let horde = "main".parse().unwrap();
    Target::new(&horde, String::new(), configs, String::new(), earlier.collect()).unwrap()
}

pub(super) fn held(generation: u64, target: Target) -> Held {
    Held { marker: marker(generation), content: Content::Target(Arc::new(target)) }
}

/// The pass of leader 1 in term 3.
pub(super) fn pass(pass: u64) -> Pass {
    Pass { term: 3, leader: principal(1), pass }
}

pub(super) fn first(number: u64) -> First {
    pass(number).into()
}

pub(super) fn order(generation: u64, number: u64) -> Order {
    Order { target: marker(generation), pass: pass(number) }
}

/// An entry: its service, the number of its image, the pass that first assigned it, its count, how many may start.
pub(super) type Entry<'a> = (&'a str, u8, u64, u16, u16);

pub(super) fn plan(order: Order, entries: &[Entry<'_>]) -> Assignment {
    let entry = |(service, number, assigned, count, released): &Entry<'_>| {
        let (service, spec) = (name(service), spec(service, *number));
        let amount = Amount::new(*count, *released).unwrap();
        (PlanKey { service, spec, first: first(*assigned) }, amount)
    };
    Assignment { order, entries: entries.iter().map(entry).collect() }
}

pub(super) fn batches(all: &[(u64, u16)]) -> Batches {
    let batch = |(assigned, count): &(u64, u16)| Batch { first: first(*assigned), count: *count };
    Batches::new(all.iter().map(batch).collect()).unwrap()
}

pub(super) fn run(text: &str, number: u8, all: &[(u64, u16)]) -> (ServiceName, Goal) {
    let goal = Assigned::new(&config(text, number), image(number), batches(all)).unwrap();
    (name(text), Goal::Run(Box::new(goal)))
}

pub(super) fn had(text: &str, number: u8, all: &[(u64, u16)]) -> (ServiceName, Goal) {
    (name(text), Goal::Had { spec: spec(text, number), batches: batches(all) })
}

pub(super) fn goals(order: Order, all: Vec<(ServiceName, Goal)>) -> Goals {
    Goals::new(order, all.into_iter().collect()).unwrap()
}

pub(super) fn row(text: &str, number: u8, stage: Stage, count: u16) -> OwnedRow {
    OwnedRow { service: name(text), spec: spec(text, number), stage, first: first(1), count }
}

/// The command that has the record say this.
pub(super) fn say(rows: &[OwnedRow]) -> Command {
    let key = |row: &OwnedRow| InstanceKey {
        service: NameTag::of(&row.service),
        spec: row.spec,
        stage: row.stage,
        first: row.first,
    };
    let all: BTreeMap<_, _> = rows.iter().map(|row| (key(row), row.count)).collect();
    Command::Say(SlotSet::new(InstanceReport::new(all).unwrap()).unwrap())
}

/// An enactor with a clock.
pub(super) struct Rig {
    pub(super) state: State,
    pub(super) now: u64,
}

impl Rig {
    pub(super) fn new() -> Self {
        Self { state: State::new("main".parse().unwrap(), Machine::X86_64), now: 10_000 }
    }

    /// One with a picket that has nothing, and a record that says so.
    pub(super) fn attached() -> Self {
        let mut rig = Self::new();
        assert_eq!(rig.tell(Event::Owned(Owned::default())), [say(&[])]);
        assert_eq!(rig.tell(Event::Said(true)), []);
        rig.now += 1_000;
        rig
    }

    pub(super) fn tell(&mut self, event: Event) -> Vec<Command> {
        let mut out = Vec::new();
        self.state.handle(event, at(self.now), &mut out);
        out
    }

    pub(super) fn see(&mut self, target: &Held, plans: &[Assignment]) -> Vec<Command> {
        self.tell(Event::Seen { target: Some(target.clone()), plans: plans.to_vec() })
    }

    pub(super) fn owned(&mut self, order: Order, rows: &[OwnedRow]) -> Vec<Command> {
        self.tell(Event::Owned(Owned { order: Some(order), rows: rows.to_vec() }))
    }

    pub(super) fn read(&mut self, blob: BlobId, target: &Target) -> Vec<Command> {
        self.tell(Event::Read { blob, content: Some(target.to_canonical()) })
    }

    /// The time passes until it wants to wake.
    pub(super) fn wake(&mut self) -> Vec<Command> {
        let due = self.state.deadline();
        self.now = u64::try_from(due.since(at(0)).as_millis()).unwrap();
        self.tell(Event::Wake)
    }

    /// Everything is fetched, accepted and durable at once, until nothing more happens. Returns what was done.
    pub(super) fn settle(&mut self, commands: Vec<Command>) -> Vec<Command> {
        let (mut queue, mut done) = (std::collections::VecDeque::from(commands), Vec::new());
        while let Some(command) = queue.pop_front() {
            let answer = match &command {
                Command::Fetch(BlobId([number, ..])) => Some(Event::Fetched(image(*number))),
                Command::Hand(_) => Some(Event::Answered(true)),
                Command::Say(_) => Some(Event::Said(true)),
                Command::Read(_) | Command::Unfit(_) | Command::Full(_) => None,
            };
            done.push(command);
            queue.extend(answer.map(|event| self.tell(event)).unwrap_or_default());
            assert!(done.len() < 100, "it ends");
        }
        done
    }
}
