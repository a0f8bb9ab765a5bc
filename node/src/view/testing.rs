//! A flock of seven to ask questions of.

use std::collections::BTreeMap;
use std::sync::Arc;

use crux_client::model::{
    Joining, Leader, Member, MemberState, NodeUse, Service, ServiceStatus, WallTime,
};
use crux_crdt::{Digest, Principal};

use super::{Said, View};

/// The principal of the node with that name: its bytes repeated.
pub(crate) fn principal(node: &str) -> Principal {
    let bytes = node.as_bytes();
    Principal(std::array::from_fn(|i| bytes[i % bytes.len()]))
}

/// A live service that is up.
pub(crate) fn service(node: &str, name: &str, rev: &str) -> Service {
    let principal = principal(node);
    Service {
        path: format!("/dev/main/{node}/{name}/{rev}").parse().unwrap(),
        instance: format!("svc-{node}{name}"),
        ordinal: 0,
        net_id: format!("/{rev}/{principal}/net/127.0.0.1:9000").parse().unwrap(),
        key_id: None,
        status: ServiceStatus::Up,
        live: true,
        labels: BTreeMap::new(),
    }
}

fn member(node: &str, port: u16, state: MemberState) -> Member {
    Member {
        node: node.parse().unwrap(),
        principal: principal(node),
        addr: Some(format!("127.0.0.1:{port}").parse().unwrap()),
        state,
        since: WallTime { unix_ms: 1_796_045_429_000 },
        version: Some("0.1.0".to_owned()),
        incarnation: 1,
        labels: BTreeMap::new(),
        signed_labels: BTreeMap::new(),
        node_use: NodeUse::Open,
        left: BTreeMap::new(),
    }
}

/// The view of `n1` in a flock `dev`: two alive, and one in each other state; `n2` leads.
pub(crate) fn view() -> View {
    use MemberState::{Alive, Dead, Evicted, Left, Retired, Suspect};
    let states = [Alive, Alive, Suspect, Dead, Left, Retired, Evicted];
    let members = (1_u16..).zip(states);
    let mut members: Vec<_> =
        members.map(|(i, state)| member(&format!("n{i}"), 7000 + 10 * i, state)).collect();
    members[0].labels.insert("site".to_owned(), "lab".to_owned());
    members[6].addr = None;
    members[6].version = None;
    let node = "n2".parse().unwrap();
    let mut services = vec![service("n1", "web", "r1"), service("n2", "ntp3", "r2.1")];
    services[0].labels.insert("zone".to_owned(), "b".to_owned());
    View {
        flock: "dev".parse().unwrap(),
        flock_id: Digest([0xf1; 32]),
        node: "n1".parse().unwrap(),
        principal: principal("n1"),
        incarnation: 3,
        state_digest: Digest([0x5d; 32]),
        leader: Some(Leader { node, principal: principal("n2"), term: 7 }),
        joining: Joining::Joined,
        members,
        services,
        said: Said::default(),
        lost_name: None,
        operator: None,
        documents: Arc::default(),
        plans: Vec::new(),
        leads: None,
    }
}
