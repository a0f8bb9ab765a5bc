//! How far an order to a node is carried out: by its own statement, and by the plan in force.

use std::collections::BTreeMap;

use crux_crdt::canon::Canonical as _;
use crux_crdt::document::{Document, Documents, NodeOrder, Target, Usage};
use crux_crdt::record::{
    Amount, First, Notes, Pass, PlanEntries, PlanKey, Profile, Record, Slot, SlotKind, Stage,
};
use crux_crdt::{Digest, Principal};
use crux_protocol::proctor::planner::Newest;
use crux_protocol::proctor::{NodeUse, Reach};

use super::rig::{Line, draining, horde, name, plain, report, spec};
use super::sight::{documents, identity, signed};

fn of(number: u8) -> Principal {
    identity(number).principal()
}

/// Node 1 leads, and gives so many of `web` to each of these nodes. It runs nothing.
fn leader(documents: &Documents, term: u64, entries: &[(u8, u16)]) -> Record {
    let target = documents.target(&horde()).map(Document::marker).unwrap();
    let pass = Pass { term, leader: of(1), pass: 1 };
    let key = PlanKey { service: name("web"), spec: spec("web", 1), first: First::from(pass) };
    let amount = |count| Amount::new(count, count).unwrap();
    let entries: PlanEntries = entries
        .iter()
        .map(|(node, count)| (of(*node), BTreeMap::from([(key.clone(), amount(*count))])))
        .collect();
    let plan = Newest {
        pass,
        target,
        failed: BTreeMap::new(),
        entries,
        holds: Notes::default(),
        problems: Notes::default(),
    };
    let slots = plan.slots(&horde(), Digest::default()).unwrap();
    signed(1, Profile::default(), slots.slots().cloned())
}

/// A node that runs this for targets.
fn runs(number: u8, lines: &[Line<'_>]) -> Record {
    let slot = report(lines).map(SlotKind::into_slot);
    signed(number, Profile::default(), slot.into_iter().collect::<Vec<Slot>>())
}

/// A target, and orders to nodes.
fn orders(all: &[(u8, Usage)]) -> Documents {
    let configs = vec![plain("web", 1)];
    let program = "pick(web, 1, ALL)".to_owned();
    let target = Target::new(&horde(), program, configs, String::new(), Vec::new()).unwrap();
    let order = |(node, usage): &(u8, Usage)| {
        let order = NodeOrder { usage: *usage, ..NodeOrder::default() };
        (NodeOrder::key(&of(*node)), order.to_canonical())
    };
    let target = (Target::key(&horde()), target.to_canonical());
    documents(all.iter().map(order).chain([target]).collect())
}

fn uses(records: &[Record], documents: &Documents) -> BTreeMap<Principal, NodeUse> {
    NodeUse::all(|| records.iter(), documents, &horde(), Reach::up_to(9))
}

fn left(all: &[(&str, u32)]) -> NodeUse {
    NodeUse::Draining(all.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect())
}

#[test]
fn a_node_is_drained_when_it_and_the_plan_say_that_nothing_is_there() {
    let orders = orders(&[(2, draining(None))]);
    let web = |stage, count| runs(2, &[("web", 1, stage, count, 1)]);
    let gives = |entries| leader(&orders, 3, entries);
    let here = |records: &[Record]| uses(records, &orders)[&of(2)].clone();
    // It ran two and runs one; the plan has another one for it, which is on its way.
    assert_eq!(here(&[gives(&[(2, 2)]), web(Stage::Ready, 1)]), left(&[("web", 2)]));
    assert_eq!(here(&[gives(&[(3, 2)]), web(Stage::Ready, 1)]), left(&[("web", 1)]));
    // Told to end is not ended.
    assert_eq!(here(&[gives(&[(3, 2)]), web(Stage::Stopping, 1)]), left(&[("web", 1)]));
    assert_eq!(here(&[gives(&[(2, 1)]), runs(2, &[])]), left(&[("web", 1)]));
    assert_eq!(here(&[gives(&[(3, 2)]), runs(2, &[])]), NodeUse::Drained);
    // What has no process any more is not there.
    for stage in [Stage::Done, Stage::Failed, Stage::Blocked] {
        assert_eq!(here(&[gives(&[(3, 2)]), web(stage, 1)]), NodeUse::Drained, "{stage:?}");
    }
}

#[test]
fn services_of_which_nobody_knows_the_name_are_left_as_well() {
    let orders = orders(&[(2, draining(None))]);
    let records = [
        leader(&orders, 3, &[(3, 1)]),
        runs(2, &[("old", 1, Stage::Ready, 1, 1), ("web", 1, Stage::Ready, 2, 1)]),
    ];
    let NodeUse::Draining(left) = uses(&records, &orders)[&of(2)].clone() else {
        panic!("it is drained")
    };
    let tag = crux_crdt::record::NameTag::of(&name("old")).to_string();
    assert_eq!(left, BTreeMap::from([(tag, 1), ("web".to_owned(), 2)]));
}

#[test]
fn only_plans_that_count_have_something_left() {
    let orders = orders(&[(2, draining(None))]);
    // A term beyond the reach of this node.
    let records = [leader(&orders, 10, &[(2, 1)]), runs(2, &[])];
    assert_eq!(uses(&records, &orders)[&of(2)], NodeUse::Drained);
}

#[test]
fn other_orders_are_what_they_say_and_nodes_without_one_are_open() {
    let all = [(2, Usage::Cordoned), (3, Usage::Open), (4, draining(Some(1_000)))];
    let orders = orders(&all);
    let records = [leader(&orders, 3, &[(2, 1)]), runs(2, &[("web", 1, Stage::Ready, 1, 1)])];
    let uses = uses(&records, &orders);
    let expected = [(of(2), NodeUse::Cordoned), (of(3), NodeUse::Open), (of(4), NodeUse::Drained)];
    assert_eq!(uses, BTreeMap::from(expected));
}
