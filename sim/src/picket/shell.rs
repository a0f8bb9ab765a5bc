//! How the shell obeys: each durable write, spawn, deletion and kill is several steps, and the picket may die
//! before and after each.

use core::time::Duration;
use std::collections::BTreeMap;

use crux_crdt::service::Port;
use crux_protocol::picket::{Command, Event, Exit, Happened, InstanceId, Kind, Record};
use rand::RngExt as _;

use super::crash::Point;
use super::program::{self, ACCEPTS_AFTER, CRASHES_AFTER, Content, SICK_AFTER};
use super::world::{Item, Keeper, Work, World};

/// How long a step of a durable write takes at most, in milliseconds.
const STEP: u64 = 8;
/// How often a record cannot be deleted.
const FORGET_FAILS: f64 = 0.03;
/// How often somebody else has bound a port of an instance that is gone.
const PORT_TAKEN: f64 = 0.1;

impl World {
    /// Whether the picket dies at a point.
    fn dies_at(&mut self, point: Point) -> bool {
        let Some(power) = self.plan.reach(point) else { return false };
        self.note(format_args!("** at {point}, power {power}"));
        self.kill_picket(power);
        true
    }

    pub(super) fn obey(&mut self, command: Command) {
        match command {
            Command::Save(desired) => {
                let law = self.check_save(&desired);
                self.hold(law);
                self.soon(STEP, Item::Work(Work::Save(desired), 0));
            }
            Command::Answer { request, outcome } => self.check_answer(request, &outcome),
            Command::Pins(blobs) => {
                self.sealed.retain(|blob| blobs.contains(blob));
                self.pinned = blobs;
            }
            Command::Seal(image) => {
                let blob = image.blob();
                if !self.pinned.contains(&blob) {
                    self.broken(format!(
                        "{} is sealed, and the store may let go of it",
                        image.path
                    ));
                }
                let event = if program::of(blob) == Content::NotSealable {
                    Event::SealFailed { blob, reason: "not a program".to_owned() }
                } else {
                    self.sealed.insert(blob);
                    Event::Sealed { blob, sealed: true }
                };
                self.soon(50, Item::Tell(event));
            }
            Command::ChoosePorts { instance, ports, avoid } => {
                let mut free = (27_200..28_000).filter(|port| !avoid.contains(port));
                let mut number = |port: Port| port.number().or_else(|| free.next());
                let ports =
                    ports.iter().filter_map(|(name, port)| Some((name.clone(), number(port)?)));
                let ports: BTreeMap<_, _> = ports.collect();
                self.soon(5, Item::Tell(Event::PortsChosen { instance, ports }));
            }
            Command::Record(record) => {
                if !self.names.insert(record.instance.clone()) {
                    self.broken(format!("the name {} is used twice", record.instance));
                }
                self.soon(STEP, Item::Work(Work::Record(record), 0));
            }
            Command::Spawn { record, version } => {
                let law = self.check_spawn(&record, &version);
                self.hold(law);
                self.soon(STEP, Item::Work(Work::Spawn(record), 0));
            }
            Command::Note { instance, up } => {
                let keeper = self.keepers.get_mut(&instance);
                keeper.into_iter().for_each(|keeper| keeper.noted_up = up);
            }
            Command::Terminate { instance, tree } => self.terminate(instance, tree),
            Command::Kill { instance } => {
                let law = self.check_signal(&instance);
                self.hold(law);
                self.soon(STEP, Item::Work(Work::Kill(instance), 0));
            }
            Command::Forget { instance } => {
                if self.keepers.contains_key(&instance) {
                    self.broken(format!("{instance} is forgotten and still runs"));
                }
                self.soon(STEP, Item::Work(Work::Forget(instance), 0));
            }
            Command::Check { instance, check, .. } => {
                let law = self.check_period(&instance, check);
                self.hold(law);
                let result = self.check(&instance);
                self.soon(20, Item::Tell(Event::Checked { instance, check, result }));
            }
            Command::Publish { seq, registrations } => {
                let all = registrations.into_values().map(|it| it.instance).collect();
                let law = self.check_publish(&all);
                self.hold(law);
                let most = if self.is_slow { 6_000 } else { 50 };
                self.soon(most, Item::Publish(seq, all));
            }
            Command::Conditions(_) => {}
            Command::Owned(owned) => self.seen.report = Some(owned),
            Command::Happened(Happened { kind, service, .. }) => {
                // The previous content is started at once: a person made the update.
                if let (Kind::RolledBack, Some(service)) = (kind, service) {
                    self.starts.retain(|(name, _), _| *name != service);
                }
            }
            Command::AllStopped => {
                let law = self.check_all_stopped();
                self.hold(law);
                self.stopped = Some(self.now);
            }
        }
    }

    fn terminate(&mut self, instance: InstanceId, tree: bool) {
        let law = self.check_signal(&instance);
        self.hold(law);
        let Some(keeper) = self.keepers.get(&instance) else { return };
        let hears = match program::of(keeper.record.blob) {
            Content::Stubborn => tree,
            Content::Deaf => false,
            _ => true,
        };
        if hears && !keeper.paused {
            self.soon(100, Item::End(instance, Exit::Signal(15)));
        }
    }

    /// A step of what the shell does.
    pub(super) fn work(&mut self, work: Work, step: u8) {
        match work {
            Work::Save(desired) => self.save(desired, step),
            Work::Record(record) => self.record(record, step),
            Work::Spawn(record) => self.spawn(record),
            Work::Forget(instance) => self.forget(instance, step),
            Work::Kill(instance) => self.kill(instance),
        }
    }

    fn save(&mut self, desired: crux_protocol::picket::Desired, step: u8) {
        let generation = desired.generation;
        let later = |desired| Item::Work(Work::Save(desired), step + 1);
        match step {
            0 if self.dies_at(Point::DesiredWriteBefore) => {}
            0 if self.disk.full => {
                self.is_ahead = true;
                let reason = "no space left".to_owned();
                self.tell(Event::SaveFailed { generation, reason });
            }
            0 => self.soon(STEP, later(desired)),
            1 if self.dies_at(Point::DesiredRenameBefore) => {}
            1 => {
                if generation <= self.disk.desired().generation {
                    self.broken(format!("generation {generation} is not new"));
                }
                self.disk.rename_desired(desired.clone());
                if !self.dies_at(Point::DesiredRenameAfter) {
                    self.soon(STEP, later(desired));
                }
            }
            _ => {
                self.disk.flush_desired();
                self.is_ahead = false;
                if !self.dies_at(Point::DesiredWriteAfter) {
                    self.tell(Event::Saved { generation });
                }
            }
        }
    }

    fn record(&mut self, record: Record, step: u8) {
        let instance = record.instance.clone();
        let later = |record| Item::Work(Work::Record(record), step + 1);
        match step {
            0 if self.dies_at(Point::RecordWriteBefore) => {}
            0 if self.disk.full => {
                let reason = "no space left".to_owned();
                self.tell(Event::RecordFailed { instance, reason });
            }
            0 => self.soon(STEP, later(record)),
            1 if self.dies_at(Point::RecordRenameBefore) => {}
            1 => {
                self.disk.rename_record(record.clone(), self.boot);
                if !self.dies_at(Point::RecordRenameAfter) {
                    self.soon(STEP, later(record));
                }
            }
            _ => {
                self.disk.flush_record(&instance);
                if !self.dies_at(Point::RecordWriteAfter) {
                    self.tell(Event::Recorded { instance });
                }
            }
        }
    }

    fn spawn(&mut self, record: Record) {
        if self.dies_at(Point::SpawnBefore) {
            return;
        }
        let instance = record.instance.clone();
        let content = program::of(record.blob);
        if content == Content::NotExecutable {
            let reason = "exec format error".to_owned();
            return self.tell(Event::SpawnFailed { instance, reason });
        }
        let (since, exit, noted_up, paused) = (self.now, None, false, false);
        self.keepers.insert(instance.clone(), Keeper { record, since, exit, noted_up, paused });
        let ends = match content {
            Content::Crashes => Some((CRASHES_AFTER, Exit::Code(1))),
            Content::Hasty => Some((Duration::from_millis(50), Exit::Code(1))),
            Content::Job => Some((Duration::from_secs(3), Exit::Code(0))),
            _ => None,
        };
        if let Some((after, exit)) = ends {
            self.at(self.now + after, Item::End(instance.clone(), exit));
        }
        if !self.dies_at(Point::SpawnAfter) {
            self.soon(20, Item::Tell(Event::Spawned { instance, pid: 1 }));
        }
    }

    fn forget(&mut self, instance: InstanceId, step: u8) {
        match step {
            0 if self.dies_at(Point::ForgetBefore) => {}
            0 => {
                if self.rng.random_bool(FORGET_FAILS) {
                    let reason = "read-only file system".to_owned();
                    return self.tell(Event::ForgetFailed { instance, reason });
                }
                self.disk.delete_record(&instance);
                if !self.dies_at(Point::ForgetAfter) {
                    self.soon(STEP, Item::Work(Work::Forget(instance), 1));
                }
            }
            _ => {
                self.disk.flush_deleted(&instance);
                self.tell(Event::Forgotten { instance });
            }
        }
    }

    fn kill(&mut self, instance: InstanceId) {
        if self.dies_at(Point::KillBefore) {
            return;
        }
        let was_spawning = self.drop_spawn(&instance);
        let keeper = self.keepers.remove(&instance);
        if self.dies_at(Point::KillAfter) || !(keeper.is_some() || was_spawning) {
            return;
        }
        let ports = keeper.into_iter().flat_map(|keeper| keeper.record.ports.into_keys());
        let is_taken = self.rng.random_bool(PORT_TAKEN);
        let taken = ports.filter(|_| is_taken).collect();
        self.tell(Event::Gone { instance, taken });
    }

    fn check(&self, instance: &InstanceId) -> Result<(), String> {
        let is_well = |keeper: &&Keeper| {
            let age = self.now.since(keeper.since);
            let content = program::of(keeper.record.blob);
            keeper.exit.is_none()
                && !keeper.paused
                && content != Content::NeverUp
                && !(content == Content::Sickens && age >= SICK_AFTER)
                && !self.sick.contains(&keeper.record.service)
                && age >= ACCEPTS_AFTER
        };
        let keeper = self.keepers.get(instance).filter(is_well);
        keeper.map(|_| ()).ok_or_else(|| "refused".to_owned())
    }
}
