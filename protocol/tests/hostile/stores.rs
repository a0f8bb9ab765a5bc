//! A registration that waits for other members, no longer than its caller does.

use std::collections::BTreeMap;
use std::time::Duration;

use crux_crdt::Principal;
use crux_crdt::record::Profile;
use crux_protocol::flock::{Answer, Control, ControlError, Event, STORE_PATIENCE_MAX};
use crux_protocol::link::{self, Protocol, RequestId};
use crux_protocol::sync::{Request, Response};

use crate::rig::{Rig, key, who};

const TICK: Duration = Duration::from_millis(1);

fn register(sync: u32, patience: Duration) -> Control {
    Control::Register {
        key: key("web"),
        endpoint: "127.0.0.1:9000".parse().expect("an address"),
        labels: BTreeMap::new(),
        lease: None,
        sync,
        patience,
    }
}

/// The request to store the record that the node sent last.
fn asked_to_store(rig: &Rig) -> RequestId {
    let asked = rig.links.iter().rev().find_map(|command| match command {
        link::Command::Request { id, protocol: Protocol::Sync, body, .. } => {
            matches!(Request::decode(body), Ok(Request::Store(_))).then_some(*id)
        }
        _ => None,
    });
    asked.expect("it asks the member to store it")
}

/// The member answers that it stored the record.
fn stored(rig: &mut Rig, id: RequestId, peer: Principal) {
    let body = Response::encode_stored(true);
    rig.give(Event::Link(link::Event::Response { id, peer, body }));
}

#[test]
fn a_caller_hears_before_its_patience_ends_how_many_stored_it() {
    let other = who(2);
    let mut rig = Rig::with_member(&other, Profile::default());
    assert!(rig.control(register(2, TICK * 300)).is_none());
    let id = asked_to_store(&rig);
    stored(&mut rig, id, other.principal());
    rig.run(TICK * 299);
    assert!(rig.answers.is_empty(), "{:?}", rig.answers);
    rig.run(TICK);
    let told = rig.answers.pop();
    assert_eq!(told, Some(Err(ControlError::NotStored { got: 1, need: 2 })));
    assert_eq!(rig.services(), ["web"], "it stays registered");
}

#[test]
fn one_that_waits_longer_hears_that_it_went_well() {
    let other = who(2);
    let mut rig = Rig::with_member(&other, Profile::default());
    assert!(rig.control(register(1, TICK * 20_000)).is_none());
    let id = asked_to_store(&rig);
    rig.run(TICK * 15_000);
    assert!(rig.answers.is_empty(), "{:?}", rig.answers);
    stored(&mut rig, id, other.principal());
    assert!(matches!(rig.answers.pop(), Some(Ok(Answer::Registered(_)))));
}

#[test]
fn nobody_waits_for_ever() {
    let mut rig = Rig::new();
    assert!(rig.control(register(1, Duration::MAX)).is_none());
    rig.run(STORE_PATIENCE_MAX - TICK);
    assert!(rig.answers.is_empty(), "{:?}", rig.answers);
    rig.run(TICK);
    let told = rig.answers.pop();
    assert_eq!(told, Some(Err(ControlError::NotStored { got: 0, need: 1 })));
}
