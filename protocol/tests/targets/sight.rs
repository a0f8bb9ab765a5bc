//! What of a flock is in its leader's view.

use std::collections::BTreeMap;
use std::sync::Arc;

use crux_crdt::canon::Canonical as _;
use crux_crdt::document::{Body, Document, Documents, Key, NodeOrder, Setting, Usage};
use crux_crdt::record::{
    Frontier, Header, Marker, Profile, Record, Slot, SlotKind as _, Stage, slots_root,
};
use crux_crdt::sign::{Identity, Signed};
use crux_crdt::{Digest, Principal};
use crux_protocol::proctor::planner::{Member, Node, View};

use super::rig::{draining, report};

const FLOCK: Digest = Digest([7; 32]);

pub(crate) fn identity(number: u8) -> Identity {
    Identity::from_seed(&[number; 32])
}

/// The record of a node with these labels, which runs one `web`.
fn record(number: u8, labels: &[(&str, &str)]) -> Record {
    let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let profile = Profile { labels: labels.iter().map(pair).collect(), ..Profile::default() };
    let slot = report(&[("web", 1, Stage::Ready, 1, 1)]).unwrap().into_slot();
    signed(number, profile, [slot])
}

/// The record of a node that says this.
pub(crate) fn signed(
    number: u8,
    profile: Profile,
    slots: impl IntoIterator<Item = Slot>,
) -> Record {
    let slots: BTreeMap<_, _> = slots.into_iter().map(|slot| (slot.id(), Arc::new(slot))).collect();
    let header = Header {
        marker: Marker { incarnation: 1, nonce: [number; 16], seq: 1 },
        slots_root: slots_root(slots.keys()),
        profile_hash: profile.hash(),
        acts: Frontier::default(),
    };
    Record::new(Signed::sign(header, &FLOCK, &identity(number)), profile, slots).unwrap()
}

/// Documents that the operator signed.
pub(crate) fn documents(all: Vec<(Key, Vec<u8>)>) -> Documents {
    let mut documents = Documents::default();
    for (key, content) in all {
        let body = Body::new(key, 1, 1, Some(content.into()));
        let document = Document::sign(body, &FLOCK, &identity(200), None).unwrap();
        _ = documents.merge(Arc::new(document));
    }
    documents
}

fn member<'a>(name: &str, is_alive: bool, record: &'a Record) -> Member<'a> {
    Member { name: name.to_owned(), is_alive, record }
}

fn labels(view: &View, node: Principal) -> Vec<String> {
    view.nodes[&node].labels.iter().map(|(key, value)| format!("{key}={value}")).collect()
}

#[test]
fn a_node_is_seen_with_its_labels_its_order_and_its_statement() {
    let records = [record(1, &[("zone", "a"), ("disk", "")]), record(2, &[])];
    let [one, two] = [1, 2].map(|number| identity(number).principal());
    let signed = Setting::labels(one, ["zone=b", "rack=7"]).unwrap();
    let order = NodeOrder { usage: draining(None), ..NodeOrder::default() };
    let documents = documents(vec![
        (signed.key().unwrap(), signed.content().into_bytes()),
        (NodeOrder::key(&two), order.to_canonical()),
    ]);
    let members = [member("n1", true, &records[0]), member("n2", false, &records[1])];
    let view = View::of(members, &documents);
    assert_eq!(labels(&view, one), ["disk=", "rack=7", "zone=b"], "a user's word is the last");
    assert_eq!(labels(&view, two), [""; 0]);
    let nodes = [one, two].map(|node| &view.nodes[&node]);
    assert_eq!(nodes.map(|node| &*node.name), ["n1", "n2"]);
    assert_eq!(nodes.map(|node| node.is_alive), [true, false]);
    assert_eq!(nodes.map(|node| node.usage), [Usage::Open, draining(None)]);
    assert_eq!(nodes.map(Node::running), [1, 1]);
}

#[test]
fn two_nodes_of_one_name_are_told_apart_by_their_keys() {
    let records = [record(1, &[]), record(2, &[])];
    let members = || records.iter().map(|record| member("n1", true, record));
    let view = View::of(members(), &Documents::default());
    let names: Vec<_> = view.nodes.values().map(|node| node.name.clone()).collect();
    let second = view.nodes.keys().nth(1).unwrap();
    assert_eq!(names, ["n1".to_owned(), second.to_string()]);
    assert_eq!(View::of(members().rev(), &Documents::default()), view);
}
