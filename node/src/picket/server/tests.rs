//! A picket that is this test, a fake fulcrum behind the server, and a real store.

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use crux_client::parse;
use crux_crdt::Digest;
use crux_crdt::blob::{Descriptor, Root};
use crux_crdt::document::Marker;
use crux_crdt::name::ServiceName;
use crux_crdt::record::ServiceKey;
use crux_crdt::record::{Pass, Stage};
use crux_crdt::service::{self, Fields, SpecTag};
use crux_protocol::flock::Control;
use crux_protocol::picket::{Assigned, Batch, Batches, Goal, Goals, Image, Order, OwnedRow};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::super::{Placer, placing};
use super::*;
use crate::blobs::{Blobs, Config};
use crate::fulcrum::request::{Reply, Request};
use crate::fulcrum::{Processes, health};
use crate::view::testing::{principal, view};

const LIMIT: Duration = Duration::from_secs(10);

struct Fixture {
    _dir: tempfile::TempDir,
    picket: Link<FromFulcrum, FromPicket>,
    queue: mpsc::Receiver<Request>,
    stopped: oneshot::Receiver<()>,
    reloads: mpsc::Receiver<()>,
    stated: watch::Receiver<health::Stated>,
    blobs: Blobs,
    placer: Placer,
    served: JoinHandle<Result<(), Error>>,
}

impl Fixture {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(Config::new(vec![dir.path().join("blobs")])).await.unwrap();
        let (_, view) = watch::channel(Arc::new(view()));
        let (requests, queue) = mpsc::channel(1);
        let (mine, stream) = UnixStream::pair().unwrap();
        let (stop, stopped) = oneshot::channel();
        let (reload, reloads) = mpsc::channel(1);
        let addresses = vec!["127.0.0.1:7117".parse().unwrap()];
        let tie = Tie { stream, picket: 1, stop, reload, addresses };
        let processes = Processes { fulcrum: 2, picket: Some(1) };
        let handle = Handle { view, requests, processes };
        let pantry = Pantry { blobs: blobs.clone(), wishes: None };
        let (health, stated) = Health::of_picket();
        let (placer, placing) = placing();
        let served = tokio::spawn(serve(tie, handle, pantry, health, placing));
        let picket = Link::new(mine).unwrap();
        Self { _dir: dir, picket, queue, stopped, reloads, stated, blobs, placer, served }
    }

    async fn hear(&mut self) -> FromFulcrum {
        tokio::time::timeout(LIMIT, self.picket.next()).await.unwrap().unwrap()
    }

    async fn ready(&mut self) -> Ready {
        let hello = self.hear().await;
        assert_eq!(hello, FromFulcrum::Hello { version: VERSION, pid: std::process::id() });
        match self.hear().await {
            FromFulcrum::Ready(ready) => ready,
            other => panic!("{other:?}"),
        }
    }

    /// Says something, and answers what the fulcrum is asked for.
    async fn ask(
        &mut self,
        message: FromPicket,
        answer: Result<(), Error>,
    ) -> (Control, FromFulcrum) {
        self.picket.send(&message).unwrap();
        let asked = tokio::select! {
            request = self.queue.recv() => request.unwrap(),
            said = self.picket.next() => panic!("{said:?}"),
        };
        let Request::Engine(control, reply) = asked else { panic!("{asked:?}") };
        match reply {
            Reply::Done(reply) => drop(reply.send(answer)),
            Reply::Registered(reply) => {
                let registered = || crux_client::op::Registered {
                    path: "/dev/main/n1/web/r1".parse().unwrap(),
                    instance: "i".to_owned(),
                    net_id: view().services[0].net_id.clone(),
                };
                drop(reply.send(answer.map(|()| registered())));
            }
            other => panic!("{other:?}"),
        }
        (control, self.hear().await)
    }
}

fn goals(generation: u64) -> Goals {
    let target = Marker { grants_version: 1, generation, id: Digest([2; 32]) };
    let pass = Pass { term: 1, leader: principal("n1"), pass: 1 };
    let keep = [("web".parse().unwrap(), Goal::Keep)].into();
    Goals::new(Order { target, pass }, keep).unwrap()
}

#[tokio::test]
async fn goals_are_sent_once_the_node_serves_and_each_is_answered() {
    let mut node = Fixture::start().await;
    let hand = |placer: Placer, generation| {
        tokio::spawn(async move { placer.goals(goals(generation)).await })
    };
    // In the channel before anything is said.
    let first = hand(node.placer.clone(), 1);
    node.ready().await;
    let said = node.hear().await;
    assert_eq!(said, FromFulcrum::Goals { seq: 1, goals: goals(1) });
    let second = hand(node.placer.clone(), 2);
    assert_eq!(node.hear().await, FromFulcrum::Goals { seq: 2, goals: goals(2) });
    let old = Error::new(Kind::Generation, "a later one").with_hint("wait");
    // In any order; a number that nobody waits for is nothing.
    for (seq, outcome) in [(9, Ok(())), (2, Err((&old).into())), (1, Ok(()))] {
        node.picket.send(&FromPicket::Done { seq, outcome }).unwrap();
    }
    node.picket.flush().await.unwrap();
    let answered = |task: JoinHandle<_>| async move {
        tokio::time::timeout(LIMIT, task).await.unwrap().unwrap()
    };
    assert_eq!(answered(first).await, Ok(()));
    assert_eq!(answered(second).await.unwrap_err().kind(), Kind::Generation);
    // The node stops while somebody waits.
    let third = hand(node.placer.clone(), 3);
    node.hear().await;
    drop(node.picket);
    assert_eq!(answered(third).await.unwrap_err().kind(), Kind::ShuttingDown);
    assert_eq!(node.placer.goals(goals(4)).await.unwrap_err().kind(), Kind::ShuttingDown);
}

#[tokio::test]
async fn more_goals_than_the_picket_takes_are_answered_all_the_same() {
    let mut node = Fixture::start().await;
    node.ready().await;
    let wait = |generation| {
        let placer = node.placer.clone();
        tokio::spawn(async move { placer.goals(goals(generation)).await })
    };
    let waiting: Vec<_> = (0..GOALS_MAX as u64).map(wait).collect();
    for _ in &waiting {
        assert!(matches!(node.hear().await, FromFulcrum::Goals { .. }));
    }
    let refused = tokio::select! {
        answer = node.placer.goals(goals(9)) => answer.unwrap_err(),
        said = node.picket.next() => panic!("{said:?}"),
    };
    assert_eq!(refused.kind(), Kind::Busy);
    assert!(waiting.iter().all(|task| !task.is_finished()));
}

/// A set that the link does not take is its caller's matter, and not the end of the link.
#[tokio::test]
async fn goals_that_are_too_long_are_refused() {
    let mut node = Fixture::start().await;
    node.ready().await;
    let mut all = BTreeMap::new();
    for number in 0..100 {
        let blob = BlobId([1; 32]);
        let name: ServiceName = format!("s{number}").parse().unwrap();
        let mut fields = Fields::new(name.clone(), service::Image::Blob(blob));
        fields.args = vec!["x".repeat(20_000)];
        let descriptor = Descriptor { blob, root: Root([2; 32]), size: 1 };
        let image = Image { descriptor, path: "/x".to_owned() };
        let first = goals(1).order().pass.into();
        let batches = Batches::new(vec![Batch { first, count: 1 }]).unwrap();
        let assigned = Assigned::new(&fields.try_into().unwrap(), image, batches).unwrap();
        all.insert(name, Goal::Run(Box::new(assigned)));
    }
    let large = Goals::new(goals(1).order(), all).unwrap();
    let placer = node.placer.clone();
    let refused = tokio::select! {
        answer = placer.goals(large) => answer.unwrap_err(),
        said = node.picket.next() => panic!("{said:?}"),
    };
    assert_eq!(refused.kind(), Kind::LimitReached, "{refused}");
    let next = tokio::spawn(async move { placer.goals(goals(2)).await });
    assert!(matches!(node.hear().await, FromFulcrum::Goals { .. }), "it continues");
    next.abort();
}

#[tokio::test]
async fn the_last_list_of_the_picket_is_shown() {
    let mut node = Fixture::start().await;
    node.ready().await;
    let mut owned = node.placer.owned();
    assert_eq!(*owned.borrow_and_update(), None, "it did not say yet");
    let row = |stage| OwnedRow {
        service: "web".parse().unwrap(),
        spec: SpecTag([3; 8]),
        stage,
        first: goals(1).order().pass.into(),
        count: 2,
    };
    for (order, rows) in [
        (None, Vec::new()),
        (Some(goals(1).order()), vec![row(Stage::Starting)]),
        (Some(goals(2).order()), vec![row(Stage::Ready), row(Stage::Blocked)]),
    ] {
        node.picket.send(&FromPicket::Owned { order, rows: rows.clone() }).unwrap();
        node.picket.flush().await.unwrap();
        let last = owned.wait_for(|owned| owned.as_ref().is_some_and(|it| it.order == order));
        let last = tokio::time::timeout(LIMIT, last).await.unwrap().unwrap().clone();
        assert_eq!(last, Some(Owned { order, rows }));
    }
}

fn key() -> ServiceKey {
    parse::service_key("", "web", "r1", 2).unwrap()
}

fn register(seq: u64) -> FromPicket {
    let labels = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
    FromPicket::Register { seq, key: key(), endpoint: "127.0.0.1:80".parse().unwrap(), labels }
}

#[tokio::test]
async fn it_says_what_the_node_is_once_that_is_ready() {
    let mut node = Fixture::start().await;
    let ready = node.ready().await;
    assert_eq!((ready.principal, ready.node.as_str()), (principal("n1"), "n1"));
    assert_eq!(ready.addresses.len(), 1);
}

#[tokio::test]
async fn registrations_are_made_without_a_lease_and_withdrawn() {
    let mut node = Fixture::start().await;
    node.ready().await;
    let (asked, said) = node.ask(register(7), Ok(())).await;
    let Control::Register { key: asked, lease: None, sync: 0, labels, .. } = asked else {
        panic!("{asked:?}")
    };
    assert_eq!((asked, labels.len()), (key(), 1));
    assert_eq!(said, FromFulcrum::Done { seq: 7, outcome: Ok(()) });
    let full = Error::new(Kind::DiskFull, "no room").with_hint("make room");
    let (_, said) = node.ask(register(8), Err(full.clone())).await;
    assert_eq!(said, FromFulcrum::Done { seq: 8, outcome: Err(Failure::from(&full)) });
    let missing = Error::new(Kind::NotFound, "nothing there");
    for answer in [Ok(()), Err(missing)] {
        let (asked, said) = node.ask(FromPicket::Withdraw { seq: 9, key: key() }, answer).await;
        assert!(matches!(asked, Control::Deregister(asked) if asked == key()));
        assert_eq!(said, FromFulcrum::Done { seq: 9, outcome: Ok(()) });
    }
}

#[tokio::test]
async fn the_health_of_services_is_what_the_picket_states() {
    use crux_client::model::ServiceStatus;
    let mut node = Fixture::start().await;
    node.ready().await;
    assert_eq!(node.stated.borrow().picket, health::Picket::Attached);
    assert!(node.stated.borrow().services.is_none());
    let services = vec![Stated { key: key(), status: ServiceStatus::Degraded }];
    let named = BTreeMap::from([("web-v1-1-a".to_owned(), true)]);
    node.picket.send(&FromPicket::Health { services, named: named.clone() }).unwrap();
    node.picket.flush().await.unwrap();
    let stated = node.stated.wait_for(|stated| stated.services.is_some());
    let stated = tokio::time::timeout(LIMIT, stated).await.unwrap().unwrap().clone();
    assert_eq!(stated.services, Some(BTreeMap::from([(key(), ServiceStatus::Degraded)])));
    assert_eq!(stated.named, named);
}

#[tokio::test]
async fn more_requests_than_it_takes_are_answered_all_the_same() {
    let mut node = Fixture::start().await;
    node.ready().await;
    let beyond = REQUESTS_MAX as u64;
    for seq in 0..beyond + 3 {
        node.picket.send(&register(seq)).unwrap();
    }
    for seq in beyond..beyond + 3 {
        match node.hear().await {
            FromFulcrum::Done { seq: answered, outcome: Err(failure) } => {
                assert_eq!((answered, failure.kind.as_str()), (seq, "busy"));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_image_is_given_with_its_path_and_held_while_it_is_wanted() {
    let mut node = Fixture::start().await;
    node.ready().await;
    let put = node.blobs.put(&b"a program"[..]).await.unwrap();
    let id = put.blob;
    node.picket.send(&FromPicket::Pins { blobs: vec![id] }).unwrap();
    node.picket.send(&FromPicket::Image { seq: 1, blob: id }).unwrap();
    match node.hear().await {
        FromFulcrum::ImageReady { seq: 1, descriptor, path } => {
            assert_eq!(descriptor, put);
            assert_eq!(std::fs::read(path).unwrap(), b"a program");
        }
        other => panic!("{other:?}"),
    }
    let unknown = BlobId([7; 32]);
    node.picket.send(&FromPicket::Image { seq: 2, blob: unknown }).unwrap();
    match node.hear().await {
        FromFulcrum::ImageFailed { seq: 2, failure } => assert_eq!(failure.kind, "blob_unknown"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn it_stops_and_reloads_when_the_picket_says_so() {
    let mut node = Fixture::start().await;
    node.ready().await;
    for _ in 0..3 {
        node.picket.send(&FromPicket::Reload).unwrap();
    }
    node.picket.send(&FromPicket::Stop).unwrap();
    node.picket.send(&FromPicket::Stop).unwrap();
    node.picket.flush().await.unwrap();
    tokio::time::timeout(LIMIT, &mut node.stopped).await.unwrap().unwrap();
    assert_eq!(node.reloads.try_recv(), Ok(()));
    assert!(!node.served.is_finished(), "it serves until it is dropped");
}

#[tokio::test]
async fn a_picket_that_is_gone_or_babbles_ends_the_part() {
    let mut node = Fixture::start().await;
    node.ready().await;
    drop(node.picket);
    let ended = tokio::time::timeout(LIMIT, node.served).await.unwrap().unwrap();
    assert!(ended.unwrap_err().to_string().contains("link to the picket"));
    let mut node = Fixture::start().await;
    node.ready().await;
    let settings = serde_json::Value::Null;
    let hello = crux_picket::link::Hello { version: VERSION, picket: 1, settings };
    node.picket.send(&FromPicket::Hello(hello)).unwrap();
    node.picket.flush().await.unwrap();
    assert!(tokio::time::timeout(LIMIT, node.served).await.unwrap().unwrap().is_err());
}

#[test]
fn pins_are_held_from_the_moment_that_they_are_here() {
    let [here, later, other] = [1, 2, 3].map(|n| BlobId([n; 32]));
    let mut pins = Pins::<&str>::default();
    pins.set(vec![here, later], |id| (id == here).then_some("at once"));
    pins.hold(later, "later");
    pins.hold(other, "nobody wants it");
    assert_eq!(pins.held, BTreeMap::from([(here, "at once"), (later, "later")]));
    pins.set(vec![later], |_| Some("held twice"));
    assert_eq!(pins.held, BTreeMap::from([(later, "later")]));
}

/// A blob that services need is not evicted to make room.
#[tokio::test]
async fn what_is_pinned_is_not_evicted() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::new(vec![dir.path().join("blobs")]);
    config.quota = Some(300_000);
    let blobs = Blobs::open(config).await.unwrap();
    let put = async |byte: u8| blobs.put(&vec![byte; 100_000][..]).await.map(|put| put.blob);
    let pinned = put(1).await.unwrap();
    let mut pins = Pins::default();
    pins.set(vec![pinned], |id| blobs.hold(id).ok());
    for byte in 2..9 {
        put(byte).await.unwrap();
    }
    assert!(blobs.have(&pinned).is_some());
    pins.set(Vec::new(), |_| None::<Hold>);
    for byte in 9..16 {
        put(byte).await.unwrap();
    }
    assert!(blobs.have(&pinned).is_none(), "and the test could see that");
}

/// A person is asked before an image goes; the service itself may be gone by then.
#[tokio::test]
async fn an_image_of_a_service_is_not_removed_without_being_meant() {
    let mut node = Fixture::start().await;
    node.ready().await;
    let id = node.blobs.put(&b"a program"[..]).await.unwrap().blob;
    let tell = async |node: &mut Fixture, blobs: Vec<BlobId>| {
        node.picket.send(&FromPicket::Pins { blobs }).unwrap();
        // Answered after what came before it.
        node.picket.send(&FromPicket::Image { seq: 1, blob: id }).unwrap();
        assert!(matches!(node.hear().await, FromFulcrum::ImageReady { .. }));
    };
    tell(&mut node, vec![id]).await;
    let refused = node.blobs.remove_unpinned(id).await.unwrap_err();
    assert_eq!(refused, crate::blobs::BlobError::Image(id));
    assert!(node.blobs.have(&id).is_some());
    tell(&mut node, Vec::new()).await;
    node.blobs.remove_unpinned(id).await.unwrap();
    // And where it is meant.
    let id = node.blobs.put(&b"another one"[..]).await.unwrap().blob;
    node.picket.send(&FromPicket::Pins { blobs: vec![id] }).unwrap();
    node.picket.flush().await.unwrap();
    node.blobs.remove(id).await.unwrap();
    assert!(node.blobs.have(&id).is_none());
}
