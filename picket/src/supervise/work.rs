//! Commands of the engine that take time: begun here, told to the engine when they are done.
//!
//! A thread of the runtime's pool does whatever waits for the disk, hashes an image or starts a process, because the
//! picket's own thread drains the output of all programs.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crux_client::Kind;
use crux_crdt::blob::BlobId;
use crux_crdt::name::ServiceName;
use crux_crdt::record::ServiceKey;
use crux_crdt::service::Probe;
use crux_protocol::picket::{
    Command, Desired, Event, Image, InstanceId, Record, Registered, Version,
};
use tokio::sync::watch;
use tracing::{debug, warn};

use super::begin::Begin;
use super::detail::Detail;
use super::exec::Exec;
use super::instance::Instance;
use super::node::Node;
use super::ports::probe;
use super::post::{self, Entry};
use super::shell::Shell;
use crate::check::Target;
use crate::clock;
use crate::crash::Write;
use crate::durable::{self, Sync};
use crate::handle::{self, Keeper, Output};
use crate::image::ImageError;
use crate::logs::{self, Input};
use crate::record::{self, Record as Kept};
use crate::tree::Process;

/// When a check is tried again that the node could not make, for want of memory or descriptors.
const CHECK_AGAIN: Duration = Duration::from_secs(2);
/// The note in an instance's directory that says that it is up.
const UP: &str = "up";

/// A command that was carried out, with its result.
#[derive(Debug)]
pub(super) enum Done {
    Saved(u64, Result<(), (Kind, String)>),
    /// Whether it was asked for in vain before, and whether it is sealed.
    Sealed(Image, bool, Result<bool, ImageError>),
    Recorded(InstanceId, Result<Kept, String>),
    Spawned(InstanceId, Result<Keeper, Unstarted>),
    /// Its keeper, which could not be waited for, is ended: of one that was started, and of one that was taken over.
    Unattached(InstanceId, String),
    Lost(InstanceId),
    /// Its program is noted in its record, or is not.
    Noted(InstanceId),
    /// The processes that keepers left behind are killed; how many they were.
    Swept(Vec<InstanceId>, u32),
    Forgotten(InstanceId, io::Result<()>),
    /// With the text for people in either case.
    Checked(InstanceId, usize, Result<String, String>),
    Drained(InstanceId),
    Ledger(BTreeSet<ServiceKey>, io::Result<()>),
    Node(io::Result<()>),
    Found(io::Result<super::adopt::All>),
    /// Nothing of earlier instances runs that was not taken over.
    Free,
    /// Nothing that anybody waits for.
    Nothing,
}

/// Why nothing was started.
#[derive(Debug)]
pub(super) enum Unstarted {
    /// The image that was ready is not any more: of one that is executed where the store has it.
    Image(BlobId, String),
    /// Anything else.
    Other(String),
}

impl From<String> for Unstarted {
    fn from(reason: String) -> Self {
        Self::Other(reason)
    }
}

impl Shell {
    /// Begins with a command.
    pub(super) fn execute(&mut self, command: Command) {
        match command {
            Command::Save(desired) => self.save(desired),
            Command::Answer { request, outcome } => self.answer(request, outcome),
            Command::Pins(pins) => {
                self.pins = pins;
                self.pin();
            }
            Command::Seal(image) => self.seal_now(image, false),
            Command::ChoosePorts { instance, ports, avoid } => {
                let addr = self.node.addr();
                let chosen = self.chooser.choose(&ports, &avoid, |port| probe(addr, port));
                self.tell(match chosen {
                    Ok(ports) => Event::PortsChosen { instance, ports },
                    Err(reason) => Event::PortsFailed { instance, reason },
                });
            }
            Command::Record(record) => self.record(record),
            Command::Spawn { record, version } => self.spawn(record, &version),
            Command::Note { instance, up } => self.note(&instance, up),
            Command::Terminate { instance, tree } => {
                if let Some(instance) = self.instances.get(&instance) {
                    instance.terminate(tree);
                }
            }
            Command::Kill { instance } => match self.instances.get_mut(&instance) {
                Some(instance) => instance.kill(),
                None => self.tell(Event::Gone { instance, taken: Vec::new() }),
            },
            Command::Forget { instance } => self.forget(instance),
            Command::Check { instance, check, probe, port, timeout } => {
                self.check(instance, check, &probe, port, timeout);
            }
            Command::Publish { seq, registrations } => self.publish(seq, registrations),
            Command::Conditions(unwell) => self.unwell = unwell,
            Command::Owned(owned) => self.post.report(owned),
            Command::Happened(happened) => self.happened(&happened),
            // The caller's.
            Command::AllStopped => {}
        }
    }

    /// Takes in what was done.
    pub(super) fn on_done(&mut self, done: Done) {
        match done {
            Done::Saved(generation, Ok(())) => {
                self.tell(Event::Saved { generation });
                self.has_saved = true;
            }
            Done::Saved(generation, Err((kind, reason))) => {
                self.disk = kind;
                self.tell(Event::SaveFailed { generation, reason });
            }
            Done::Sealed(image, again, result) => self.on_sealed(image, again, result),
            Done::Recorded(instance, Ok(kept)) => {
                self.kept.insert(instance.clone(), kept);
                self.tell(Event::Recorded { instance });
            }
            Done::Recorded(instance, Err(reason)) => {
                self.tell(Event::RecordFailed { instance, reason });
            }
            Done::Spawned(instance, started) => self.on_spawned(&instance, started),
            Done::Forgotten(instance, Ok(())) => self.tell(Event::Forgotten { instance }),
            Done::Forgotten(instance, Err(err)) => {
                self.tell(Event::ForgetFailed { instance, reason: err.to_string() });
            }
            Done::Checked(instance, check, result) => self.on_checked(instance, check, result),
            Done::Drained(instance) => {
                self.drains.remove(&instance);
                self.prune_logs(false);
            }
            Done::Ledger(ledger, result) => self.post.written(ledger, result, clock::now().at),
            Done::Node(result) => {
                if let Err(error) = result {
                    warn!(%error, "what the node is cannot be kept; services that start before the fulcrum miss it");
                }
            }
            Done::Found(found) => self.on_found(found),
            Done::Free => self.on_free(),
            Done::Unattached(instance, reason) => self.not_spawned(&instance, reason),
            Done::Lost(instance) => self.tell(Event::Gone { instance, taken: Vec::new() }),
            Done::Swept(instances, killed) => self.on_swept(&instances, killed),
            Done::Noted(instance) => {
                self.noting.remove(&instance);
                if self.forget_later.remove(&instance) {
                    self.forget(instance);
                }
            }
            Done::Nothing => {}
        }
    }

    fn save(&mut self, desired: Desired) {
        let (store, generation) = (Arc::clone(&self.store), desired.generation);
        self.tasks.spawn_blocking(move || {
            let written = match &mut *lock(&store) {
                Some(store) => store.write(&desired).map_err(|err| (err.kind(), err.to_string())),
                None => Err((Kind::Io, "the node's service config is damaged".to_owned())),
            };
            Done::Saved(generation, written)
        });
    }

    /// Gives each log the bound that its service has now: that is a setting, and no reason for another instance.
    pub(super) fn bound_logs(&self) {
        for (name, wanted) in self.engine.all_wanted() {
            if let Some(log) = self.logs.get(name) {
                log.set_max(wanted.current.config.log_max);
            }
        }
    }

    /// Closes the logs of removed services once all that they wrote is in them, and removes those that are not kept any
    /// longer. `is_first`: also if none of them was open.
    pub(super) fn prune_logs(&mut self, is_first: bool) {
        let wanted = self.engine.all_wanted().map(|(name, _)| name);
        let running = self.instances.values().map(|instance| &instance.record.service);
        let services: BTreeSet<ServiceName> = wanted.chain(running).cloned().collect();
        if !self.logs.end_others(&services) && !is_first {
            return;
        }
        let logs = Arc::clone(&self.logs);
        self.tasks.spawn_blocking(move || {
            if let Err(error) = logs.prune(&services) {
                warn!(%error, "the logs of removed services cannot be removed");
            }
            Done::Nothing
        });
    }

    fn record(&mut self, record: Record) {
        let dir = self.places.instance(&record.instance);
        let id = record.instance.clone();
        self.tasks.spawn_blocking(move || {
            let detail = Detail::from(&record).to_value();
            let kept = detail.map_err(|err| err.to_string()).and_then(|detail| {
                handle::record(&dir, record.instance.as_str(), detail)
                    .map_err(|err| err.to_string())
            });
            if kept.is_err() {
                // No trace of it is left, as the engine counts on.
                record::remove(&dir).ok();
            }
            Done::Recorded(id, kept)
        });
    }

    /// Notes in the record of an instance which process its program is.
    pub(super) fn note_program(&mut self, id: &InstanceId, program: Process) {
        self.noting.insert(id.clone());
        let (dir, id) = (self.places.instance(id), id.clone());
        self.tasks.spawn_blocking(move || {
            if let Err(error) = record::note_program(&dir, program) {
                // Worth something only if the keeper is killed, and not all of it has the instance's environment.
                debug!(instance = %id, %error, "which process the program is cannot be noted");
            }
            Done::Noted(id)
        });
    }

    fn forget(&mut self, instance: InstanceId) {
        if self.noting.contains(&instance) {
            // It would be written again.
            self.forget_later.insert(instance);
            return;
        }
        self.kept.remove(&instance);
        let dir = self.places.instance(&instance);
        self.tasks.spawn_blocking(move || Done::Forgotten(instance, record::remove(&dir)));
    }

    /// Ends an instance whose keeper this process cannot wait for.
    pub(super) fn end_unattached(&mut self, id: InstanceId, keeper: Keeper, reason: String) {
        self.tasks.spawn_blocking(move || {
            keeper.kill();
            super::adopt::until_gone(keeper);
            Done::Unattached(id, reason)
        });
    }

    fn spawn(&mut self, record: Record, version: &Arc<Version>) {
        let id = record.instance.clone();
        let Some(kept) = self.kept.remove(&id) else {
            let reason = "it was not recorded: an error in this node".to_owned();
            return self.tell(Event::SpawnFailed { instance: id, reason });
        };
        let version = Arc::clone(version);
        self.instances
            .insert(id.clone(), Instance::new(record.clone(), Some(Arc::clone(&version))));
        let (begin, images) = (self.begin(), Arc::clone(&self.images));
        let image = self.where_it_is(&version.image);
        self.tasks.spawn_blocking(move || {
            Done::Spawned(id, begin.start(&record, &version, kept, (&image, &images)))
        });
    }

    /// Keeps the note whether an instance is up. It is worth something only in this boot.
    fn note(&self, id: &InstanceId, up: bool) {
        let path = self.places.instance(id).join(UP);
        let done = if up { std::fs::write(&path, b"") } else { std::fs::remove_file(&path) };
        if let Err(error) = done {
            debug!(instance = %id, %error, "the next picket checks it before it counts as up");
        }
    }

    /// Reads what an instance writes, until its end.
    pub(super) fn drain(&mut self, id: &InstanceId, output: Output) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        let service = instance.record.service.clone();
        let max = self.engine.wanted_of(&service).map(|wanted| wanted.current.config.log_max);
        let log = match self.logs.service(&service, max.unwrap_or(logs::LOG_MAX)) {
            Ok(log) => log,
            Err(error) => {
                warn!(%service, %error, "the log cannot be opened; what the service writes is lost");
                self.tasks.spawn(super::sink::drop_all(output));
                return;
            }
        };
        let (stop, stopped) = watch::channel(());
        instance.stop_output = Some(stop);
        let (ended, ends) = watch::channel(());
        self.drains.insert(id.clone(), ends);
        let (input, logs) = (Input::new(log, id.as_str()), Arc::clone(&self.logs));
        let id = id.clone();
        self.tasks.spawn(async move {
            let Output { stdout, stderr } = output;
            let drained =
                logs::drain(input, stdout, stderr, closed(stopped), || logs.kick(&service));
            if let Err(error) = drained.await {
                warn!(%service, %error, "the output of a service cannot be read");
            }
            drop(ended);
            Done::Drained(id)
        });
    }

    fn check(
        &mut self,
        instance: InstanceId,
        check: usize,
        probe: &Probe,
        port: Option<u16>,
        timeout: Duration,
    ) {
        let known = self.instances.get(&instance);
        let known = known.and_then(|it| Some((it.record.clone(), it.version.clone()?)));
        let at = self.node.checked_at();
        let target = Target::new(probe, |_| port.map(|port| SocketAddr::new(at, port)));
        let (Some((record, version)), Some(target)) = (known, target) else {
            let result = Err("it does not run, or has no such port".to_owned());
            return self.tell(Event::Checked { instance, check, result });
        };
        let here = self.instances.get(&instance).map(|it| Arc::downgrade(&it.here));
        let (service, checks) = (record.service.clone(), Arc::clone(&self.checks));
        let exec = Exec { begin: Arc::new(self.begin()), record, version };
        self.tasks.spawn(async move {
            let mut is_said = false;
            loop {
                let outcome = checks.run(&service, &target, timeout, &exec).await;
                // A check that the node could not try says nothing about the program.
                let is_there = here.as_ref().is_some_and(|here| here.strong_count() > 0);
                if outcome.was_made || !is_there {
                    let result = if outcome.passed { Ok(outcome.text) } else { Err(outcome.text) };
                    return Done::Checked(instance, check, result);
                }
                if !std::mem::replace(&mut is_said, true) {
                    warn!(%instance, why = outcome.text, "a check cannot be made; it is tried again");
                }
                tokio::time::sleep(CHECK_AGAIN).await;
            }
        });
    }

    fn on_checked(&mut self, id: InstanceId, check: usize, result: Result<String, String>) {
        if result.is_err() {
            self.look_at(&id);
        }
        let result = result.map(|text| {
            // The engine decides nothing by it.
            self.instances.get_mut(&id).map(|instance| instance.passes.insert(check, text));
        });
        self.tell(Event::Checked { instance: id, check, result });
    }

    /// The surroundings that programs are given, as of now.
    fn begin(&self) -> Begin {
        let (places, addr) = (self.places.clone(), self.node.addr());
        Begin { places, addr, node: self.node.ready().cloned() }
    }

    fn publish(&mut self, seq: u64, registrations: BTreeMap<ServiceKey, Registered>) {
        let entry = |(key, it): (ServiceKey, Registered)| {
            let endpoint = self.node.endpoint(it.port)?;
            Some((key, Entry { endpoint, labels: it.labels }))
        };
        let wanted = registrations.into_iter().filter_map(entry).collect();
        self.post.publish(seq, wanted);
    }

    pub(super) fn write_ledger(&mut self, ledger: BTreeSet<ServiceKey>) {
        let path = self.places.registered();
        self.tasks.spawn_blocking(move || {
            let written = post::write(&ledger).map_err(io::Error::from);
            let written = written
                .and_then(|bytes| durable::write(Write::Registered, &path, &bytes, Sync::Disk));
            Done::Ledger(ledger, written)
        });
    }

    pub(super) fn keep_node(&mut self) {
        let (path, ready) = (self.places.node(), self.node.ready().cloned());
        if let Some(ready) = ready {
            self.tasks.spawn_blocking(move || Done::Node(Node::write(&path, &ready)));
        }
    }
}

/// Resolves when the other end is dropped.
async fn closed(mut watch: watch::Receiver<()>) {
    while watch.changed().await.is_ok() {}
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the instance of a directory was noted as up.
pub(super) fn was_up(dir: &Path) -> bool {
    dir.join(UP).exists()
}
