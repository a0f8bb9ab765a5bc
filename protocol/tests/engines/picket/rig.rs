//! A supervisor by hand, and a shell that obeys it at once.

use std::collections::BTreeMap;
use std::time::Duration;

use crux_crdt::blob::{BlobId, Descriptor, Root};
use crux_crdt::service::{self, Config, Fields, Port, PortName};
use crux_protocol::picket::{
    Command, Desired, Event, Found, Happened, Image, InstanceId, Kind, Outcome, Owned, Record,
    Request, RequestId, Requested, Row, RunState, State, Wait,
};
use crux_protocol::time::Instant;

pub(super) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(super) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) const fn blob(number: u8) -> BlobId {
    BlobId([number; 32])
}

pub(super) fn image(number: u8) -> Image {
    let descriptor = Descriptor { blob: blob(number), root: Root([number; 32]), size: 1 };
    Image { descriptor, path: format!("blobs/{number}") }
}

/// A config with the defaults, and what the test changes.
pub(super) fn config(
    name: &str,
    number: u8,
    with: impl FnOnce(&mut Fields<service::Image>),
) -> Config {
    let image = service::Image::Blob(blob(number));
    let mut fields = Fields::new(name.parse().unwrap(), image);
    with(&mut fields);
    fields.try_into().unwrap()
}

/// With one port that the shell chooses.
pub(super) fn with_port(fields: &mut Fields<service::Image>) {
    fields.ports.push("http".parse().unwrap(), Port::Auto).unwrap();
}

pub(super) fn add(config: &Config, number: u8) -> Request {
    Request::Add { config: Box::new(config.clone()), image: image(number) }
}

pub(super) fn update(config: &Config, number: u8) -> Request {
    Request::Update { config: Box::new(config.clone()), image: image(number) }
}

/// A supervisor with a clock.
pub(super) struct Rig {
    pub(super) state: State,
    pub(super) now: Instant,
    pub(super) disk: Desired,
    requests: u64,
    ports: u16,
    pids: u32,
    /// The commands that the rig obeyed by itself.
    pub(super) log: Vec<Command>,
    pub(super) answers: BTreeMap<RequestId, Outcome>,
    /// The reports of what the target placed, in the order in which they were made.
    pub(super) reports: Vec<Owned>,
    /// Whether the fulcrum, if one is attached, stores registrations and says so.
    pub(super) stores: bool,
}

impl Rig {
    /// One that has found nothing.
    pub(super) fn new() -> Self {
        let mut rig = Self::before_adoption(Desired::default());
        assert_eq!(rig.tell(Event::AdoptionOver), [Command::Pins([].into())]);
        rig
    }

    pub(super) fn before_adoption(disk: Desired) -> Self {
        let now = Instant::after_origin(secs(1000));
        let state = State::new(disk.clone(), [1; 32], now);
        let (log, answers, reports) = (Vec::new(), BTreeMap::new(), Vec::new());
        let (requests, ports, pids, stores) = (0, 27_200, 100, true);
        Self { state, now, disk, requests, ports, pids, log, answers, reports, stores }
    }

    /// One event, and what it makes.
    pub(super) fn tell(&mut self, event: Event) -> Vec<Command> {
        let mut out = Vec::new();
        self.state.handle(event, self.now, &mut out);
        assert!(self.state.deadline() > self.now, "a deadline that passed is a loop");
        self.reports.extend(out.iter().filter_map(|command| match command {
            Command::Owned(owned) => Some(owned.clone()),
            _ => None,
        }));
        out
    }

    /// Lets the time come to the next deadline, and says so.
    pub(super) fn wake(&mut self) -> Vec<Command> {
        assert_ne!(self.state.deadline(), Instant::NEVER, "nothing is due");
        self.now = self.state.deadline();
        self.tell(Event::Wake)
    }

    pub(super) fn request(&mut self, request: Request, wait: Wait) -> (RequestId, Vec<Command>) {
        self.requests += 1;
        let id = RequestId(self.requests);
        let timeout = secs(60);
        let requested = Requested { id, request, generation: None, wait, timeout };
        (id, self.tell(Event::Request(requested)))
    }

    /// A request that the shell carries out.
    pub(super) fn ask(&mut self, request: Request, wait: Wait) -> RequestId {
        let (id, commands) = self.request(request, wait);
        self.obey(commands);
        id
    }

    /// Carries out what needs no time; checks pass. Signals are only noted.
    pub(super) fn obey(&mut self, commands: Vec<Command>) {
        self.obey_with(commands, |_, _| Ok(()));
    }

    pub(super) fn obey_with(
        &mut self,
        commands: Vec<Command>,
        check: impl Fn(&InstanceId, usize) -> Result<(), String> + Copy,
    ) {
        for command in commands {
            self.log.push(command.clone());
            let event = match command {
                Command::Save(desired) => {
                    let generation = desired.generation;
                    self.disk = desired;
                    Event::Saved { generation }
                }
                Command::Answer { request, outcome } => {
                    assert!(self.answers.insert(request, outcome).is_none(), "answered twice");
                    continue;
                }
                Command::Seal(image) => Event::Sealed { blob: image.blob(), sealed: true },
                Command::ChoosePorts { instance, ports, .. } => {
                    let ports = ports.iter().map(|(name, port)| {
                        self.ports += 1;
                        (name.clone(), port.number().unwrap_or(self.ports))
                    });
                    let ports: BTreeMap<PortName, u16> = ports.collect();
                    Event::PortsChosen { instance, ports }
                }
                Command::Record(record) => Event::Recorded { instance: record.instance },
                Command::Spawn { record, .. } => {
                    self.pids += 1;
                    Event::Spawned { instance: record.instance, pid: self.pids }
                }
                Command::Kill { instance } => Event::Gone { instance, taken: Vec::new() },
                Command::Forget { instance } => Event::Forgotten { instance },
                Command::Check { instance, check: number, .. } => {
                    let result = check(&instance, number);
                    Event::Checked { instance, check: number, result }
                }
                Command::Publish { seq, .. } if self.stores => Event::Published { seq },
                _ => continue,
            };
            let more = self.tell(event);
            self.obey_with(more, check);
        }
    }

    /// Lets that much time pass; checks pass.
    pub(super) fn pass(&mut self, time: Duration) {
        self.pass_with(time, |_, _| Ok(()));
    }

    pub(super) fn pass_with(
        &mut self,
        time: Duration,
        check: impl Fn(&InstanceId, usize) -> Result<(), String> + Copy,
    ) {
        let end = self.now + time;
        while self.state.deadline() <= end {
            let commands = self.wake();
            self.obey_with(commands, check);
        }
        self.now = end;
    }

    /// Adds a service and lets it come up. Its instance.
    pub(super) fn up(&mut self, config: &Config, number: u8) -> InstanceId {
        let id = self.ask(add(config, number), Wait::Up);
        self.pass(secs(2));
        assert!(matches!(self.answers.get(&id), Some(Outcome::Done(_))), "{:?}", self.answers);
        self.log.clear();
        self.only(&config.name).instance.unwrap()
    }

    pub(super) fn rows(&self, name: &str) -> Vec<Row> {
        self.state.rows_of(&name.parse().unwrap())
    }

    pub(super) fn only(&self, name: &impl ToString) -> Row {
        let rows = self.rows(&name.to_string());
        assert_eq!(rows.len(), 1, "{rows:#?}");
        rows[0].clone()
    }

    pub(super) fn states(&self, name: &str) -> Vec<RunState> {
        self.rows(name).into_iter().map(|row| row.state).collect()
    }

    /// The instances that were spawned, in order, since the log was cleared.
    pub(super) fn spawned(&self) -> Vec<Record> {
        let spawned = self.log.iter().filter_map(|command| match command {
            Command::Spawn { record, .. } => Some(record.clone()),
            _ => None,
        });
        spawned.collect()
    }

    /// The kinds of events since the log was cleared.
    pub(super) fn kinds(&self) -> Vec<&'static str> {
        self.log.iter().filter_map(kind).collect()
    }

    /// Another picket on the same disk: nothing of the engine but what is durable is left.
    pub(super) fn reborn(&mut self, found: Vec<(Record, Found)>) -> Vec<Command> {
        self.state = State::new(self.disk.clone(), [2; 32], self.now);
        let mut out = Vec::new();
        for (record, found) in found {
            out.extend(self.tell(Event::Found { record, found }));
        }
        out.extend(self.tell(Event::AdoptionOver));
        out
    }
}

pub(super) fn kind(command: &Command) -> Option<&'static str> {
    match command {
        Command::Happened(happened) => Some(happened.kind.name()),
        _ => None,
    }
}

pub(super) fn happened(kind: Kind, name: &str, instance: &InstanceId, reason: &str) -> Command {
    Command::Happened(Happened {
        kind,
        service: Some(name.parse().unwrap()),
        instance: Some(instance.clone()),
        reason: reason.to_owned(),
    })
}
