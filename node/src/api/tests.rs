//! A real server on a real socket, a fake fulcrum behind it, the real client in front.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crux_client::model::{Check, CheckResult, Member, MemberState, NodeRef, ServiceStatus, Status};
use crux_client::op::{
    Deregister, Doctor, Forget, GetLeader, GetMembers, GetServices, GetStatus, LeaderPing,
    LeaderPinged, Leave, Register, Registered, Resolve,
};
use crux_client::socket::Door;
use crux_client::socket::SOCKET_NAME;
use crux_client::{Client, Watch, WatchEvent, parse};
use crux_crdt::document::{Documents, Refused};
use crux_crdt::fact::Fact;
use crux_crdt::record::ServiceKey;
use crux_protocol::flock::Control;
use crux_protocol::proctor::planner;
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::*;
use crate::blobs::want::Pantry;
use crate::error::{Error, Kind, StateChanged};
use crate::fulcrum::health::Health;
use crate::fulcrum::request::{Reply, ReplyTo, Request};
use crate::fulcrum::{Handle, Processes, not_taken};
use crate::view::testing::{principal, service, view};
use crate::view::{Enacted, Sight, View};

mod crowd;
mod documents;
pub(crate) mod picket;
mod proctor;

/// Those of a node that is all API.
const PROCESSES: Processes = Processes { fulcrum: 4711, picket: Some(4710) };

/// The answer to `status`.
fn status() -> Status {
    let Processes { fulcrum: pid, picket: picket_pid } = PROCESSES;
    Status { pid, picket_pid, ..view().status() }
}

/// How long a test waits for an answer.
const LIMIT: Duration = Duration::from_secs(10);

/// A node that is all API.
pub(crate) struct FakeNode {
    pub(crate) dir: TempDir,
    pub(crate) views: watch::Sender<Arc<View>>,
    /// The goals of the node, and what is there of them.
    enacted: watch::Sender<Arc<Enacted>>,
    health: Health,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<Result<(), Error>>,
}

impl FakeNode {
    /// Serves in the background. Must be called in a tokio runtime.
    pub(crate) fn start(view: View) -> Self {
        Self::start_when(view, async {})
    }

    /// The same, with a service of blobs that is ready once `ready` resolves.
    fn start_when(view: View, ready: impl Future<Output = ()> + Send + 'static) -> Self {
        Self::start_within(crux_client::door::Limits::of_process(), view, ready)
    }

    /// The same, with other limits.
    fn start_within(
        limits: crux_client::door::Limits,
        view: View,
        ready: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (views, view) = watch::channel(Arc::new(view));
        let (requests, queue) = mpsc::channel(8);
        tokio::spawn(fulcrum(queue, views.clone()));
        let mut socket = Socket::bind(dir.path(), Door::Control).unwrap();
        socket.limits = limits;
        let (stop, stopped) = oneshot::channel();
        let config = crate::blobs::Config::new(vec![dir.path().join("blobs")]);
        let blobs = crate::blobs::Blobs::open_blocking(config).unwrap();
        let pantry = Pantry { blobs, wishes: None };
        let (health, stated) = Health::without_picket();
        let handle = Handle { view, requests, processes: PROCESSES };
        let (enacted, shown) = watch::channel(Arc::default());
        let shows = Shows { stated, enacted: shown };
        let served = serve(socket, handle, pantry, shows, ready, async {
            drop(stopped.await);
        });
        Self { dir, views, enacted, health, stop: Some(stop), served: tokio::spawn(served) }
    }

    async fn client(&self) -> Client {
        Client::connect(self.dir.path(), LIMIT).await.unwrap()
    }

    pub(crate) async fn stop(&mut self) {
        drop(self.stop.take());
        (&mut self.served).await.unwrap().unwrap();
    }
}

/// Answers as a node of one would.
async fn fulcrum(mut queue: mpsc::Receiver<Request>, views: watch::Sender<Arc<View>>) {
    while let Some(request) = queue.recv().await {
        match request {
            Request::Engine(Control::State { facts, .. }, Reply::Done(reply)) => {
                answer(reply, take_in(facts, &views));
            }
            Request::Look(reply) => answer(reply, Ok(sight(&views.borrow()))),
            request => react(request),
        }
    }
}

/// Everything that the view's leader plans from; without one, its members, which run nothing.
fn sight(view: &View) -> Sight {
    let documents = view.documents.clone();
    if let Some(leads) = &view.leads {
        return Sight { nodes: leads.nodes.clone(), newest: leads.newest.clone(), documents };
    }
    let departed =
        |state| matches!(state, MemberState::Left | MemberState::Retired | MemberState::Evicted);
    let member = |it: &Member| {
        let node = planner::Node {
            name: it.node.to_string(),
            labels: it.labels.clone(),
            is_alive: it.state != MemberState::Dead,
            ..planner::Node::default()
        };
        (it.principal, node)
    };
    let members = view.members.iter().filter(|it| !departed(it.state));
    let nodes = planner::View { nodes: members.map(member).collect() };
    Sight { nodes, newest: None, documents }
}

/// Holds documents in memory. A node that learns of another write meanwhile is made up: under `target/raced`.
fn take_in(facts: Vec<Fact>, views: &watch::Sender<Arc<View>>) -> Result<(), Error> {
    let view = views.borrow().clone();
    let mut documents = Documents::clone(&view.documents);
    let document = |fact| match fact {
        Fact::Document(document) => document,
        other => panic!("{other:?}"),
    };
    let new: Vec<_> = facts.into_iter().map(document).collect();
    for document in &new {
        if document.key().as_str() == "target/raced" {
            let key = document.key().clone();
            let conflict = Refused::Conflict { key, generation: 9, grants_version: 1 };
            return Err(not_taken(&conflict));
        }
    }
    documents.may_add_all(&new).map_err(|(_, refused)| not_taken(&refused))?;
    new.into_iter().for_each(|document| _ = documents.merge(document));
    views.send_replace(Arc::new(View { documents: Arc::new(documents), ..View::clone(&view) }));
    Ok(())
}

fn react(request: Request) {
    match request {
        Request::Engine(control, reply) => engine(control, reply),
        Request::Forget(NodeRef::Name(name), reply) => answer(reply, Ok(principal(name.as_str()))),
        Request::Forget(NodeRef::Principal(principal), reply) => answer(reply, Ok(principal)),
        Request::Look(_) => panic!("it is answered from the view"),
        Request::Doctor(reply) => answer(
            reply,
            Ok(vec![
                check("disk", CheckResult::Ok, None),
                check("clock", CheckResult::Warn, Some("Look at the clock.")),
            ]),
        ),
    }
}

fn engine(control: Control, reply: Reply) {
    match (control, reply) {
        (Control::Register { key, .. }, Reply::Registered(reply))
            if key.service.as_str() == "full" =>
        {
            answer(reply, Err(full()));
        }
        // It is never answered.
        (Control::Register { key, .. }, reply) if key.service.as_str() == "deaf" => {
            std::mem::forget(reply);
        }
        (Control::Register { key, .. }, Reply::Registered(reply)) => {
            let found = service("n1", key.service.as_str(), key.rev.as_str());
            let (path, instance, net_id) = (found.path, found.instance, found.net_id);
            answer(reply, Ok(Registered { path, instance, net_id }));
        }
        (Control::Deregister(key), Reply::Done(reply)) if key.to_string() != "main/web/r1" => {
            answer(reply, Err(Error::new(Kind::NotFound, "not registered here")));
        }
        (Control::LeaderPing, Reply::Pinged(reply)) => {
            let pinged = LeaderPinged {
                leader: view().leader.unwrap(),
                accepted: vec![principal("n1"), principal("n2")],
                failed: vec![principal("n3")],
            };
            answer(reply, Ok(pinged));
        }
        (_, Reply::Done(reply)) => answer(reply, Ok(())),
        (control, reply) => panic!("{control:?} is answered by {reply:?}"),
    }
}

fn answer<T>(reply: ReplyTo<T>, result: Result<T, Error>) {
    drop(reply.send(result));
}

/// The answer to a register of `full`.
fn full() -> Error {
    Error::new(Kind::DiskFull, "no room").augment("registering").with_hint("make room")
}

fn services(query: &str, all: bool) -> GetServices {
    GetServices { query: query.parse().unwrap(), all }
}

fn check(name: &str, result: CheckResult, hint: Option<&str>) -> Check {
    let detail = format!("the {name} was looked at");
    Check { name: name.to_owned(), result, detail, hint: hint.map(str::to_owned) }
}

fn key(service: &str, ordinal: u32) -> ServiceKey {
    parse::service_key("main", service, "r1", ordinal).unwrap()
}

fn register(name: &str) -> Register {
    Register {
        key: key(name, 0),
        endpoint: "127.0.0.1:9000".parse().unwrap(),
        labels: BTreeMap::new(),
        lease: Some(Duration::from_secs(5)),
        sync: 1,
        sync_within: None,
    }
}

#[tokio::test]
async fn reading_gives_what_the_view_holds() {
    let node = FakeNode::start(view());
    let client = node.client().await;
    let status = client.call(&GetStatus).await.unwrap();
    assert_eq!((status.pid, status.picket_pid), (PROCESSES.fulcrum, PROCESSES.picket));
    assert_eq!(Status { pid: 0, picket_pid: None, ..status }, view().status());
    assert_eq!(client.call(&GetLeader).await, Ok(view().leader));
    assert_eq!(client.call(&GetMembers).await, Ok(view().members));
    assert_eq!(client.call(&services("", false)).await, Ok(view().services));
    assert_eq!(client.call(&services("*/*/n9", true)).await, Ok(vec![]));
    assert_eq!(
        client.call(&Resolve { name: "ntp".to_owned(), on: None }).await.as_ref(),
        Ok(&view().services[1])
    );
    assert_eq!(
        client.call(&Resolve { name: "nope".to_owned(), on: None }).await.unwrap_err().kind(),
        Kind::NotFound
    );
    node.views.send_replace(Arc::new(View { leader: None, ..view() }));
    assert_eq!(client.call(&GetLeader).await, Ok(None));
}

#[tokio::test]
async fn writing_asks_the_fulcrum() {
    let node = FakeNode::start(view());
    let client = node.client().await;
    let registered = client.call(&register("web")).await.unwrap();
    assert_eq!(registered.path.to_string(), "/dev/main/n1/web/r1");
    let deregister = |name: &str, ordinal| Deregister { key: key(name, ordinal) };
    assert_eq!(client.call(&deregister("web", 0)).await, Ok(()));
    for absent in [deregister("ntp", 0), deregister("web", 1)] {
        let err = client.call(&absent).await.unwrap_err();
        assert_eq!(err.kind(), Kind::NotFound);
    }
    assert_eq!(client.call(&LeaderPing).await.unwrap().failed, [principal("n3")]);
    let node = NodeRef::Principal(principal("n4"));
    assert_eq!(client.call(&Forget { node }).await, Ok(principal("n4")));
    assert_eq!(client.call(&Leave).await, Ok(()));
    let checks = client.call(&Doctor).await.unwrap();
    assert_eq!((checks[0].hint.as_deref(), checks[1].result), (None, CheckResult::Warn));
}

#[tokio::test]
async fn errors_arrive_whole() {
    let node = FakeNode::start(view());
    let err = node.client().await.call(&register("full")).await.unwrap_err();
    assert_eq!(err, full());
}

#[tokio::test]
async fn a_watch_follows_the_view_and_ends_with_the_node() {
    let mut node = FakeNode::start(View { services: vec![], ..view() });
    let client = node.client().await;
    let mut watch = client.watch(&"*/*/*/web".parse().unwrap(), false).await.unwrap();
    assert_eq!(watch.next().await, Ok(Some(WatchEvent::Snapshot { services: vec![] })));
    node.views.send_replace(Arc::new(view()));
    let service = view().services.remove(0);
    assert_eq!(watch.next().await, Ok(Some(WatchEvent::Added { service })));
    node.stop().await;
    assert_eq!(watch.next().await.unwrap_err().kind(), Kind::ShuttingDown);
}

#[tokio::test]
async fn no_node_is_said_with_a_hint() {
    let mut node = FakeNode::start(view());
    let client = node.client().await;
    assert!(client.call(&GetStatus).await.is_ok());
    node.stop().await;
    assert!(!node.dir.path().join(SOCKET_NAME).exists());
    let err = Client::connect(node.dir.path(), LIMIT).await.unwrap_err();
    assert_eq!(err.kind(), Kind::NoNode);
    assert!(err.hint().unwrap().contains(&node.dir.path().display().to_string()));
    // Nobody was there to do it.
    let err = client.call(&register("web")).await.unwrap_err();
    assert_eq!((err.kind(), err.state_changed()), (Kind::NoNode, StateChanged::No));
}

#[tokio::test]
async fn a_node_that_does_not_answer_times_out() {
    let dir = tempfile::tempdir().unwrap();
    let _deaf = tokio::net::UnixListener::bind(dir.path().join(SOCKET_NAME)).unwrap();
    let limit = Duration::from_millis(50);
    let client = Client::connect(dir.path(), limit).await;
    let err = match client {
        Ok(client) => client.call(&Leave).await.unwrap_err(),
        Err(err) => err,
    };
    // It never served, so the write was not sent.
    assert_eq!((err.kind(), err.state_changed()), (Kind::TimedOut, StateChanged::No));
}

/// It served, so the write was sent: what became of it nobody knows.
#[tokio::test]
async fn what_a_node_took_and_did_not_answer_may_have_been_done() {
    let node = FakeNode::start(view());
    // Long enough for the read that comes first.
    let client = Client::connect(node.dir.path(), Duration::from_secs(2)).await.unwrap();
    let err = client.call(&register("deaf")).await.unwrap_err();
    assert_eq!((err.kind(), err.state_changed()), (Kind::TimedOut, StateChanged::Unknown));
}

#[tokio::test]
async fn a_node_that_dies_is_no_node() {
    let dir = tempfile::tempdir().unwrap();
    let listener = tokio::net::UnixListener::bind(dir.path().join(SOCKET_NAME)).unwrap();
    let dies = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buf = [0; 16];
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut buf).await.unwrap();
        (stream, listener)
    });
    let err = match Client::connect(dir.path(), LIMIT).await {
        Ok(client) => {
            let dead = dies.await.unwrap();
            let leave = tokio::spawn(async move { client.call(&Leave).await });
            tokio::task::yield_now().await;
            drop(dead);
            leave.await.unwrap().unwrap_err()
        }
        Err(err) => err,
    };
    assert_eq!((err.kind(), err.state_changed()), (Kind::NoNode, StateChanged::No), "{err:?}");
}

#[tokio::test]
async fn blobs_are_not_serving_until_preload_is_done_and_can_be_used_all_the_while() {
    use tonic_health::pb::health_check_response::ServingStatus::{NotServing, Serving};
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

    let (done, preloading) = oneshot::channel::<()>();
    let node = FakeNode::start_when(view(), async { drop(preloading.await) });
    let uri = format!("unix:{}", node.dir.path().join(SOCKET_NAME).display());
    let channel = tonic::transport::Endpoint::new(uri).unwrap().connect().await.unwrap();
    let mut health = HealthClient::new(channel);
    let of = |service: &str| HealthCheckRequest { service: service.to_owned() };
    let mut told = health.watch(of("crux.v1.Blobs")).await.unwrap().into_inner();
    let next = told.message().await.unwrap().unwrap();
    assert_eq!(next.status(), NotServing);
    let control = health.check(of("crux.v1.Control")).await.unwrap().into_inner();
    assert_eq!(control.status(), Serving);
    let chunks = [Some(bytes::Bytes::from_static(b"abc")), None];
    let put = node.client().await.put_blob(3, futures::stream::iter(chunks)).await;
    assert_eq!(put.map(|put| put.size), Ok(3));
    drop(done);
    let next = tokio::time::timeout(LIMIT, told.message()).await.unwrap().unwrap().unwrap();
    assert_eq!(next.status(), Serving);
}

#[tokio::test]
async fn a_stock_client_sees_the_health_of_services() {
    use tonic_health::pb::health_check_response::ServingStatus::{
        NotServing, ServiceUnknown, Serving,
    };
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

    let mut node = FakeNode::start(view());
    let uri = format!("unix:{}", node.dir.path().join(SOCKET_NAME).display());
    let channel = tonic::transport::Endpoint::new(uri).unwrap().connect().await.unwrap();
    let mut client = HealthClient::new(channel);
    let of = |service: &str| HealthCheckRequest { service: service.to_owned() };
    let web = client.check(of("web")).await.unwrap().into_inner();
    assert_eq!(web.status(), Serving);
    let err = client.check(of("ntp3")).await.unwrap_err();
    assert_eq!(err.code(), tonic::Code::NotFound, "it is another node's");
    let mut told = client.watch(of("batch")).await.unwrap().into_inner();
    let mut next = async || {
        let next = tokio::time::timeout(LIMIT, told.message()).await.unwrap();
        next.unwrap().map(|it| it.status())
    };
    assert_eq!(next().await, Some(ServiceUnknown));
    let key = |service: &str| ServiceKey {
        horde: "main".parse().unwrap(),
        service: service.parse().unwrap(),
        rev: "r1".parse().unwrap(),
        ordinal: 0,
    };
    let state = |web, batch| {
        node.health.state(vec![(key("web"), web)], BTreeMap::from([("batch".to_owned(), batch)]));
    };
    state(ServiceStatus::Down, true);
    assert_eq!(next().await, Some(Serving));
    let web = client.check(of("/dev/main/n1/web/r1")).await.unwrap().into_inner();
    assert_eq!(web.status(), NotServing);
    state(ServiceStatus::Up, false);
    assert_eq!(next().await, Some(NotServing));
    node.stop().await;
    assert_eq!(next().await, None, "the stream ends with the node");
}

#[tokio::test]
async fn stock_clients_find_health_and_reflection() {
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_request::MessageRequest,
        server_reflection_response::MessageResponse,
    };

    let node = FakeNode::start(view());
    let uri = format!("unix:{}", node.dir.path().join(SOCKET_NAME).display());
    let channel = tonic::transport::Endpoint::new(uri).unwrap().connect().await.unwrap();
    for service in ["", "crux.v1.Control"] {
        let request = HealthCheckRequest { service: service.to_owned() };
        let answer = HealthClient::new(channel.clone()).check(request).await.unwrap();
        assert_eq!(answer.into_inner().status, 1, "{service:?}");
    }
    let list = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(channel);
    let stream = client.server_reflection_info(tokio_stream::once(list)).await.unwrap();
    let answer = stream.into_inner().message().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("{answer:?}");
    };
    let names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    for name in ["crux.v1.Control", "grpc.health.v1.Health"] {
        assert!(names.contains(&name.to_owned()), "{names:?}");
    }
}
