//! The loop between a fulcrum that is this test, a picket that is this test, and a real store.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use crux_crdt::Principal;
use crux_crdt::canon::Canonical as _;
use crux_crdt::document::{Body, Document, Documents, Target};
use crux_crdt::name::ServiceName;
use crux_crdt::record::{
    Amount, First, InstanceKey, InstanceReport, NameTag, Pass, PlanKey, SlotKind as _, Stage,
};
use crux_crdt::service::{self, Config, Fields};
use crux_crdt::sign::Identity;
use crux_picket::link::{FromFulcrum, FromPicket, Link};
use crux_protocol::flock::Control;
use crux_protocol::picket::{Goal, Order, Owned, OwnedRow};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::*;
use crate::blobs::{self, Blobs};
use crate::fulcrum::health::Health;
use crate::fulcrum::request::Reply;
use crate::fulcrum::{Handle, Processes};
use crate::picket::{self, Tie};
use crate::view::View;
use crate::view::testing::view;

const LIMIT: Duration = Duration::from_secs(10);

struct Fixture {
    _dir: tempfile::TempDir,
    blobs: Blobs,
    views: watch::Sender<Arc<View>>,
    enacted: watch::Receiver<Arc<Enacted>>,
    requests: mpsc::Receiver<Request>,
    /// Kept open.
    _ends: (oneshot::Receiver<()>, mpsc::Receiver<()>),
    link: Link<FromFulcrum, FromPicket>,
}

impl Fixture {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(blobs::Config::new(vec![dir.path().join("blobs")])).await.unwrap();
        let (views, view) = watch::channel(Arc::new(view()));
        let (queue, requests) = mpsc::channel(1);
        let (mine, stream) = UnixStream::pair().unwrap();
        let (stop, stopped) = oneshot::channel();
        let (reload, reloads) = mpsc::channel(1);
        let addresses = vec!["127.0.0.1:7117".parse().unwrap()];
        let tie = Tie { stream, picket: 1, stop, reload, addresses };
        let processes = Processes { fulcrum: 2, picket: Some(1) };
        let handle = Handle { view: view.clone(), requests: queue.clone(), processes };
        let pantry = Pantry { blobs: blobs.clone(), wishes: None };
        let (health, _) = Health::of_picket();
        let (placer, placing) = picket::placing();
        tokio::spawn(picket::serve(tie, handle, pantry.clone(), health, placing));
        let (horde, machine) = (Label::main_horde(), Machine::X86_64);
        let (shown, enacted) = watch::channel(Arc::default());
        let fulcrum = queue;
        let wiring = Wiring { horde, machine, views: view, placer, pantry, fulcrum, shown };
        tokio::spawn(run(wiring));
        let link = Link::new(mine).unwrap();
        Self { _dir: dir, blobs, views, enacted, requests, _ends: (stopped, reloads), link }
    }

    /// The fulcrum shows another target and another plan.
    fn show(&self, documents: Documents, plans: Vec<Assignment>) {
        let documents = Arc::new(documents);
        self.views.send_replace(Arc::new(View { documents, plans, ..view() }));
    }

    /// The picket says what the target has here.
    fn own(&mut self, order: Option<Order>, rows: Vec<OwnedRow>) {
        self.link.send(&FromPicket::Owned { order, rows }).unwrap();
    }

    /// The next set that the picket is handed, which it accepts or not.
    async fn handed(&mut self, outcome: Result<(), crate::Error>) -> Goals {
        loop {
            let message = timeout(LIMIT, self.link.next()).await.unwrap().unwrap();
            let FromFulcrum::Goals { seq, goals } = message else { continue };
            let outcome = outcome.map_err(|error| (&error).into());
            self.link.send(&FromPicket::Done { seq, outcome }).unwrap();
            return goals;
        }
    }

    /// The next statement for the record, which becomes durable.
    async fn said(&mut self) -> Vec<(InstanceKey, u16)> {
        let request = async {
            tokio::select! {
                request = self.requests.recv() => request.unwrap(),
                said = self.link.next() => panic!("{said:?}"),
            }
        };
        let request = timeout(LIMIT, request).await.unwrap();
        let Request::Engine(Control::Set(set), Reply::Done(reply)) = request else {
            panic!("{request:?}")
        };
        reply.send(Ok(())).unwrap();
        let report = set.slots().find_map(|slot| InstanceReport::of(slot));
        report.map(|report| report.lines().collect()).unwrap_or_default()
    }
}

fn pass() -> Pass {
    Pass { term: 1, leader: Principal([3; 32]), pass: 1 }
}

fn first() -> First {
    pass().into()
}

fn name() -> ServiceName {
    "web".parse().unwrap()
}

fn config(blob: BlobId) -> Config {
    Fields::new(name(), service::Image::Blob(blob)).try_into().unwrap()
}

/// A target with one service, as its document, and a plan that has two instances of it here.
fn placed(blob: BlobId) -> (Documents, Assignment) {
    let horde = Label::main_horde();
    let config = config(blob);
    let spec = config.spec_tag();
    let program = "pick(web, 2, ALL)".to_owned();
    let target = Target::new(&horde, program, [config], String::new(), Vec::new()).unwrap();
    let body = Body::new(Target::key(&horde), 1, 1, Some(target.to_canonical().into()));
    let operator = Identity::from_seed(&[1; 32]);
    let document = Arc::new(Document::sign(body, &view().flock_id, &operator, None).unwrap());
    let order = Order { target: document.marker(), pass: pass() };
    let mut documents = Documents::default();
    _ = documents.merge(document);
    let entry = PlanKey { service: name(), spec, first: first() };
    let amount = Amount::new(2, 2).unwrap();
    (documents, Assignment { order, entries: [(entry, amount)].into() })
}

/// What the target is said to have here.
fn rows(of: &Config, stage: Stage, count: u16) -> (Vec<OwnedRow>, Vec<(InstanceKey, u16)>) {
    let (service, spec, first) = (name(), of.spec_tag(), first());
    let key = InstanceKey { service: NameTag::of(&service), spec, stage, first };
    (vec![OwnedRow { service, spec, stage, first, count }], vec![(key, count)])
}

#[tokio::test]
async fn a_plan_becomes_goals_and_what_the_picket_has_of_it_is_said() {
    let mut node = Fixture::start().await;
    let image = node.blobs.put(&b"#!/bin/sh\n"[..]).await.unwrap();
    let (documents, plan) = placed(image.blob);
    node.show(documents, vec![plan.clone()]);
    node.own(None, Vec::new());
    // The image is not known yet, and the picket may have the version.
    let goals = node.handed(Ok(())).await;
    assert!(matches!(goals.services().get(&name()), Some(Goal::Had { .. })), "{goals:?}");
    let goals = node.handed(Ok(())).await;
    assert_eq!(goals.order(), plan.order);
    let Some(Goal::Run(assigned)) = goals.services().get(&name()) else { panic!("{goals:?}") };
    assert_eq!((assigned.spec(), assigned.config().count), (config(image.blob).spec_tag(), 2));
    assert_eq!(assigned.image().descriptor, image);
    assert!(std::fs::read(&assigned.image().path).is_ok_and(|bytes| bytes == b"#!/bin/sh\n"));
    assert_eq!(node.said().await, [], "what an earlier process said is not known");
    let (has, said) = rows(assigned.config(), Stage::Ready, 2);
    node.own(Some(plan.order), has.clone());
    assert_eq!(node.said().await, said);
    // Those who ask see both.
    let shown = node.enacted.borrow().clone();
    assert_eq!((shown.goals.as_ref(), &shown.rows), (Some(&goals), &has));
}

#[tokio::test]
async fn an_image_that_nobody_has_is_said_of_nothing_and_the_set_is_handed_in_all_the_same() {
    let mut node = Fixture::start().await;
    let (documents, plan) = placed(BlobId([9; 32]));
    let spec = config(BlobId([9; 32])).spec_tag();
    node.own(None, Vec::new());
    node.show(documents, vec![plan]);
    let goals = node.handed(Ok(())).await;
    let goal = goals.services().get(&name());
    assert!(matches!(goal, Some(Goal::Had { spec: found, .. }) if *found == spec), "{goals:?}");
    assert_eq!(node.said().await, []);
}

#[tokio::test]
async fn an_image_is_held_as_long_as_the_plan_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(blobs::Config::new(vec![dir.path().join("blobs")])).await.unwrap();
    let image = blobs.put(&b"#!/bin/sh\n"[..]).await.unwrap();
    let (documents, plan) = placed(image.blob);
    let order = plan.order;
    let show = |plan| {
        let documents = Arc::new(documents.clone());
        Arc::new(View { documents, plans: vec![plan], ..view() })
    };
    let (shown, views) = watch::channel(show(plan));
    let (placer, _placing) = picket::placing();
    let (fulcrum, _requests) = mpsc::channel(1);
    let pantry = Pantry { blobs, wishes: None };
    let (horde, machine) = (Label::main_horde(), Machine::X86_64);
    let (shown_goals, _) = watch::channel(Arc::default());
    let wiring = Wiring { horde, machine, views, placer, pantry, fulcrum, shown: shown_goals };
    let mut proctor = Proctor::new(wiring);
    let event = proctor.look().unwrap();
    proctor.handle(event);
    assert!(proctor.look().is_none(), "it is what it was");
    proctor.handle(Event::Owned(Owned::default()));
    while proctor.held.is_empty() {
        // Those that wait for a picket and a fulcrum never end.
        let done = timeout(LIMIT, proctor.under_way.next()).await.unwrap().unwrap();
        let event = proctor.take(done);
        proctor.handle(event);
    }
    assert_eq!(proctor.held.keys().collect::<Vec<_>>(), [&image.blob]);
    let next = Order { pass: Pass { pass: 2, ..order.pass }, ..order };
    shown.send_replace(show(Assignment { order: next, entries: [].into() }));
    let event = proctor.look().unwrap();
    proctor.handle(event);
    assert!(proctor.held.is_empty());
}
