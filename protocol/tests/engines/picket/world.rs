//! A machine for one supervisor, in virtual time: a disk, keepers, programs, a fulcrum. It obeys late, it
//! breaks, and with each command it checks the invariants of the supervisor.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crux_crdt::name::ServiceName;
use crux_protocol::picket::{
    Command, Desired, Event, Exit, Happened, InstanceId, Kind, Record, Request, RequestId, State,
    Wait,
};
use crux_protocol::time::Instant;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::contents::{self, Content};
use super::rig::{millis, secs};

/// The most commands that one event may make: more is a storm.
const STORM: usize = 200;
/// How long a program of [`Content::Crashes`] lives. Its port accepts before: it is up for a moment.
pub(super) const CRASHES_AFTER: Duration = millis(500);

/// An event of the future.
#[derive(Debug, Clone)]
pub(super) enum Item {
    /// The supervisor hears of it, if it is still the same one.
    Tell(Event),
    Save(Desired),
    Record(Record),
    Spawn(Record),
    Forget(InstanceId),
    Kill(InstanceId),
    /// A program ends.
    End(InstanceId, Exit),
    Publish(u64, BTreeSet<InstanceId>),
    FulcrumBack,
    PicketBack,
}

/// A keeper with its program.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) record: Record,
    pub(super) since: Instant,
    pub(super) exit: Option<Exit>,
    pub(super) noted_up: bool,
    pub(super) paused: bool,
}

/// The supervisor's knowledge of an instance.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) spawned: Option<Instant>,
    /// It was up under an earlier supervisor.
    pub(super) was_up: bool,
    pub(super) passed: BTreeSet<usize>,
    pub(super) ended: bool,
    pub(super) signalled: bool,
    pub(super) withdrawn: Option<Instant>,
}

/// The machine.
pub(super) struct World {
    pub(super) state: Option<State>,
    pub(super) now: Instant,
    pub(super) rng: StdRng,
    pub(super) queue: BTreeMap<(Instant, u64), Item>,
    pub(super) next: u64,
    pub(super) disk: Desired,
    pub(super) disk_works: bool,
    /// The supervisor could not write what it knows.
    pub(super) is_ahead: bool,
    pub(super) records: BTreeMap<InstanceId, Record>,
    pub(super) programs: BTreeMap<InstanceId, Program>,
    pub(super) known: BTreeMap<InstanceId, Known>,
    pub(super) sealed: BTreeSet<crux_crdt::blob::BlobId>,
    pub(super) sick: BTreeSet<String>,
    pub(super) fulcrum: bool,
    /// In the node's record, and as it was told last.
    pub(super) registered: BTreeSet<InstanceId>,
    pub(super) told: BTreeSet<InstanceId>,
    pub(super) landed: u64,
    pub(super) asked: BTreeMap<RequestId, (Request, Wait, Instant)>,
    pub(super) starts: BTreeMap<(ServiceName, u16), Vec<Instant>>,
    pub(super) names: BTreeSet<InstanceId>,
    pub(super) stopping: Option<Instant>,
    pub(super) stopped: bool,
    pub(super) events: BTreeSet<&'static str>,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut world = Self {
            state: None,
            now: Instant::after_origin(secs(1000)),
            rng: StdRng::seed_from_u64(seed),
            queue: BTreeMap::new(),
            next: 0,
            disk: Desired::default(),
            disk_works: true,
            is_ahead: false,
            records: BTreeMap::new(),
            programs: BTreeMap::new(),
            known: BTreeMap::new(),
            sealed: BTreeSet::new(),
            sick: BTreeSet::new(),
            fulcrum: false,
            registered: BTreeSet::new(),
            told: BTreeSet::new(),
            landed: 0,
            asked: BTreeMap::new(),
            starts: BTreeMap::new(),
            names: BTreeSet::new(),
            stopping: None,
            stopped: false,
            events: BTreeSet::new(),
        };
        world.picket_back();
        world
    }

    pub(super) fn soon(&mut self, most: u64, item: Item) {
        let wait = self.rng.random_range(1..=most);
        self.at(self.now + millis(wait), item);
    }

    pub(super) fn at(&mut self, at: Instant, item: Item) {
        self.next += 1;
        self.queue.insert((at, self.next), item);
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let due = self.state.as_ref().map_or(Instant::NEVER, State::deadline);
            let first = self.queue.keys().next().copied();
            let next = first.map_or(Instant::NEVER, |(at, _)| at);
            if due.min(next) > end {
                break;
            }
            if due < next {
                self.now = due;
                self.tell(Event::Wake);
            } else if let Some((key, item)) = first.and_then(|key| self.queue.remove_entry(&key)) {
                self.now = key.0;
                self.happen(item);
            }
        }
        self.now = end;
    }

    pub(super) fn happen(&mut self, item: Item) {
        match item {
            Item::Tell(event) => self.tell(event),
            Item::FulcrumBack => {
                self.fulcrum = self.state.is_some();
                let restarted = true;
                self.tell(Event::FulcrumAttached { restarted });
            }
            Item::PicketBack => self.picket_back(),
            Item::Publish(seq, all) => {
                // They are carried out in their order.
                if seq < self.landed {
                    return;
                }
                self.landed = seq;
                self.registered = all;
                self.tell(Event::Published { seq });
            }
            Item::Save(desired) => {
                let generation = desired.generation;
                if self.disk_works {
                    self.land(Item::Save(desired));
                    self.tell(Event::Saved { generation });
                } else {
                    self.is_ahead = true;
                    self.tell(Event::SaveFailed { generation, reason: "full".to_owned() });
                }
            }
            Item::Record(record) if self.disk_works => {
                let instance = record.instance.clone();
                self.land(Item::Record(record));
                self.tell(Event::Recorded { instance });
            }
            Item::Record(Record { instance, .. }) => {
                self.tell(Event::RecordFailed { instance, reason: "full".to_owned() });
            }
            Item::Forget(instance) => {
                self.land(Item::Forget(instance.clone()));
                self.tell(Event::Forgotten { instance });
            }
            Item::Spawn(record) => {
                let instance = record.instance.clone();
                if contents::of(record.blob) == Content::NotExecutable {
                    let reason = "exec format error".to_owned();
                    return self.tell(Event::SpawnFailed { instance, reason });
                }
                self.land(Item::Spawn(record));
                self.tell(Event::Spawned { instance, pid: 1 });
            }
            Item::Kill(instance) => {
                let waits =
                    |item: &Item| matches!(item, Item::Spawn(it) if it.instance == instance);
                let before = self.queue.len();
                self.queue.retain(|_, item| !waits(item));
                let was_there = self.programs.contains_key(&instance);
                self.land(Item::Kill(instance.clone()));
                if was_there || self.queue.len() < before {
                    self.tell(Event::Gone { instance, taken: Vec::new() });
                }
            }
            Item::End(instance, exit) => {
                let program = self.programs.get_mut(&instance).filter(|it| it.exit.is_none());
                if let Some(program) = program {
                    program.exit = Some(exit);
                    self.soon(5, Item::Tell(Event::Exited { instance, exit }));
                }
            }
        }
    }

    /// Its effect, also if nobody hears of it.
    pub(super) fn land(&mut self, item: Item) {
        match item {
            Item::Save(desired) => {
                assert!(desired.generation > self.disk.generation, "generations only grow");
                self.disk = desired;
                self.is_ahead = false;
            }
            Item::Record(record) => {
                self.records.insert(record.instance.clone(), record);
            }
            Item::Forget(instance) => {
                self.records.remove(&instance);
            }
            Item::Spawn(record) => {
                let (instance, since) = (record.instance.clone(), self.now);
                let ends = match contents::of(record.blob) {
                    Content::Crashes => Some((CRASHES_AFTER, Exit::Code(1))),
                    Content::Job => Some((secs(3), Exit::Code(0))),
                    _ => None,
                };
                let (exit, noted_up, paused) = (None, false, false);
                let program = Program { record, since, exit, noted_up, paused };
                self.programs.insert(instance.clone(), program);
                if let Some((after, exit)) = ends {
                    self.at(self.now + after, Item::End(instance, exit));
                }
            }
            Item::Kill(instance) => {
                self.programs.remove(&instance);
            }
            _ => {}
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "each event is told once")]
    pub(super) fn tell(&mut self, event: Event) {
        let Some(mut state) = self.state.take() else { return };
        self.note(&event);
        let mut out = Vec::new();
        state.handle(event.clone(), self.now, &mut out);
        assert!(out.len() < STORM, "{event:?} makes {} commands", out.len());
        assert!(state.deadline() > self.now, "a deadline that passed is a loop: {event:?}");
        let footprint = state.footprint();
        assert!(footprint.services <= 3 && footprint.waiting <= 100, "{footprint:?}");
        assert!(footprint.instances <= 30 && footprint.remembered <= 300, "{footprint:?}");
        if !self.is_ahead && !matches!(event, Event::Found { .. }) {
            let wanted = state.all_wanted().map(|(name, it)| (name.clone(), it.clone()));
            let wanted: BTreeMap<_, _> = wanted.collect();
            assert_eq!(wanted, self.disk.services, "acted upon what is not durable: {event:?}");
        }
        self.state = Some(state);
        for command in out {
            self.obey(command);
        }
    }

    /// Notes what the supervisor knows from now on.
    fn note(&mut self, event: &Event) {
        match event {
            Event::Spawned { instance, .. } => {
                self.known.entry(instance.clone()).or_default().spawned = Some(self.now);
            }
            Event::Checked { instance, check, result: Ok(()) } => {
                self.known.entry(instance.clone()).or_default().passed.insert(*check);
            }
            Event::Exited { instance, .. } | Event::Gone { instance, .. } => {
                self.known.entry(instance.clone()).or_default().ended = true;
            }
            _ => {}
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Save(desired) => self.soon(20, Item::Save(desired)),
            Command::Answer { request, outcome } => self.check_answer(request, &outcome),
            Command::Pins(blobs) => self.sealed.retain(|blob| blobs.contains(blob)),
            Command::Seal(image) => {
                let blob = image.blob();
                let event = if contents::of(blob) == Content::NotSealable {
                    Event::SealFailed { blob, reason: "not a program".to_owned() }
                } else {
                    self.sealed.insert(blob);
                    Event::Sealed { blob, sealed: true }
                };
                self.soon(50, Item::Tell(event));
            }
            Command::ChoosePorts { instance, ports, avoid } => {
                let mut free = (27_200..).filter(|port| !avoid.contains(port));
                let mut number =
                    |port: crux_crdt::service::Port| port.number().or_else(|| free.next()).unwrap();
                let ports = ports.iter().map(|(name, port)| (name.clone(), number(port)));
                let ports = ports.collect();
                self.soon(5, Item::Tell(Event::PortsChosen { instance, ports }));
            }
            Command::Record(record) => {
                assert!(self.names.insert(record.instance.clone()), "a name is used once");
                self.soon(20, Item::Record(record));
            }
            Command::Spawn { record, version } => {
                self.check_spawn(&record, version.config.update_by());
                self.soon(20, Item::Spawn(record));
            }
            Command::Note { instance, up } => {
                let program = self.programs.get_mut(&instance);
                program.into_iter().for_each(|program| program.noted_up = up);
            }
            Command::Terminate { instance, tree } => {
                self.check_signal(&instance);
                let program = self.programs.get(&instance);
                let ignores = |it: &Program| contents::of(it.record.blob) == Content::Stubborn;
                if program.is_some_and(|it| !it.paused && (tree || !ignores(it))) {
                    self.soon(100, Item::End(instance, Exit::Signal(15)));
                }
            }
            Command::Kill { instance } => {
                self.check_signal(&instance);
                self.soon(20, Item::Kill(instance));
            }
            Command::Forget { instance } => {
                assert!(!self.programs.contains_key(&instance), "{instance} still runs");
                self.soon(20, Item::Forget(instance));
            }
            Command::Check { instance, check, .. } => {
                let result = self.check(&instance);
                self.soon(20, Item::Tell(Event::Checked { instance, check, result }));
            }
            Command::Publish { seq, registrations } => {
                let all = registrations.into_values().map(|it| it.instance).collect();
                self.check_publish(&all);
                self.soon(50, Item::Publish(seq, all));
            }
            Command::Conditions(_) | Command::Owned(_) => {}
            Command::Happened(Happened { kind, service, .. }) => {
                self.events.insert(kind.name());
                if let (Kind::RolledBack, Some(service)) = (kind, service) {
                    self.starts.retain(|(name, _), _| *name != service);
                }
            }
            Command::AllStopped => {
                assert!(self.stopping.is_some() && self.programs.is_empty());
                self.stopped = true;
            }
        }
    }

    fn check(&self, instance: &InstanceId) -> Result<(), String> {
        let is_well = |program: &&Program| {
            let content = contents::of(program.record.blob);
            program.exit.is_none()
                && !program.paused
                && content != Content::NeverUp
                && !self.sick.contains(program.record.service.as_str())
                && self.now >= program.since + millis(200)
        };
        let program = self.programs.get(instance).filter(is_well);
        program.map(|_| ()).ok_or_else(|| "refused".to_owned())
    }
}
