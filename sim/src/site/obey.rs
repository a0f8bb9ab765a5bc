//! The shells of the three engines.

use core::time::Duration;
use crux_crdt::blob::{BlobId, Descriptor, Root};
use crux_crdt::service::Port;
use crux_protocol::flock::Control;
use crux_protocol::leader::Claim;
use crux_protocol::picket::{
    self, Event, Exit, Image, InstanceId, Outcome, Record, Request, RequestId, Requested, Wait,
};
use crux_protocol::proctor::planner::Newest;
use crux_protocol::proctor::{Goals, enactor, planner};
use rand::RngExt as _;
use std::collections::BTreeMap;

use super::content::{ACCEPTS_AFTER, CRASHES_AFTER};
use super::machine::Keeper;
use super::{Content, Errand};
use crate::host::Process;
use crate::world::World;

/// How long a durable write takes at most, in milliseconds.
const WRITE: u64 = 12;
/// How long a fetch takes at most, in milliseconds.
const FETCH: u64 = 300;
/// How often something is not fetched.
const FETCH_FAILS: f64 = 0.05;
/// How long the supervisor may take to decide on a set.
const PATIENCE: Duration = Duration::from_secs(60);
/// The first port that is given away.
const PORTS: u16 = 27_200;

impl World {
    fn process(&self, host: usize) -> Process {
        Process { host, boot: self.hosts[host].boot }
    }

    pub(super) fn obey_picket(&mut self, host: usize, command: picket::Command) {
        use picket::Command as C;
        let at = self.process(host);
        match command {
            C::Save(desired) => self.soon(at, WRITE, Errand::Save(Box::new(desired))),
            C::Answer { request, outcome } => self.answered_goals(at, request, &outcome),
            C::Seal(image) => {
                let event = Event::Sealed { blob: image.blob(), sealed: true };
                self.soon(at, 20, Errand::Tell(event));
            }
            C::ChoosePorts { instance, ports, .. } => {
                let Some(machine) = self.machine(host) else { return };
                let mut number = |port: Port| {
                    machine.ports = (machine.ports + 1) % 4_000;
                    port.number().unwrap_or(PORTS + machine.ports)
                };
                let ports = ports.iter().map(|(name, port)| (name.clone(), number(port)));
                let ports: BTreeMap<_, _> = ports.collect();
                self.soon(at, 2, Errand::Tell(Event::PortsChosen { instance, ports }));
            }
            C::Record(record) => self.soon(at, WRITE, Errand::Record(Box::new(record))),
            C::Spawn { record, .. } => {
                let law = self.sites.acted.spawns(host, &record, &self.sites.signed);
                self.hold(law);
                if let Some(machine) = self.machine(host) {
                    machine.spawning.insert(record.instance.clone());
                }
                self.soon(at, WRITE, Errand::Spawn(Box::new(record)));
            }
            C::Note { instance, up } => {
                let machine = self.machine(host);
                let keeper = machine.and_then(|machine| machine.keepers.get_mut(&instance));
                keeper.into_iter().for_each(|keeper| keeper.noted_up = up);
            }
            C::Terminate { instance, .. } => {
                self.soon(at, 100, Errand::End(instance, Exit::Signal(15)));
            }
            C::Kill { instance } => self.soon(at, WRITE, Errand::Kill(instance)),
            C::Forget { instance } => self.soon(at, WRITE, Errand::Forget(instance)),
            C::Check { instance, check, .. } => {
                let result = self.check_program(host, &instance);
                self.soon(at, 5, Errand::Tell(Event::Checked { instance, check, result }));
            }
            C::Publish { seq, .. } => {
                self.soon(at, 20, Errand::Tell(Event::Published { seq }));
            }
            C::Owned(owned) => {
                if let Some(machine) = self.hosts[host].machine.as_deref() {
                    let law = self.sites.acted.reports(host, &owned, machine);
                    self.hold(law);
                }
                let event = Box::new(enactor::Event::Owned(owned));
                self.later(at, Duration::ZERO, Errand::Enact(event));
            }
            C::Pins(_) | C::Conditions(_) | C::Happened(_) | C::AllStopped => {}
        }
    }

    fn answered_goals(&mut self, at: Process, request: RequestId, outcome: &Outcome) {
        let Some(machine) = self.machine(at.host) else { return };
        if machine.handing.take_if(|handing| *handing == request).is_some() {
            let is_done = matches!(outcome, Outcome::Done(_));
            let event = Box::new(enactor::Event::Answered(is_done));
            self.later(at, Duration::ZERO, Errand::Enact(event));
        }
    }

    fn check_program(&mut self, host: usize, instance: &InstanceId) -> Result<(), String> {
        let now = self.hosts[host].time(self.now);
        let is_well = |keeper: &&mut Keeper| {
            let is_good = Content::of(keeper.record.blob) != Content::NeverUp;
            keeper.exit.is_none() && is_good && now.since(keeper.since) >= ACCEPTS_AFTER
        };
        let machine = self.machine(host);
        let keeper = machine.and_then(|machine| machine.keepers.get_mut(instance));
        keeper.filter(is_well).map(|_| ()).ok_or_else(|| "refused".to_owned())
    }

    /// A step of what a supervisor's shell does is over.
    pub(super) fn finish(&mut self, at: Process, errand: Errand) {
        let host = at.host;
        let is_full = self.hosts[host].disk.full;
        let reason = || "no space left".to_owned();
        let Some(machine) = self.machine(host) else { return };
        let event = match errand {
            Errand::Tell(event) => event,
            Errand::Save(desired) if is_full => {
                Event::SaveFailed { generation: desired.generation, reason: reason() }
            }
            Errand::Save(desired) => {
                let generation = desired.generation;
                machine.desired = *desired;
                Event::Saved { generation }
            }
            Errand::Record(record) if is_full => {
                Event::RecordFailed { instance: record.instance, reason: reason() }
            }
            Errand::Record(record) => {
                let instance = record.instance.clone();
                machine.records.insert(instance.clone(), *record);
                Event::Recorded { instance }
            }
            Errand::Spawn(record) if machine.spawning.remove(&record.instance) => {
                self.spawn(at, *record)
            }
            Errand::Kill(instance) => {
                machine.spawning.remove(&instance);
                machine.keepers.remove(&instance);
                self.sites.changed_at = self.now;
                Event::Gone { instance, taken: Vec::new() }
            }
            Errand::Forget(instance) => {
                machine.records.remove(&instance);
                Event::Forgotten { instance }
            }
            _ => return,
        };
        self.tell_picket(host, event);
    }

    fn spawn(&mut self, at: Process, record: Record) -> Event {
        let instance = record.instance.clone();
        let since = self.hosts[at.host].time(self.now);
        if Content::of(record.blob) == Content::Crashes {
            self.later(at, CRASHES_AFTER, Errand::End(instance.clone(), Exit::Code(1)));
        }
        self.sites.changed_at = self.now;
        let machine = self.machine(at.host).expect("it does something");
        let keeper = Keeper { record, since, exit: None, noted_up: false };
        machine.keepers.insert(instance.clone(), keeper);
        Event::Spawned { instance, pid: 1 }
    }

    /// A program ends.
    pub(super) fn end_program(&mut self, host: usize, instance: &InstanceId, exit: Exit) {
        let Some(machine) = self.machine(host) else { return };
        let Some(keeper) = machine.keepers.get_mut(instance).filter(|it| it.exit.is_none()) else {
            return;
        };
        keeper.exit = Some(exit);
        self.tell_picket(host, Event::Exited { instance: instance.clone(), exit });
    }

    pub(super) fn obey_enactor(&mut self, at: Process, command: enactor::Command) {
        use enactor::Command as C;
        match command {
            C::Fetch(blob) => {
                let event = if self.sites.rng.random_bool(FETCH_FAILS) {
                    enactor::Event::FetchFailed(blob)
                } else {
                    enactor::Event::Fetched(image(blob))
                };
                self.soon(at, FETCH, Errand::Enact(Box::new(event)));
            }
            C::Read(blob) => {
                let event = enactor::Event::Read { blob, content: self.fetch(&blob) };
                self.soon(at, FETCH, Errand::Enact(Box::new(event)));
            }
            C::Hand(goals) => self.hand(at, goals),
            C::Say(set) => self.say_instances(at, set),
            C::Unfit(error) => self.broken(format!("n{}: {error}", at.host)),
            C::Full(error) => self.broken(format!("n{}: {error}", at.host)),
        }
    }

    /// The bytes of an earlier generation, if they are fetched.
    fn fetch(&mut self, blob: &BlobId) -> Option<Vec<u8>> {
        let fails = self.sites.rng.random_bool(FETCH_FAILS);
        self.sites.signed.content(blob).filter(|_| !fails).cloned()
    }

    fn hand(&mut self, at: Process, goals: Goals) {
        let law = self.sites.acted.hands(at.host, goals.order());
        self.hold(law);
        self.trace.line(self.now, format_args!("n{} hands in {}", at.host, text(&goals)));
        let Some(machine) = self.machine(at.host) else { return };
        machine.requests += 1;
        let id = RequestId(machine.requests);
        machine.handing = Some(id);
        let request = Request::Goals(Box::new(goals));
        let (generation, wait, timeout) = (None, Wait::Nothing, PATIENCE);
        let requested = Requested { id, request, generation, wait, timeout };
        self.later(at, Duration::ZERO, Errand::Tell(Event::Request(requested)));
    }

    pub(super) fn obey_planner(
        &mut self,
        at: Process,
        command: planner::Command,
        before: Option<&Newest>,
    ) {
        use planner::Command as C;
        match command {
            C::Plan(slots) => self.say_plan(at, slots, before),
            C::Read(blob) => {
                let event = planner::Event::Read { blob, content: self.fetch(&blob) };
                self.soon(at, FETCH, Errand::Plan(Box::new(event)));
            }
            C::Outbid(pass) => {
                let held = Claim { n: pass.term, principal: pass.leader };
                self.request(at, Control::Outbid(held));
            }
            C::Tell(planner::Tell::Stuck(why)) => {
                self.broken(format!("n{} plans nothing: {why}", at.host));
            }
            C::Tell(_) => {}
        }
    }
}

fn image(blob: BlobId) -> Image {
    let descriptor = Descriptor { blob, root: Root(blob.0), size: 1 };
    Image { descriptor, path: format!("blobs/{blob}") }
}

/// A set in a line, for the history.
fn text(goals: &Goals) -> String {
    use crux_protocol::proctor::Goal;
    let goal = |goal: &Goal| match goal {
        Goal::Run(it) => format!("run {}×{}", it.config().rev, it.batches().count()),
        Goal::Had { batches, .. } => format!("had ×{}", batches.count()),
        Goal::Keep => "keep".to_owned(),
    };
    let all = goals.services().iter().map(|(name, it)| format!("{name} {}", goal(it)));
    let all: Vec<_> = all.collect();
    let order = goals.order();
    format!(
        "{}/{}.{}: {}",
        order.target.generation,
        order.pass.term,
        order.pass.pass,
        all.join(", ")
    )
}
