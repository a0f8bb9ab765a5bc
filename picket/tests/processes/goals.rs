//! Goals of a target, handed to a whole picket by a fulcrum that only passes it on.

use std::collections::BTreeMap;
use std::fs;

use crux_client::Kind;
use crux_client::model::{Instance, InstanceState};
use crux_client::op::{AddService, Goal as Until, RemoveService, RestartService, StopService};
use crux_crdt::blob::{BlobId, Descriptor, Root};
use crux_crdt::document::Marker;
use crux_crdt::name::ServiceName;
use crux_crdt::record::{Pass, Stage};
use crux_crdt::service::Config;
use crux_crdt::{Digest, Principal};
use crux_picket::link::{Failure, FromFulcrum, FromPicket};
use crux_picket::tree::Process;
use crux_protocol::picket::{Assigned, Batch, Batches, Goal, Goals, Image, Order, OwnedRow};
use rustix::process::Signal;

use crate::picket::{Picket, process, until};
use crate::services::{PORTS, SERVER, SLEEPER};

pub(crate) const TESTS: &[crate::Test] = &[
    (
        "goals::a_set_runs_is_reported_and_people_do_not_stop_it",
        a_set_runs_is_reported_and_people_do_not_stop_it,
    ),
    ("goals::a_node_alone_continues_with_the_last_set", a_node_alone_continues_with_the_last_set),
    ("goals::what_is_in_the_way_stays", what_is_in_the_way_stays),
    ("goals::a_period_alone_restarts_nothing", a_period_alone_restarts_nothing),
];

const fn pass(pass: u64) -> Pass {
    Pass { term: 1, leader: Principal([1; 32]), pass }
}

const fn order(generation: u64, of: u64) -> Order {
    let target = Marker { grants_version: 1, generation, id: Digest([2; 32]) };
    Order { target, pass: pass(of) }
}

/// One instance of a script.
fn run(picket: &Picket, name: &str, script: &str, more: &str) -> (ServiceName, Goal) {
    let blob: BlobId = picket.script(script).parse().unwrap();
    let config = format!(r#"{{"name": "{name}", "image": "{blob}", "drain": "0ms"{more}}}"#);
    let config: Config = serde_json::from_str(&config).unwrap();
    let path = picket.path("blobs").join(blob.to_string());
    let source = crux_picket::image::source_of(&path).unwrap();
    let descriptor = Descriptor { blob, root: Root(source.root), size: source.size };
    let image = Image { descriptor, path: path.to_str().unwrap().to_owned() };
    let batches = Batches::new(vec![Batch { first: pass(1).into(), count: 1 }]).unwrap();
    let assigned = Assigned::new(&config, image, batches).unwrap();
    (name.parse().unwrap(), Goal::Run(Box::new(assigned)))
}

/// Hands in a set, and waits for its answer.
fn hand(picket: &mut Picket, order: Order, all: Vec<(ServiceName, Goal)>) -> Result<(), Failure> {
    let goals = Goals::new(order, BTreeMap::from_iter(all)).unwrap();
    let message = serde_json::to_string(&FromFulcrum::Goals { seq: 7, goals }).unwrap();
    let done = picket.path("goals.done");
    fs::remove_file(&done).ok();
    fs::write(picket.path("goals.new"), message).unwrap();
    fs::rename(picket.path("goals.new"), picket.path("goals")).unwrap();
    let answer = |_: &Picket| fs::read_to_string(&done).is_ok_and(|text| text.ends_with('\n'));
    picket.until("the set is answered", answer);
    match serde_json::from_str(&fs::read_to_string(&done).unwrap()).unwrap() {
        FromPicket::Done { seq: 7, outcome } => outcome,
        other => panic!("{other:?}"),
    }
}

/// The last list of what the target placed, and how many lists there were.
fn owned(picket: &Picket) -> (Option<Order>, Vec<OwnedRow>, usize) {
    let text = fs::read_to_string(picket.path("owned")).unwrap_or_default();
    let lines: Vec<&str> = text.split_inclusive('\n').filter(|line| line.ends_with('\n')).collect();
    match lines.last().map(|line| serde_json::from_str(line).unwrap()) {
        Some(FromPicket::Owned { order, rows }) => (order, rows, lines.len()),
        None => (None, Vec::new(), 0),
        other => panic!("{other:?}"),
    }
}

fn stages(picket: &Picket) -> Vec<(String, Stage)> {
    owned(picket).1.iter().map(|row| (row.service.to_string(), row.stage)).collect()
}

fn are(picket: &mut Picket, expected: &[(&str, Stage)]) {
    let expected: Vec<_> = expected.iter().map(|(name, it)| ((*name).to_owned(), *it)).collect();
    picket.until(&format!("{expected:?}"), |picket| stages(picket) == expected);
}

fn row(picket: &Picket, name: &str) -> Option<Instance> {
    picket.rows().into_iter().find(|row| row.service.as_str() == name)
}

fn pid(picket: &Picket, name: &str) -> Process {
    process(&row(picket, name).unwrap())
}

fn a_set_runs_is_reported_and_people_do_not_stop_it() {
    let mut picket = Picket::new();
    picket.until("that there is none is said", |picket| owned(picket) == (None, Vec::new(), 1));
    let web = run(&picket, "web", SERVER, PORTS);
    let job = run(&picket, "job", SLEEPER, "");
    hand(&mut picket, order(3, 1), vec![web.clone(), job]).unwrap();
    are(&mut picket, &[("job", Stage::Ready), ("web", Stage::Ready)]);
    assert_eq!(owned(&picket).0, Some(order(3, 1)));
    assert!(picket.registered().starts_with("+ web "), "{}", picket.registered());
    let first = pid(&picket, "web");

    let service: ServiceName = "web".parse().unwrap();
    let stop = StopService { service: service.clone(), until: until(Until::Up) };
    let remove = RemoveService { service: service.clone(), until: until(Until::Up) };
    for error in [picket.ask(&stop).unwrap_err(), picket.ask(&remove).unwrap_err()] {
        assert_eq!(error.kind(), Kind::Refused, "{error}");
        assert_eq!(error.to_string(), "service web belongs to the target");
        assert!(error.hint().unwrap().contains("drain"), "{error:?}");
    }
    let Goal::Run(same) = &web.1 else { panic!("it runs") };
    let add = AddService { config: same.config().clone(), until: until(Until::Up) };
    assert_eq!(picket.ask(&add).unwrap_err().kind(), Kind::Refused);
    assert_eq!(pid(&picket, "web"), first);
    picket.ask(&RestartService { service, until: until(Until::Up) }).unwrap();
    assert_ne!(pid(&picket, "web"), first);

    let other = pid(&picket, "job");
    hand(&mut picket, order(3, 2), vec![web]).unwrap();
    are(&mut picket, &[("web", Stage::Ready)]);
    assert!(!other.is_alive(), "it is gone once it is not in the list");
    let refused = hand(&mut picket, order(2, 9), Vec::new()).unwrap_err();
    assert_eq!(refused.kind, "generation", "{refused:?}");
    assert!(pid(&picket, "web").is_alive());
    hand(&mut picket, order(4, 3), Vec::new()).unwrap();
    are(&mut picket, &[]);
    assert_eq!(picket.rows(), []);
    picket.stop();
}

/// No fulcrum, a picket that was killed, and a program that ends meanwhile.
fn a_node_alone_continues_with_the_last_set() {
    let mut picket = Picket::new();
    let web = run(&picket, "web", SLEEPER, "");
    hand(&mut picket, order(3, 1), vec![web]).unwrap();
    are(&mut picket, &[("web", Stage::Ready)]);
    let before = owned(&picket).2;
    picket.end_fulcrum("io");
    // The next one knows nothing, and is told all of it.
    picket.until("the list is said again", |picket| owned(picket).2 > before);
    are(&mut picket, &[("web", Stage::Ready)]);
    assert_eq!(owned(&picket).0, Some(order(3, 1)));

    fs::write(picket.path("no-fulcrum"), "").unwrap();
    let first = pid(&picket, "web");
    picket.kill();
    first.signal(Signal::KILL);
    picket.start();
    let is_another = |picket: &Picket| {
        let row = row(picket, "web").filter(|row| row.state == InstanceState::Up);
        row.is_some_and(|row| process(&row) != first)
    };
    picket.until("it runs again", is_another);
    let before = owned(&picket).2;
    fs::remove_file(picket.path("no-fulcrum")).unwrap();
    picket.until("the fulcrum is back", |picket| owned(picket).2 > before);
    are(&mut picket, &[("web", Stage::Ready)]);
    let refused = hand(&mut picket, order(3, 0), Vec::new()).unwrap_err();
    assert_eq!(refused.kind, "generation", "also after all that");
    picket.stop();
}

fn what_is_in_the_way_stays() {
    let mut picket = Picket::new();
    picket.add("web", SLEEPER, "").unwrap();
    let mine = pid(&picket, "web");
    let theirs = run(&picket, "web", "echo theirs; exec sleep 1000", "");
    hand(&mut picket, order(3, 1), vec![theirs]).unwrap();
    are(&mut picket, &[("web", Stage::Blocked)]);
    assert_eq!(pid(&picket, "web"), mine);
    let service = "web".parse().unwrap();
    picket.ask(&RemoveService { service, until: until(Until::Up) }).unwrap();
    assert!(!mine.is_alive());
    are(&mut picket, &[("web", Stage::Ready)]);
    let required = r#", "limits": {"memory": "64MiB", "required": true}"#;
    let strict = run(&picket, "strict", SLEEPER, required);
    hand(&mut picket, order(3, 2), vec![strict]).unwrap();
    are(&mut picket, &[("strict", Stage::Failed)]);
    picket.stop();
}

fn a_period_alone_restarts_nothing() {
    let mut picket = Picket::new();
    let with_period = |picket: &Picket, period: &str| {
        run(picket, "web", SERVER, &format!(r#"{PORTS}, "period": "{period}""#))
    };
    let spec = |goal: &Goal| match goal {
        Goal::Run(goal) => goal.spec(),
        other => panic!("{other:?}"),
    };
    let (slow, fast) = (with_period(&picket, "10s"), with_period(&picket, "1s"));
    hand(&mut picket, order(3, 1), vec![slow.clone()]).unwrap();
    are(&mut picket, &[("web", Stage::Ready)]);
    assert_eq!(owned(&picket).1[0].spec, spec(&slow.1));
    let before = pid(&picket, "web");
    hand(&mut picket, order(4, 2), vec![fast.clone()]).unwrap();
    picket.until(
        "it is the other version",
        |picket| matches!(&*owned(picket).1, [row] if row.spec == spec(&fast.1)),
    );
    are(&mut picket, &[("web", Stage::Ready)]);
    assert_eq!(pid(&picket, "web"), before);
    picket.stop();
}
