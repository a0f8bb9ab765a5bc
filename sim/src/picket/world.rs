use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::blob::BlobId;
use crux_crdt::name::ServiceName;
use crux_protocol::picket::{
    Desired, Event, Exit, Found, InstanceId, Record, Request, RequestId, State, Wait, Wanted,
};
use crux_protocol::time::Instant;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::crash::Plan;
use super::disk::Disk;
use super::goals::Seen;
use super::program::{self, Content};
use super::target::Target;
use super::text;
use crate::Violation;
use crate::host::derive;
use crate::trace::Trace;

/// The most commands that one event may make: more is a storm.
const STORM: usize = 200;
/// How long keepers wait for a picket before they end their trees.
const ORPHAN_TIME: Duration = Duration::from_secs(30);
/// When a run begins.
const BEGIN: Instant = Instant::after_origin(Duration::from_secs(1000));

/// An event of the future.
#[derive(Debug, Clone)]
pub(super) enum Item {
    /// The engine hears of it, if it is still the same one.
    Tell(Event),
    /// The next step of something that the shell does.
    Work(Work, u8),
    /// A program ends by itself.
    End(InstanceId, Exit),
    /// The fulcrum takes over a list of registrations.
    Publish(u64, BTreeSet<InstanceId>),
    FulcrumBack,
    PicketBack,
    /// The picket reaches the keeper of a record, or learns that there is none.
    Find(Record, u64),
    /// It has found all of them.
    AdoptionOver,
    /// Nobody came back after that many deaths of the picket.
    Orphaned(u64),
}

/// Work that takes the shell several steps.
#[derive(Debug, Clone)]
pub(super) enum Work {
    Save(Desired),
    Record(Record),
    Spawn(Record),
    Forget(InstanceId),
    Kill(InstanceId),
}

/// A keeper with its program.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) record: Record,
    pub(super) since: Instant,
    pub(super) exit: Option<Exit>,
    pub(super) noted_up: bool,
    pub(super) paused: bool,
}

/// The engine's knowledge of an instance.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) spawned: Option<Instant>,
    pub(super) blob: Option<BlobId>,
    /// It was up under an earlier picket.
    pub(super) was_up: bool,
    pub(super) passed: BTreeSet<usize>,
    pub(super) ended: bool,
    /// It was told to end before it did.
    pub(super) signalled: bool,
    pub(super) withdrawn: Option<Instant>,
}

/// A request without an answer.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) request: Request,
    pub(super) wait: Wait,
    pub(super) until: Instant,
    /// It adds the content that was refused when it was made.
    pub(super) is_refused: bool,
}

/// Everything there is.
#[derive(Debug)]
pub(super) struct World {
    pub(super) now: Instant,
    pub(super) rng: StdRng,
    pub(super) trace: Trace,
    queue: BTreeMap<(Instant, u64), Item>,
    pub(super) next: u64,
    pub(super) plan: Plan,
    pub(super) disk: Disk,
    /// How often the machine was started.
    pub(super) boot: u64,
    /// How often the picket died.
    deaths: u64,
    pub(super) keepers: BTreeMap<InstanceId, Keeper>,
    /// The programs that cannot serve for now, by service.
    pub(super) sick: BTreeSet<ServiceName>,

    pub(super) state: Option<State>,
    /// It looks for what an earlier picket left.
    pub(super) is_adopting: bool,
    /// The engine could not write what it wants.
    pub(super) is_ahead: bool,
    pub(super) sealed: BTreeSet<BlobId>,
    /// The images that the store keeps for the engine.
    pub(super) pinned: BTreeSet<BlobId>,
    pub(super) known: BTreeMap<InstanceId, Known>,
    pub(super) asked: BTreeMap<RequestId, Asked>,
    /// The starts of each place, of the content that was started last.
    pub(super) starts: BTreeMap<(ServiceName, u16), (u64, Vec<Instant>)>,
    pub(super) names: BTreeSet<InstanceId>,
    /// The places of contents whose programs ended well, as far as that is not lost: by service, ordinal and content.
    pub(super) finished: BTreeSet<(ServiceName, u16, u64)>,
    pub(super) stopping: Option<(Instant, Duration)>,
    pub(super) stopped: Option<Instant>,

    pub(super) fulcrum: bool,
    pub(super) is_slow: bool,
    /// In the node's record, and as it was told last.
    pub(super) registered: BTreeSet<InstanceId>,
    pub(super) told: BTreeSet<InstanceId>,
    pub(super) landed: u64,

    /// The source of goals, in a scenario that has one.
    pub(super) target: Option<Target>,
    pub(super) seen: Seen,

    pub(super) violation: Option<Violation>,
    pub(super) handled: u64,
    pub(super) answered: u64,
    pub(super) done: u64,
    pub(super) refused: u64,
    pub(super) unanswered: u64,
}

impl World {
    /// A machine with a picket that has found nothing.
    pub(super) fn new(seed: u64, has_target: bool, log: usize) -> Self {
        let mut rng = StdRng::from_seed(derive(seed, "picket", 0));
        let plan = Plan::draw(seed, &mut rng);
        let mut world = Self {
            now: BEGIN,
            rng,
            trace: Trace::new(log, BTreeMap::new()),
            queue: BTreeMap::new(),
            next: 0,
            plan,
            disk: Disk::default(),
            boot: 1,
            deaths: 0,
            keepers: BTreeMap::new(),
            sick: BTreeSet::new(),
            state: None,
            is_adopting: true,
            is_ahead: false,
            sealed: BTreeSet::new(),
            pinned: BTreeSet::new(),
            known: BTreeMap::new(),
            asked: BTreeMap::new(),
            starts: BTreeMap::new(),
            names: BTreeSet::new(),
            finished: BTreeSet::new(),
            stopping: None,
            stopped: None,
            fulcrum: false,
            is_slow: false,
            registered: BTreeSet::new(),
            told: BTreeSet::new(),
            landed: 0,
            target: has_target.then(Target::default),
            seen: Seen::default(),
            violation: None,
            handled: 0,
            answered: 0,
            done: 0,
            refused: 0,
            unanswered: 0,
        };
        world.picket_back();
        world
    }

    pub(super) fn lived(&self) -> Duration {
        self.now.since(BEGIN)
    }

    pub(super) fn note(&mut self, text: core::fmt::Arguments<'_>) {
        self.trace.line(self.now, text);
    }

    pub(super) fn broken(&mut self, what: String) {
        self.note(format_args!("VIOLATION {what}"));
        self.violation.get_or_insert(Violation(what));
    }

    /// A law that holds, or not.
    pub(super) fn hold(&mut self, law: Result<(), String>) {
        if let Err(why) = law {
            self.broken(why);
        }
    }

    pub(super) fn soon(&mut self, most: u64, item: Item) {
        let wait = self.rng.random_range(1..=most);
        self.at(self.now + Duration::from_millis(wait), item);
    }

    pub(super) fn at(&mut self, at: Instant, item: Item) {
        self.next += 1;
        self.queue.insert((at, self.next), item);
    }

    /// Lets time pass, or until something is wrong.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.violation.is_none() {
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
        self.now = self.now.max(end);
    }

    fn happen(&mut self, item: Item) {
        match item {
            Item::Tell(event) => self.tell(event),
            Item::Work(work, step) => self.work(work, step),
            Item::End(instance, exit) => self.end_program(&instance, exit),
            Item::Publish(seq, all) => self.publish(seq, all),
            Item::FulcrumBack => {
                self.fulcrum = self.state.is_some();
                self.tell(Event::FulcrumAttached { restarted: true });
                if self.target.is_some() && self.rng.random_bool(0.5) {
                    self.hand_in_again();
                }
            }
            Item::PicketBack => self.picket_back(),
            Item::Find(record, boot) => self.find(record, boot),
            Item::AdoptionOver => self.adoption_over(),
            Item::Orphaned(deaths) => {
                if self.deaths == deaths && self.state.is_none() {
                    self.note(format_args!("keepers end their trees"));
                    self.keepers.clear();
                    self.lose_finished();
                }
            }
        }
    }

    /// A program ends; its keeper says so.
    pub(super) fn end_program(&mut self, instance: &InstanceId, exit: Exit) {
        let Some(keeper) = self.keepers.get_mut(instance).filter(|it| it.exit.is_none()) else {
            return;
        };
        keeper.exit = Some(exit);
        self.note(format_args!("{instance} ends: {exit}"));
        // A picket that has not found it yet finds that it ended.
        if self.known.contains_key(instance) {
            let instance = instance.clone();
            self.soon(5, Item::Tell(Event::Exited { instance, exit }));
        }
    }

    /// They are carried out in their order.
    fn publish(&mut self, seq: u64, all: BTreeSet<InstanceId>) {
        if self.fulcrum && seq >= self.landed {
            (self.landed, self.registered) = (seq, all);
            self.tell(Event::Published { seq });
        }
    }

    /// Hands an event to the engine, and does what it commands, in order, as long as the picket lives.
    pub(super) fn tell(&mut self, event: Event) {
        let Some(mut state) = self.state.take() else { return };
        self.handled += 1;
        if !matches!(event, Event::Wake) {
            self.note(format_args!("< {}", text::of_event(&event)));
        }
        self.learn(&event);
        let mut out = Vec::new();
        let is_found = matches!(event, Event::Found { .. });
        state.handle(event, self.now, &mut out);
        let is_over = state.deadline() <= self.now;
        let law = self.check_state(&state, is_found);
        let of_goals = self.check_accepted(&state);
        self.state = Some(state);
        self.hold(law);
        self.hold(of_goals);
        if is_over {
            self.broken("a deadline that is over: the picket spins".to_owned());
        }
        if out.len() > STORM {
            self.broken(format!("{} commands at once", out.len()));
        }
        let deaths = self.deaths;
        for command in out {
            if self.violation.is_some() || self.deaths != deaths {
                break;
            }
            self.note(format_args!("> {}", text::of_command(&command)));
            self.obey(command);
        }
        if self.deaths == deaths {
            let law = self.check_pins();
            self.hold(law);
            let law = self.state.as_ref().map_or(Ok(()), |state| self.check_report(state));
            self.hold(law);
        }
    }

    /// Notes what the engine knows from now on.
    fn learn(&mut self, event: &Event) {
        let now = self.now;
        match event {
            Event::Spawned { instance, .. } => {
                self.known.entry(instance.clone()).or_default().spawned = Some(now);
            }
            Event::Checked { instance, check, result } if result.is_err() => {
                self.seen.note_check(instance, *check, None);
            }
            Event::Paused { instance, .. } => self.seen.note_pause(instance),
            Event::Checked { instance, check, .. } => {
                self.seen.note_check(instance, *check, Some(now));
                self.known.entry(instance.clone()).or_default().passed.insert(*check);
            }
            Event::Exited { instance, exit } => {
                self.note_finished(instance, *exit);
                self.known.entry(instance.clone()).or_default().ended = true;
            }
            Event::Gone { instance, .. } => {
                self.known.entry(instance.clone()).or_default().ended = true;
            }
            _ => {}
        }
    }

    /// The engine hears that a program ended. If it ended well, by itself, it is not to be started again; unless a person
    /// wants it, as the request that waits may say.
    fn note_finished(&mut self, instance: &InstanceId, exit: Exit) {
        let Some(record) = self.keepers.get(instance).map(|keeper| &keeper.record) else { return };
        let wanted = self.disk.desired().services.get(&record.service);
        let is_wanted = wanted.is_some_and(|it| it.run && it.current.number == record.version);
        let mut asked = self.asked.values().map(|it| it.request.name());
        let is_asked = asked.any(|name| name.is_none_or(|name| *name == record.service));
        let is_told = self.known.get(instance).is_some_and(|known| known.signalled);
        let is_job = program::of(record.blob) == Content::Job && exit == Exit::Code(0);
        if is_job && is_wanted && !is_asked && !is_told {
            self.finished.insert((record.service.clone(), record.ordinal, record.version));
        }
    }

    /// Nobody knows how programs ended but the disk.
    fn lose_finished(&mut self) {
        let services = &self.disk.desired().services;
        self.finished.retain(|(service, ordinal, version)| {
            let is_kept = |it: &Wanted| it.current.number == *version && it.done.contains(ordinal);
            services.get(service).is_some_and(is_kept)
        });
    }

    // Deaths and returns.

    pub(super) fn kill_fulcrum(&mut self) {
        if self.fulcrum {
            self.note(format_args!("the fulcrum dies"));
            self.lose_fulcrum();
            self.tell(Event::FulcrumAway);
            self.cancel_goals();
            self.soon(3000, Item::FulcrumBack);
        }
    }

    fn lose_fulcrum(&mut self) {
        (self.fulcrum, self.landed) = (false, 0);
        self.registered.clear();
        self.told.clear();
        self.seen.report = None;
        self.queue.retain(|_, item| !matches!(item, Item::Publish(..) | Item::FulcrumBack));
    }

    /// The picket dies, and the fulcrum with it. Work it had begun stays as far as it was; nothing runs any longer but
    /// keepers and programs, and they only with power.
    pub(super) fn kill_picket(&mut self, power: bool) {
        if self.state.take().is_none() && !power {
            return;
        }
        self.deaths += 1;
        let how = if power { "the power is lost" } else { "the picket dies" };
        self.note(format_args!("{how}"));
        self.lose_fulcrum();
        self.queue.retain(|_, item| matches!(item, Item::End(..)) && !power);
        if power {
            self.boot += 1;
            self.keepers.clear();
            self.disk.lose_power(&mut self.rng);
            self.lose_finished();
        } else {
            self.at(self.now + ORPHAN_TIME, Item::Orphaned(self.deaths));
        }
        if std::mem::take(&mut self.is_ahead) {
            // The disk refused it, and the keeper is gone.
            self.lose_finished();
        }
        self.unanswered += self.asked.len() as u64;
        self.asked.clear();
        self.known.clear();
        self.sealed.clear();
        self.starts.clear();
        self.seen.forget_picket();
        let most = if self.rng.random_bool(0.1) { 60_000 } else { 3_000 };
        self.soon(most, Item::PicketBack);
    }

    fn picket_back(&mut self) {
        let seed = self.rng.random();
        // The one before may have died between a rename and its flush: what is acted upon has to stay.
        self.disk.flush_desired();
        self.state = Some(State::new(self.disk.desired().clone(), seed, self.now));
        self.is_adopting = true;
        self.note(format_args!("the picket starts"));
        let mut last = self.now;
        for (record, boot) in self.disk.records() {
            let at = self.now + Duration::from_millis(self.rng.random_range(1..200));
            last = last.max(at);
            self.at(at, Item::Find(record, boot));
        }
        self.at(last, Item::AdoptionOver);
        self.soon(500, Item::FulcrumBack);
    }

    fn find(&mut self, record: Record, boot: u64) {
        let keeper = self.keepers.get(&record.instance).filter(|_| boot == self.boot);
        let found = match keeper.map(|keeper| (keeper.exit, keeper.noted_up)) {
            None => Found::Gone,
            Some((Some(exit), _)) => Found::Ended { exit },
            Some((None, up)) => Found::Running { pid: 1, up },
        };
        if found != Found::Gone {
            let known = Known {
                was_up: found == Found::Running { pid: 1, up: true },
                spawned: Some(self.now),
                blob: Some(record.blob),
                ended: matches!(found, Found::Ended { .. }),
                ..Known::default()
            };
            self.known.insert(record.instance.clone(), known);
        }
        if let Found::Ended { exit } = found {
            self.note_finished(&record.instance, exit);
        }
        self.tell(Event::Found { record, found });
    }

    fn adoption_over(&mut self) {
        self.is_adopting = false;
        self.tell(Event::AdoptionOver);
        let paused = self.keepers.values().filter(|it| it.paused);
        let paused: Vec<_> = paused.map(|it| it.record.instance.clone()).collect();
        for instance in paused {
            self.tell(Event::Paused { instance, paused: true });
        }
    }

    /// Work that waits, of an instance that is not to be spawned any more. Whether there was any.
    pub(super) fn drop_spawn(&mut self, instance: &InstanceId) -> bool {
        let before = self.queue.len();
        self.queue.retain(
            |_, item| !matches!(item, Item::Work(Work::Spawn(it), _) if it.instance == *instance),
        );
        self.queue.len() < before
    }

    /// The records of those that are about to be spawned.
    pub(super) fn spawning(&self) -> impl Iterator<Item = &Record> {
        self.queue.values().filter_map(|item| match item {
            Item::Work(Work::Spawn(record), _) => Some(record),
            _ => None,
        })
    }
}
