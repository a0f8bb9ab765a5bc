//! A real server of the Services API on a real socket, with made-up services behind it.
//!
//! A request about a service that does not exist is refused; about any other it goes as the name says.

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crux_client::model::{
    Change, CheckState, Event, Inspected, Instance, InstanceExit, InstanceState, LogLine,
    LogStream, Picket, PreviousImage, ServiceStatus, Settled, WallTime,
};
use crux_client::op::{
    self, AddService, GetPicket, Goal, InspectService, ListInstances, New, ReadEvents, ReadLogs,
    RemoveService, RestartService, RollBackService, SERVICES_REQUEST_BYTES_MAX, ShowService, Shown,
    StartService, StopService, Until, UpdateService, Wire,
};
use crux_client::socket::Door;
use crux_client::wire::Message as _;
use crux_crdt::name::ServiceName;
use crux_crdt::service::{Config, Fields, Image};
use crux_proto::v1::{self, services_server::ServicesServer};
use futures::stream::{self, Stream, StreamExt as _};
use tokio::net::UnixListener;
use tokio::runtime::{Builder, Runtime};
use tonic::transport::Server;
use tonic::{Request as Call, Status};

use crate::error::{Error, Kind, StateChanged};
use crate::view::testing::principal;
use crux_client::door::{Answer, Serve, answered, handle};

/// A picket that is all API. Dropping it ends it.
pub(crate) struct FakePicket {
    /// The requests that change something, as they came.
    pub(crate) asked: Arc<Mutex<Vec<Asked>>>,
    /// Of its own, because connections are tasks of it, and end with it.
    runtime: Option<Runtime>,
}

/// A request that changes something.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Asked {
    Add(Box<AddService>),
    Update(UpdateService),
    Other(&'static str, Until),
}

impl FakePicket {
    /// Serves in the background, on the data directory.
    pub(crate) fn start(data_dir: &Path) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let entered = runtime.enter();
        let listener = UnixListener::bind(data_dir.join(Door::Picket.name())).unwrap();
        let incoming = stream::unfold(listener, |listener| async move {
            let stream = listener.accept().await.map(|(stream, _)| stream);
            Some((stream, listener))
        });
        let asked = Arc::default();
        let services = ServicesServer::new(Services { asked: Arc::clone(&asked) })
            .max_decoding_message_size(SERVICES_REQUEST_BYTES_MAX);
        let served = Server::builder().add_service(services).serve_with_incoming(incoming);
        runtime.spawn(async move { served.await.unwrap() });
        drop(entered);
        Self { asked, runtime: Some(runtime) }
    }

    /// The last request that changes something.
    pub(crate) fn last(&self) -> Asked {
        self.asked.lock().unwrap().last().cloned().unwrap()
    }
}

impl Drop for FakePicket {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

struct Services {
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Services {
    fn other(
        &self,
        what: &'static str,
        change: Change,
        name: &ServiceName,
        until: Until,
    ) -> Result<Settled, Error> {
        self.asked.lock().unwrap().push(Asked::Other(what, until));
        settle(name, "v1", change, until)
    }
}

fn name(name: &str) -> ServiceName {
    name.parse().unwrap()
}

/// The config of `web`.
pub(crate) fn config() -> Config {
    let blob = "3a98".repeat(16).parse().unwrap();
    let mut fields = Fields::new(name("web"), Image::Blob(blob));
    fields.args = vec!["--listen".to_owned(), "${addr}".to_owned()];
    fields.env = BTreeMap::from([("LOG".to_owned(), "info".to_owned())]);
    fields.try_into().unwrap()
}

/// The answer of the fake picket for a service of that name.
fn settle(
    service: &ServiceName,
    rev: &str,
    change: Change,
    until: Until,
) -> Result<Settled, Error> {
    let failed = |kind, message: &str| Error::new(kind, message).with_state(StateChanged::Yes);
    let lines: Vec<_> = (1..=30).map(|n| format!("line {n}")).collect();
    match service.as_str() {
        "nowhere" => return Err(unknown(service)),
        "slow" => return Err(failed(Kind::TimedOut, "slow is still starting after 60 s")),
        "text" => return Err(failed(Kind::ImageUnusable, "the blob is not a program")),
        "broken" => return Err(failed(Kind::StartFailed, "exit code 3").with_log(&lines)),
        "sick" => return Err(failed(Kind::Unhealthy, "http:/:http: 503").with_log(&lines)),
        "worse" => return Err(failed(Kind::RolledBack, "v2 was not up in 60 s").with_log(&lines)),
        "stale" => return Err(Error::new(Kind::Generation, "the node has generation 9")),
        "capped" => return Err(Error::new(Kind::NotEnforced, "limits cannot be enforced here")),
        "rooted" => return Err(Error::new(Kind::NotPermitted, "only root runs as another user")),
        "full" => return Err(Error::new(Kind::LimitReached, "a node has at most 128 services")),
        _ => {}
    }
    let notes = match change {
        Change::Added => {
            vec!["the program runs as the node's user and can read its key".to_owned()]
        }
        _ => vec![],
    };
    let runs = until.goal != Goal::None && !matches!(change, Change::Stopped | Change::Removed);
    let ports = BTreeMap::from([("http".to_owned(), 27_200)]);
    Ok(Settled {
        service: service.clone(),
        rev: name(rev),
        instance: runs.then(|| format!("{service}-{rev}-0-0a0a0a0a")),
        state: match (runs, change) {
            (true, _) => InstanceState::Up,
            (false, Change::Stopped | Change::Removed) => InstanceState::Stopped,
            (false, _) => InstanceState::Pending,
        },
        pid: runs.then_some(4711),
        ports: if runs { ports } else { BTreeMap::new() },
        change,
        generation: 9,
        notes,
    })
}

fn unknown(service: &ServiceName) -> Error {
    Error::new(Kind::NotFound, format!("the node has no service {service}"))
        .with_hint("`ps --all` lists those that it has.")
}

/// In an order that nobody wants to see.
pub(crate) fn instances() -> Vec<Instance> {
    use InstanceState::{Degraded, Failed, Pending, Up};
    let instance = |service: &str, ordinal: u16, state, status| Instance {
        service: name(service),
        rev: name("v1"),
        ordinal,
        horde: "main".parse().unwrap(),
        instance: Some(format!("{service}-v1-{ordinal}-0a0a0a0a")),
        state,
        status,
        since: Duration::from_secs(90),
        pid: Some(4711 + u32::from(ordinal)),
        restarts: 0,
        image: Some("3a98".repeat(16).parse().unwrap()),
        sealed: true,
        ports: BTreeMap::from([("http".to_owned(), 27_200 + ordinal)]),
        memory: Some(12_345_678),
        cpu: Some(Duration::from_millis(420)),
        reason: None,
    };
    vec![
        Instance {
            instance: None,
            pid: None,
            image: None,
            sealed: false,
            ports: BTreeMap::new(),
            memory: None,
            cpu: None,
            reason: Some("waits for its image".to_owned()),
            ..instance("web10", 0, Pending, ServiceStatus::Down)
        },
        instance("web", 1, Up, ServiceStatus::Up),
        Instance {
            restarts: 2,
            since: Duration::from_secs(3),
            reason: Some("http:/healthz:http: 503".to_owned()),
            ..instance("web", 0, Degraded, ServiceStatus::Degraded)
        },
        Instance {
            pid: None,
            memory: None,
            restarts: 5,
            since: Duration::from_secs(4000),
            reason: Some("five failures in 10 min: exit code 3".to_owned()),
            ..instance("web2", 0, Failed, ServiceStatus::Down)
        },
    ]
}

fn stopped() -> Instance {
    let mut instance = instances().remove(0);
    (instance.service, instance.state, instance.reason) =
        (name("old"), InstanceState::Stopped, None);
    instance
}

fn at() -> WallTime {
    WallTime { unix_ms: 1_796_045_429_123 }
}

fn inspected() -> Inspected {
    let check = |passed, failures, text: &str| CheckState {
        instance: "web-v1-0-0a0a0a0a".to_owned(),
        check: "http:/healthz:http".to_owned(),
        passed,
        failures,
        ago: Some(Duration::from_secs(2)),
        text: text.to_owned(),
    };
    let exit = |code, signal, reason: &str| InstanceExit {
        instance: "web-v1-0-0b0b0b0b".to_owned(),
        at: at(),
        code,
        signal,
        ran: Duration::from_secs(61),
        reason: reason.to_owned(),
    };
    Inspected {
        config: config(),
        generation: 9,
        wanted: true,
        instances: instances().into_iter().filter(|it| it.service.as_str() == "web").collect(),
        checks: vec![
            check(Some(false), 2, "503 Service Unavailable\nsorry"),
            check(Some(true), 0, "200"),
            CheckState { ago: None, ..check(None, 0, "") },
        ],
        exits: vec![exit(None, Some(9), "killed"), exit(Some(3), None, "exited")],
        previous: Some(PreviousImage { rev: name("v0"), image: "ab".repeat(32).parse().unwrap() }),
        isolation: BTreeMap::from([
            ("limits".to_owned(), "not_enforced".to_owned()),
            ("user".to_owned(), "nobody".to_owned()),
        ]),
    }
}

fn lines() -> Vec<LogLine> {
    let line = |stream, text: &str| LogLine {
        at: at(),
        instance: "web-v1-0-0a0a0a0a".to_owned(),
        stream,
        text: text.to_owned(),
    };
    vec![
        line(LogStream::Stdout, "GET / 200"),
        line(LogStream::Stderr, "warning: \x1b[2J"),
        line(LogStream::Note, "7 lines were dropped: more than 1 MiB/s"),
        line(LogStream::Stdout, "GET /x 404"),
    ]
}

fn events() -> Vec<Event> {
    let event = |seq, kind: &str, service: &str, text: &str| Event {
        seq,
        at: at(),
        up: Duration::from_millis(987_654),
        boot: "5f0c9a1b-22d8-47f4-9a1b-22d8e7f40000".to_owned(),
        kind: kind.to_owned(),
        node: "n1".parse().unwrap(),
        principal: principal("n1"),
        detail: BTreeMap::from([("service".to_owned(), service.to_owned())]),
        text: text.to_owned(),
    };
    vec![
        event(7, "plugin.added", "web", "web v1 was added"),
        event(8, "plugin.up", "web", "web v1 is up"),
        event(9, "plugin.crash_loop", "web2", "web2 v1 failed five times in 10 min"),
    ]
}

impl Serve<GetPicket> for Services {
    async fn serve(&self, _: GetPicket) -> Result<Picket, Error> {
        Ok(Picket { pid: 7, fulcrum_pid: Some(8), services: 3, generation: 9 })
    }
}

impl Serve<AddService> for Services {
    async fn serve(&self, op: AddService) -> Result<Settled, Error> {
        self.asked.lock().unwrap().push(Asked::Add(Box::new(op.clone())));
        let change =
            if op.config.name.as_str() == "same" { Change::Unchanged } else { Change::Added };
        settle(&op.config.name, op.config.rev.as_str(), change, op.until)
    }
}

impl Serve<UpdateService> for Services {
    async fn serve(&self, op: UpdateService) -> Result<Settled, Error> {
        self.asked.lock().unwrap().push(Asked::Update(op.clone()));
        let rev = match &op.new {
            New::Config(config) => config.rev.to_string(),
            New::Image { rev, .. } => rev.as_ref().map_or("v1".to_owned(), ToString::to_string),
        };
        settle(&op.service, &rev, Change::Updated, op.until)
    }
}

impl Serve<RollBackService> for Services {
    async fn serve(&self, op: RollBackService) -> Result<Settled, Error> {
        self.other("roll back", Change::RolledBack, &op.service, op.until)
    }
}

impl Serve<StartService> for Services {
    async fn serve(&self, op: StartService) -> Result<Settled, Error> {
        self.other("start", Change::Started, &op.service, op.until)
    }
}

impl Serve<StopService> for Services {
    async fn serve(&self, op: StopService) -> Result<Settled, Error> {
        self.other("stop", Change::Stopped, &op.service, op.until)
    }
}

impl Serve<RestartService> for Services {
    async fn serve(&self, op: RestartService) -> Result<Settled, Error> {
        self.other("restart", Change::Restarted, &op.service, op.until)
    }
}

impl Serve<RemoveService> for Services {
    async fn serve(&self, op: RemoveService) -> Result<Settled, Error> {
        self.other("remove", Change::Removed, &op.service, op.until)
    }
}

impl Serve<ListInstances> for Services {
    async fn serve(&self, op: ListInstances) -> Result<Vec<Instance>, Error> {
        let mut all = instances();
        if op.all {
            all.push(stopped());
        }
        match op.service {
            Some(service) if service.as_str() == "nowhere" => Err(unknown(&service)),
            Some(service) => Ok(all.into_iter().filter(|it| it.service == service).collect()),
            None => Ok(all),
        }
    }
}

impl Serve<InspectService> for Services {
    async fn serve(&self, op: InspectService) -> Result<Inspected, Error> {
        if op.service.as_str() == "web" { Ok(inspected()) } else { Err(unknown(&op.service)) }
    }
}

impl Serve<ShowService> for Services {
    async fn serve(&self, op: ShowService) -> Result<Shown, Error> {
        match op.service.as_str() {
            "web" => Ok(Shown { config: config(), generation: 9 }),
            _ => Err(unknown(&op.service)),
        }
    }
}

type Streamed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// All at once; one that follows then waits for ever.
fn streamed<T: Send + 'static>(first: T, follows: bool) -> Streamed<T> {
    let first = stream::iter([Ok(first)]);
    if follows { Box::pin(first.chain(stream::pending())) } else { Box::pin(first) }
}

fn logs(wire: &v1::LogsRequest) -> Result<Streamed<v1::LogsResponse>, Error> {
    let op = ReadLogs::from_wire(wire)?;
    if op.service.as_str() != "web" {
        return Err(unknown(&op.service));
    }
    let mut lines = lines();
    lines.retain(|line| op.stream.is_none_or(|stream| line.stream == stream));
    let left_out = op.tail.map_or(0, |tail| lines.len().saturating_sub(tail as usize));
    let lines = lines.iter().skip(left_out).map(LogLine::to_wire).collect();
    Ok(streamed(v1::LogsResponse { lines }, op.follow && !op.until_exit))
}

fn events_of(wire: &v1::EventsRequest) -> Result<Streamed<v1::EventsResponse>, Error> {
    let op = ReadEvents::from_wire(wire)?;
    let fits = |event: &Event| {
        op.after.is_none_or(|seq| event.seq > seq)
            && op.kind.as_ref().is_none_or(|kind| kind.matches(&event.kind))
            && op.service.as_ref().is_none_or(|service| event.detail["service"] == service.as_str())
    };
    let events = events().iter().filter(|event| fits(event)).map(Event::to_wire).collect();
    Ok(streamed(v1::EventsResponse { events }, op.follow))
}

/// A handler for each row of the client's table, and those that stream.
macro_rules! services {
    ($($call:ident: $Op:ident, $effect:ident;)*) => {
        #[tonic::async_trait]
        impl v1::services_server::Services for Services {
            type LogsStream = Streamed<v1::LogsResponse>;
            type EventsStream = Streamed<v1::EventsResponse>;

            $(async fn $call(
                &self,
                call: Call<<op::$Op as Wire>::Request>,
            ) -> Answer<<op::$Op as Wire>::Response> {
                handle::<op::$Op>(self, call.get_ref()).await
            })*

            async fn logs(&self, call: Call<v1::LogsRequest>) -> Answer<Self::LogsStream> {
                answered(logs(call.get_ref()))
            }

            async fn events(&self, call: Call<v1::EventsRequest>) -> Answer<Self::EventsStream> {
                answered(events_of(call.get_ref()))
            }
        }
    };
}
crux_client::services_calls!(services! {});
