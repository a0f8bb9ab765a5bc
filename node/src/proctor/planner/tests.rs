//! The loop between a fulcrum that is this test and a real store.

use std::collections::BTreeMap;
use std::time::Duration;

use crux_crdt::Principal;
use crux_crdt::canon::Canonical as _;
use crux_crdt::document::{Body, Document, Documents, Target};
use crux_crdt::record::{PlanHead, PlanSlot, SlotKind as _};
use crux_crdt::service::{self, Fields};
use crux_crdt::sign::Identity;
use crux_protocol::flock::Control;
use crux_protocol::leader::Claim;
use crux_protocol::proctor::planner::{Newest, Node, View as Nodes};
use tokio::sync::watch;
use tokio::time::timeout;

use super::*;
use crate::blobs::{self, Blobs};
use crate::fulcrum::request::Reply;
use crate::view::View;
use crate::view::testing::view;

const LIMIT: Duration = Duration::from_secs(10);

struct Fixture {
    _dir: tempfile::TempDir,
    views: watch::Sender<Arc<View>>,
    requests: mpsc::Receiver<Request>,
}

impl Fixture {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(blobs::Config::new(vec![dir.path().join("blobs")])).await.unwrap();
        let (views, view) = watch::channel(Arc::new(view()));
        let (fulcrum, requests) = mpsc::channel(1);
        let pantry = Pantry { blobs, wishes: None };
        tokio::spawn(run(Wiring { horde: Label::main_horde(), views: view, pantry, fulcrum }));
        Self { _dir: dir, views, requests }
    }

    /// The fulcrum shows a target of one service, and that this node leads.
    fn show(&self, leads: Option<Leads>) {
        let (documents, leads) = (Arc::new(target()), leads.map(Arc::new));
        self.views.send_replace(Arc::new(View { documents, leads, ..view() }));
    }

    async fn request(&mut self) -> (Control, Reply) {
        match timeout(LIMIT, self.requests.recv()).await.unwrap().unwrap() {
            Request::Engine(control, reply) => (control, reply),
            other => panic!("{other:?}"),
        }
    }

    /// The head of the next plan, which becomes durable.
    async fn planned(&mut self) -> PlanHead {
        let (control, reply) = self.request().await;
        let (Control::Set(slots), Reply::Done(reply)) = (control, reply) else { panic!("no plan") };
        reply.send(Ok(())).unwrap();
        let mut heads = slots.slots().filter_map(|slot| match PlanSlot::of(slot) {
            Some(PlanSlot::Head(head)) => Some(head.clone()),
            _ => None,
        });
        heads.next().unwrap()
    }
}

fn target() -> Documents {
    let horde = Label::main_horde();
    let image = service::Image::Blob(BlobId([9; 32]));
    let config = Fields::new("web".parse().unwrap(), image).try_into().unwrap();
    let program = "pick(web, 1, ALL)".to_owned();
    let target = Target::new(&horde, program, [config], String::new(), Vec::new()).unwrap();
    let body = Body::new(Target::key(&horde), 1, 1, Some(target.to_canonical().into()));
    let operator = Identity::from_seed(&[1; 32]);
    let document = Document::sign(body, &view().flock_id, &operator, None).unwrap();
    let mut documents = Documents::default();
    _ = documents.merge(Arc::new(document));
    documents
}

/// One live node, and the greatest plan that it sees.
fn leads(term: u64, newest: Option<Newest>) -> Leads {
    let node = Node { name: "n1".to_owned(), is_alive: true, ..Node::default() };
    Leads { term, nodes: Nodes { nodes: [(view().principal, node)].into() }, newest }
}

#[tokio::test]
async fn a_node_plans_while_it_leads() {
    let mut node = Fixture::start().await;
    node.show(None);
    node.show(Some(leads(7, None)));
    let head = node.planned().await;
    assert_eq!((head.term, head.pass), (7, 1));
    node.show(Some(leads(9, None)));
    let head = node.planned().await;
    assert_eq!((head.term, head.pass), (9, 1));
}

#[tokio::test]
async fn a_leader_under_a_plan_of_a_greater_term_asks_for_a_greater_one() {
    let mut node = Fixture::start().await;
    let pass = Pass { term: 8, leader: Principal([3; 32]), pass: 5 };
    let newest = Newest {
        pass,
        target: target().target(&Label::main_horde()).unwrap().marker(),
        failed: BTreeMap::new(),
        entries: BTreeMap::new(),
        holds: Default::default(),
        problems: Default::default(),
    };
    node.show(Some(leads(7, Some(newest.clone()))));
    let (control, reply) = node.request().await;
    assert_eq!(control, Control::Outbid(Claim { n: 8, principal: pass.leader }));
    let Reply::Done(reply) = reply else { panic!("it is done, or not") };
    reply.send(Ok(())).unwrap();
    node.show(Some(leads(9, Some(newest))));
    assert_eq!(node.planned().await.term, 9);
}
