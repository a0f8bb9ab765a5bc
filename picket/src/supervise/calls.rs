//! The API's requests to the shell.
//!
//! Requests for a change go to the engine, once their image is known: from what the service runs already, or from the
//! fulcrum, which fetches it. Everything else is answered from what the engine shows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crux_client::model::{Change, Inspected, Instance, Picket, Settled};
use crux_client::op::{Goal, ListInstances, New, Shown, Until};
use crux_client::order::by_instance;
use crux_client::{Error, Kind};
use crux_crdt::blob::BlobId;
use crux_crdt::name::ServiceName;
use crux_crdt::service::{self, Config, Machine};
use crux_protocol::picket::{
    Event, Image, InstanceId, Request, RequestId, Requested, Row, RunState, Wait,
};
use crux_protocol::time::Instant;
use tokio::sync::{mpsc, oneshot};

use super::answer::{Pending, unknown};
use super::shell::{Shell, moment};
use super::show;
use super::trees::{Used, used};
use super::work::Done;
use crate::link::Failure;
use crate::logs::{Query, Reader, ServiceLog};
use crate::{clock, user};

/// How many calls wait for the shell. It takes them within a moment.
const CALLS_MAX: usize = 64;
/// How many requests for changes wait for their answers at a time. A guess, below what the engine takes.
const WAITING_MAX: usize = 256;

/// Where an answer goes.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// A call of the API.
#[derive(Debug)]
pub(crate) enum Call {
    Change(Box<Ask>, Until, Reply<Settled>),
    Picket(Reply<Picket>),
    List(ListInstances, Reply<Vec<Instance>>),
    Inspect(ServiceName, Reply<Inspected>),
    Show(ServiceName, Reply<Shown>),
    Logs(ServiceName, Box<Query>, bool, Reply<Reader>),
}

/// A change that a caller asks for.
#[derive(Debug)]
pub(crate) enum Ask {
    Add(Box<Config>),
    Update(ServiceName, New),
    RollBack(ServiceName),
    Start(ServiceName),
    Stop(ServiceName),
    Restart(ServiceName),
    Remove(ServiceName),
}

/// The API's end.
#[derive(Debug, Clone)]
pub(crate) struct Desk(mpsc::Sender<Call>);

impl Desk {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Call>) {
        let (calls, taken) = mpsc::channel(CALLS_MAX);
        (Self(calls), taken)
    }

    /// Makes a call, and waits for its answer.
    ///
    /// # Errors
    /// The call's own; [`Kind::ShuttingDown`] when the picket stops.
    pub(crate) async fn call<T>(&self, call: impl FnOnce(Reply<T>) -> Call) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let stops = || Error::new(Kind::ShuttingDown, "the node stops");
        self.0.send(call(reply)).await.map_err(|_| stops())?;
        answer.await.map_err(|_| stops())?
    }
}

impl Shell {
    pub(super) fn on_call(&mut self, call: Call) {
        match call {
            Call::Change(ask, until, reply) => {
                if let Err((reply, error)) = self.change(*ask, until, reply) {
                    reply.send(Err(error)).ok();
                }
            }
            Call::Picket(reply) => drop(reply.send(Ok(self.picket()))),
            Call::List(list, reply) => self.list(&list, reply),
            Call::Inspect(name, reply) => self.inspect(&name, reply),
            Call::Show(name, reply) => drop(reply.send(self.shown(&name))),
            Call::Logs(name, query, until_exit, reply) => {
                let read = self.read(&name, *query, until_exit);
                // Opening it counts lines in files.
                self.tasks.spawn_blocking(move || {
                    reply.send(read.and_then(|(log, query)| open(log, query))).ok();
                    Done::Nothing
                });
            }
        }
    }

    fn picket(&self) -> Picket {
        Picket {
            pid: std::process::id(),
            fulcrum_pid: self.fulcrum_pid(),
            services: u32::try_from(self.engine.all_wanted().count()).unwrap_or(u32::MAX),
            generation: self.engine.generation(),
        }
    }

    fn shown(&self, name: &ServiceName) -> Result<Shown, Error> {
        let wanted = self.engine.wanted_of(name).ok_or_else(|| unknown(name))?;
        Ok(Shown { config: wanted.current.config.clone(), generation: self.engine.generation() })
    }

    /// The lines of `ps`. The use of the programs is read by a thread of its own.
    fn list(&mut self, list: &ListInstances, reply: Reply<Vec<Instance>>) {
        let mut rows = match &list.service {
            Some(name) => self.engine.rows_of(name),
            None => self.engine.rows(),
        };
        if let (Some(name), true) = (&list.service, rows.is_empty()) {
            return drop(reply.send(Err(unknown(name))));
        }
        let rests = |row: &Row| matches!(row.state, RunState::Stopped | RunState::Done);
        rows.retain(|row| list.all || list.service.is_some() || !rests(row));
        self.say_complaints(&mut rows);
        self.with_use(move |used| {
            let now = clock::now().at;
            let of = |row: &Row| row.instance.as_ref().and_then(|id| used.get(id));
            let mut all: Vec<Instance> =
                rows.iter().map(|row| show::instance(row, of(row), now)).collect();
            all.sort_by(by_instance);
            reply.send(Ok(all)).ok();
        });
    }

    /// Says of those that are up which registration of them the node refuses.
    fn say_complaints(&self, rows: &mut [Row]) {
        let is_up = |row: &&mut Row| matches!(row.state, RunState::Up | RunState::Degraded);
        for row in rows.iter_mut().filter(is_up) {
            let keys = self.keys_of(row);
            let Some(text) = keys.iter().find_map(|key| self.post.complaint(key)) else { continue };
            let before = if row.reason.is_empty() { "" } else { "; " };
            row.reason = format!("{}{before}not registered: {text}", row.reason);
        }
    }

    fn inspect(&mut self, name: &ServiceName, reply: Reply<Inspected>) {
        let Some(mut inspect) = self.engine.inspect(name) else {
            return drop(reply.send(Err(unknown(name))));
        };
        self.say_complaints(&mut inspect.rows);
        for check in inspect.checks.iter_mut().filter(|check| check.passed == Some(true)) {
            let instance = self.instances.get(&check.instance);
            let text = instance.and_then(|instance| instance.passes.get(&check.check));
            check.text = text.cloned().unwrap_or_default();
        }
        let (generation, name) = (self.engine.generation(), name.clone());
        self.with_use(move |used| {
            let inspected = show::inspected(&inspect, &used, generation, moment());
            reply.send(inspected.ok_or_else(|| unknown(&name))).ok();
        });
    }

    fn with_use(&mut self, then: impl FnOnce(BTreeMap<InstanceId, Used>) + Send + 'static) {
        let keepers =
            self.instances.iter().filter_map(|(id, it)| Some((id.clone(), it.process()?)));
        let keepers: Vec<_> = keepers.collect();
        self.tasks.spawn_blocking(move || {
            then(used(&keepers));
            Done::Nothing
        });
    }

    /// The log of a service, and which lines of it.
    fn read(
        &self,
        name: &ServiceName,
        mut query: Query,
        until_exit: bool,
    ) -> Result<(Arc<ServiceLog>, Query), Error> {
        let rows = self.engine.rows_of(name);
        let wanted = self.engine.wanted_of(name);
        if until_exit {
            query.until_exit = rows
                .iter()
                .find(|row| row.pid.is_some())
                .and_then(|row| row.instance.as_ref())
                .map(ToString::to_string);
            query.follow = query.until_exit.is_some();
        }
        let log = match wanted {
            Some(wanted) => self.logs.service(name, wanted.current.config.log_max).map(Some),
            // The last of it is going, or it is removed.
            None => self.logs.left(name),
        };
        let log = log.map_err(|err| Error::io(format!("reading the log of {name}"), &err))?;
        Ok((log.ok_or_else(|| unknown(name))?, query))
    }

    /// Takes a request for a change.
    fn change(
        &mut self,
        ask: Ask,
        until: Until,
        reply: Reply<Settled>,
    ) -> Result<(), (Reply<Settled>, Error)> {
        if let Some(damage) = &self.damage {
            return Err((reply, damage.clone()));
        }
        if self.waiting.len() >= WAITING_MAX {
            let what = format!("the node has {WAITING_MAX} requests for its services under way");
            return Err((reply, Error::new(Kind::Busy, what)));
        }
        let (request, change) = match self.request(ask) {
            Ok(request) => request,
            Err(error) => return Err((reply, error)),
        };
        let name = request.name().clone();
        let rev = self.engine.wanted_of(&name).map(|it| it.current.config.rev.clone());
        self.requests += 1;
        let id = RequestId(self.requests);
        let mut pending = Pending::new((name, rev), change, until, clock::now().at, reply);
        match request {
            Prepared::Ready(request) => {
                self.waiting.insert(id, pending);
                self.ask_engine(id, request);
            }
            Prepared::Needs { config, blob, is_update } => {
                pending.notes = notes(&config);
                pending.blob = Some(blob);
                if let Some(image) = self.image_of(blob) {
                    self.waiting.insert(id, pending);
                    self.pin();
                    self.ask_with(id, *config, image, is_update);
                } else {
                    pending.needs = Some((config, is_update));
                    self.waiting.insert(id, pending);
                    // Wanted before it is fetched, so that it is not dropped right after.
                    self.pin();
                    self.ask_images();
                }
            }
        }
        Ok(())
    }

    /// Asks the fulcrum for the images that are missing.
    pub(super) fn ask_images(&mut self) {
        let blobs = self.waiting.values().filter(|pending| pending.needs.is_some());
        let blobs = blobs.filter_map(|pending| pending.blob).chain(self.seals.keys().copied());
        let blobs: Vec<BlobId> = blobs.collect();
        for blob in blobs {
            if self.post.is_attached() && !self.post.ask_image(blob) {
                self.on_no_image(
                    blob,
                    Some((&Error::new(Kind::Busy, "too many images are being fetched")).into()),
                );
            }
        }
    }

    /// An image is here: those who wait for it go on.
    pub(super) fn request_with(&mut self, image: &Image) {
        let ready = self.waiting.iter_mut().filter(|(_, it)| it.blob == Some(image.blob()));
        let ready: Vec<_> = ready.filter_map(|(id, it)| Some((*id, it.needs.take()?))).collect();
        for (id, (config, is_update)) in ready {
            self.ask_with(id, *config, image.clone(), is_update);
        }
    }

    /// An image is not to be had; none: the fulcrum ended, and the next one is asked.
    pub(super) fn on_no_image(&mut self, blob: BlobId, failure: Option<Failure>) {
        let Some(failure) = failure else { return };
        if self.seals.remove(&blob).is_some() {
            self.tell(Event::SealFailed { blob, reason: failure.text.clone() });
        }
        let failed =
            self.waiting.iter().filter(|(_, it)| it.blob == Some(blob) && it.needs.is_some());
        let failed: Vec<RequestId> = failed.map(|(id, _)| *id).collect();
        for id in failed {
            let error = Error::from(failure.clone()).augment("the image of the service");
            self.end_wait(id, Err(error));
        }
    }

    fn ask_with(&mut self, id: RequestId, config: Config, image: Image, is_update: bool) {
        let same = self.engine.wanted_of(&config.name).map(|it| {
            let current = &it.current;
            current.config.same_content(&config) && current.image.descriptor == image.descriptor
        });
        if let Some(pending) = self.waiting.get_mut(&id) {
            pending.change = match same {
                None => Change::Added,
                Some(true) => Change::Unchanged,
                Some(false) => Change::Updated,
            };
        }
        let config = Box::new(config);
        let request = if is_update {
            Request::Update { config, image }
        } else {
            Request::Add { config, image }
        };
        self.ask_engine(id, request);
    }

    fn ask_engine(&mut self, id: RequestId, request: Request) {
        let Some(pending) = self.waiting.get(&id) else { return };
        let wait = match pending.until.goal {
            Goal::None => Wait::Nothing,
            Goal::Started => Wait::Started,
            Goal::Up => Wait::Up,
        };
        let timeout = pending.ends.since(clock::now().at);
        let generation = pending.until.generation;
        self.tell(Event::Request(Requested { id, request, generation, wait, timeout }));
    }

    /// The image of a blob that a service runs, or ran, already.
    fn image_of(&self, blob: BlobId) -> Option<Image> {
        let wanted = self.engine.all_wanted().map(|(_, wanted)| wanted);
        let all = wanted.flat_map(|wanted| [Some(&wanted.current), wanted.previous.as_ref()]);
        let mut all = all.flatten().map(|version| &version.image);
        all.find(|image| image.blob() == blob).cloned()
    }

    /// The request to the engine, and the change that it makes if it makes one.
    fn request(&self, ask: Ask) -> Result<(Prepared, Change), Error> {
        let ready = |request, change| Ok((Prepared::Ready(request), change));
        match ask {
            Ask::Add(config) => Ok((needs(*config, false)?, Change::Added)),
            Ask::Update(name, New::Config(config)) => {
                if config.name != name {
                    let message =
                        format!("the config is that of {}, not that of {name}", config.name);
                    return Err(Error::new(Kind::InvalidConfig, message)
                        .with_hint("Change its name, or update the service that it is of."));
                }
                Ok((needs(*config, true)?, Change::Updated))
            }
            Ask::Update(name, New::Image { blob, argv0, rev }) => {
                let wanted = self.engine.wanted_of(&name).ok_or_else(|| unknown(&name))?;
                let mut fields = wanted.current.config.clone().into_fields();
                (fields.image, fields.argv0) = (service::Image::Blob(blob), argv0);
                fields.rev = rev.unwrap_or(fields.rev);
                let config = Config::try_from(fields);
                let config =
                    config.map_err(|err| Error::new(Kind::InvalidConfig, err.to_string()))?;
                Ok((needs(config, true)?, Change::Updated))
            }
            Ask::RollBack(name) => ready(Request::Rollback(name), Change::RolledBack),
            Ask::Start(name) => ready(Request::Start(name), Change::Started),
            Ask::Stop(name) => ready(Request::Stop(name), Change::Stopped),
            Ask::Restart(name) => ready(Request::Restart(name), Change::Restarted),
            Ask::Remove(name) => ready(Request::Remove(name), Change::Removed),
        }
    }
}

/// A request that can go to the engine, or that needs an image first.
enum Prepared {
    Ready(Request),
    Needs { config: Box<Config>, blob: BlobId, is_update: bool },
}

impl Prepared {
    fn name(&self) -> &ServiceName {
        match self {
            Self::Ready(request) => request.name(),
            Self::Needs { config, .. } => &config.name,
        }
    }
}

/// Refuses what this machine cannot do, and finds the image for it.
fn needs(config: Config, is_update: bool) -> Result<Prepared, Error> {
    user::resolve(config.user.as_deref())
        .map_err(|err| Error::new(Kind::NotPermitted, err.to_string()))?;
    if config.limits.as_ref().is_some_and(|limits| limits.required) {
        return Err(Error::new(
            Kind::NotEnforced,
            "this node enforces no limits, and the config requires them",
        ));
    }
    if let Some(key) = config.for_targets().next() {
        let error = Error::new(Kind::InvalidConfig, format!("`{key}`: only a target uses it"));
        return Err(
            error.with_hint("Leave the key out: a node that is given a service places nothing.")
        );
    }
    let machine = std::env::consts::ARCH.parse::<Machine>().ok();
    let blob = match (&config.image, machine) {
        (service::Image::Blob(blob), _) => Some(*blob),
        (image, Some(machine)) => image.of(machine),
        (_, None) => None,
    };
    let none = || {
        let arch = std::env::consts::ARCH;
        Error::new(
            Kind::ImageUnusable,
            format!("the config has no image for this machine, which is {arch}"),
        )
    };
    Ok(Prepared::Needs { blob: blob.ok_or_else(none)?, config: Box::new(config), is_update })
}

/// Remarks for the person who adds a service to this node.
fn notes(config: &Config) -> Vec<String> {
    let mut notes = Vec::new();
    if config.limits.is_some() {
        notes.push("limits are not enforced on this node; the service may use more".to_owned());
    }
    if is_of_node(config.user.as_deref()) {
        notes.push(
            "the program runs as the node's own user and could read the node's key".to_owned(),
        );
    }
    notes
}

/// Whether a service's programs run as the node's own user, so that they may do whatever the node may.
pub(super) fn is_of_node(user: Option<&str>) -> bool {
    match user::resolve(user) {
        Ok(Some(user)) => user.uid == rustix::process::geteuid().as_raw(),
        Ok(None) => true,
        // Refused before.
        Err(_) => false,
    }
}

fn open(log: Arc<ServiceLog>, query: Query) -> Result<Reader, Error> {
    Reader::open(log, query).map_err(|err| match err.kind() {
        std::io::ErrorKind::QuotaExceeded => {
            Error::new(Kind::LimitReached, err.to_string()).with_retry(true)
        }
        _ => Error::io("reading the log of a service", &err),
    })
}

/// When a request is given up.
pub(super) fn end_of(until: &Until, now: Instant) -> Instant {
    now + until.within.max(Duration::from_millis(1))
}
