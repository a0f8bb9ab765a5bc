//! Targets as a program that speaks gRPC sees them: signed elsewhere, planned, taken in, and compared with what runs.

use crux_client::model::{GoalCount, RunningInstances, TargetState};
use crux_client::op::{ApplyTarget, CheckGoals, GetTargetStatus, PlanTarget, ShowTarget};
use crux_crdt::blob::{BlobId, Descriptor, Root};
use crux_crdt::canon::Canonical as _;
use crux_crdt::document::{Body, Document, Key, Marker, Target};
use crux_crdt::name::{Label, ServiceName};
use crux_crdt::record::{First, Pass, Stage};
use crux_crdt::service::{Config, Fields, Image};
use crux_crdt::sign::Identity;
use crux_crdt::{Digest, Principal};
use crux_protocol::proctor::{Assigned, Batch, Batches, Goal, Goals, Order, OwnedRow};

use super::*;

const OPERATOR: [u8; 32] = [1; 32];

fn node() -> FakeNode {
    let operator = Some(Identity::from_seed(&OPERATOR).principal());
    FakeNode::start(View { operator, ..view() })
}

fn web() -> ServiceName {
    "web".parse().unwrap()
}

fn config() -> Config {
    Fields::new(web(), Image::Blob(BlobId([5; 32]))).try_into().unwrap()
}

fn target(program: &str) -> Vec<u8> {
    let (horde, note) = (Label::main_horde(), "a note".to_owned());
    Target::new(&horde, program.to_owned(), [config()], note, vec![]).unwrap().to_canonical()
}

/// Signed by the operator.
fn signed(key: Key, generation: u64, content: &[u8]) -> Vec<u8> {
    let body = Body::new(key, 1, generation, Some(content.into()));
    let operator = Identity::from_seed(&OPERATOR);
    Document::sign(body, &view().flock_id, &operator, None).unwrap().sealed()
}

fn apply(key: Key, generation: u64, content: &[u8], plan: Option<Digest>) -> ApplyTarget {
    let document = signed(key, generation, content);
    ApplyTarget { document, plan, sync: 0, sync_within: None }
}

#[tokio::test]
async fn a_signed_target_is_taken_in_if_its_plan_is_the_one_that_was_seen() {
    let node = node();
    let client = node.client().await;
    let kind = |err: Error| err.kind();
    assert_eq!(client.call(&ShowTarget).await.map_err(kind), Err(Kind::NotFound));
    let status = client.call(&GetTargetStatus).await;
    assert_eq!(status.map_err(kind), Err(Kind::NotFound));
    let content = target("pick(web, 2, ALL)");
    let plan = client.call(&PlanTarget { target: content.clone(), expected: None }).await.unwrap();
    assert_eq!((plan.base.clone(), plan.steps.len()), (None, 2));
    let key = || Target::key(&Label::main_horde());
    // Another program, another document, and one that deletes the target.
    let other = target("pick(web, 1, ALL)");
    let refused = client.call(&apply(key(), 1, &other, Some(plan.id))).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Conflict);
    let wrong = Key::new("setting/main/x").unwrap();
    let refused = client.call(&apply(wrong, 1, &content, None)).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::InvalidArgument);
    assert_eq!(client.call(&ShowTarget).await.map_err(kind), Err(Kind::NotFound));
    let written = client.call(&apply(key(), 1, &content, Some(plan.id))).await.unwrap();
    assert_eq!(written.generation, 1);
    let shown = client.call(&ShowTarget).await.unwrap();
    assert_eq!((shown.generation, &*shown.program), (1, "pick(web, 2, ALL)"));
    assert_eq!((&*shown.note, &*shown.by.name), ("a note", "operator"));
    assert_eq!(shown.services, [config()]);
    let status = client.call(&GetTargetStatus).await.unwrap();
    assert_eq!((status.generation, status.state), (1, TargetState::Changing));
    // Of the same content, but the target before is another one.
    let late = client.call(&apply(key(), 2, &content, Some(plan.id))).await.unwrap_err();
    assert_eq!(late.kind(), Kind::Conflict);
}

#[tokio::test]
async fn what_is_no_target_is_not_planned() {
    let node = node();
    let client = node.client().await;
    let plan = async |target: Vec<u8>| {
        let plan = client.call(&PlanTarget { target, expected: None }).await;
        plan.map(|_| ()).map_err(|err| err.kind())
    };
    assert_eq!(plan(target("pick(web, 2, ALL)")).await, Ok(()));
    assert_eq!(plan(target("pick(web, 2, nowhere)")).await, Err(Kind::InvalidConfig));
    assert_eq!(plan(vec![]).await, Err(Kind::InvalidArgument));
    assert_eq!(plan(vec![0xff; 100]).await, Err(Kind::InvalidArgument));
    let too_long = vec![0; crux_crdt::document::CONTENT_MAX + 1];
    assert_eq!(plan(too_long).await, Err(Kind::TargetTooLarge));
}

/// Two instances of `web`, planned by pass 3 of term 7.
fn goals() -> Goals {
    let pass = Pass { term: 7, leader: Principal([2; 32]), pass: 3 };
    let target = Marker { grants_version: 1, generation: 4, id: Digest([4; 32]) };
    let descriptor = Descriptor { blob: BlobId([5; 32]), root: Root([1; 32]), size: 1 };
    let image = crux_protocol::picket::Image { descriptor, path: "/image".to_owned() };
    let batches = Batches::new(vec![Batch { first: pass.into(), count: 2 }]).unwrap();
    let run = Goal::Run(Box::new(Assigned::new(&config(), image, batches).unwrap()));
    Goals::new(Order { target, pass }, [(web(), run)].into()).unwrap()
}

#[tokio::test]
async fn goals_are_compared_with_what_runs_here_or_as_the_caller_says() {
    let node = node();
    let client = node.client().await;
    let check = async |running| client.call(&CheckGoals { running }).await;
    assert_eq!(check(None).await.map_err(|err| err.kind()), Err(Kind::NotFound));
    let spec = config().on_node(2).unwrap().spec_tag();
    let first = First::default();
    let row = OwnedRow { service: web(), spec, stage: Stage::Ready, first, count: 1 };
    node.enacted.send_replace(Arc::new(Enacted { goals: Some(goals()), rows: vec![row] }));
    let count = |version, count| GoalCount { service: web(), version, count };
    let here = check(None).await.unwrap();
    assert_eq!((here.generation, here.pass, here.fence), (4, 3, 7));
    assert_eq!((here.add, here.deprecate, here.delete), (vec![count(spec, 1)], vec![], vec![]));
    assert_eq!(here.periods.len(), 1);
    let none = check(Some(vec![])).await.unwrap();
    assert_eq!(none.add, [count(spec, 2)]);
    // Another version serves until both of the wanted one do.
    let old = crux_crdt::service::SpecTag([9; 8]);
    let run = |version, count, ready| RunningInstances { service: web(), version, count, ready };
    let both = check(Some(vec![run(old, 1, 1), run(spec, 2, 1)])).await.unwrap();
    assert_eq!((both.add, both.deprecate, both.delete), (vec![], vec![count(old, 1)], vec![]));
    let both = check(Some(vec![run(old, 1, 1), run(spec, 2, 2)])).await.unwrap();
    assert_eq!((both.deprecate, both.delete), (vec![], vec![count(old, 1)]));
}
