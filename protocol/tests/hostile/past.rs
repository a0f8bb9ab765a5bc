//! A node with an old key whose disk is empty, and what it says before it knows its past.

use crate::rig::facts;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crux_crdt::act::Statement;
use crux_crdt::record::{Marker, Profile, Record};
use crux_protocol::flock::{Answer, Control, ControlError, Restored, STORE_PATIENCE};
use crux_protocol::link::{Protocol, Topic};
use crux_protocol::sync::{Request, Response};

use crate::rig::{
    Disk, Rig, act, admit, gossiped, key, marker, record, record_with, sealed, sealed_act, who,
};

const SECOND: Duration = Duration::from_secs(1);

fn forgetful(records: Vec<Arc<Record>>) -> Rig {
    Rig::restored(Restored { known_key: true, facts: facts([], records), ..Restored::default() })
}

fn register(sync: u32) -> Control {
    Control::Register {
        key: key("late"),
        endpoint: "127.0.0.1:9000".parse().expect("an address"),
        labels: BTreeMap::new(),
        lease: None,
        sync,
        patience: STORE_PATIENCE,
    }
}

fn deregister(service: &str) -> Control {
    Control::Deregister(key(service))
}

#[test]
fn it_listens_for_two_seconds_and_then_speaks_below_every_life() {
    let mut rig = forgetful(Vec::new());
    assert!(rig.control(register(0)).is_none(), "it says nothing yet");
    rig.run(Duration::from_millis(1_999));
    assert!(rig.written.is_empty() && rig.answers.is_empty());
    rig.run(Duration::from_millis(1));
    assert!(matches!(rig.answers[..], [Ok(Answer::Registered(_))]), "{:?}", rig.answers);
    assert_eq!(rig.own().expect("it speaks").marker().incarnation, 0);
}

#[test]
fn a_restart_that_still_knows_nobody_goes_on_under_the_same_marker() {
    let mut rig = forgetful(Vec::new());
    rig.run(SECOND * 3);
    assert!(rig.register("kept", None));
    let said = rig.own().expect("it spoke").clone();
    let mut again = forgetful(vec![said.clone()]);
    again.run(SECOND * 3);
    let next = again.own().expect("it speaks").marker();
    assert_eq!(next, Marker { seq: said.marker().seq + 1, ..said.marker() });
    assert_eq!(again.services(), ["kept"]);
}

#[test]
fn what_it_removed_before_a_restart_does_not_come_back_with_its_past() {
    let mut rig = forgetful(Vec::new());
    rig.run(SECOND * 3);
    assert!(rig.register("gone", None) && rig.register("kept", None));
    let said = rig.own().expect("it spoke").clone();
    // A restart, and the removal; another restart.
    let mut again = forgetful(vec![said]);
    again.run(SECOND * 3);
    assert!(matches!(again.control(deregister("gone")), Some(Ok(Answer::Done))));
    let removed = again.written.iter().flat_map(|batch| batch.removed.clone()).collect();
    let (me, other) = (who(1), who(2));
    let restored = Restored {
        known_key: true,
        facts: facts(
            [admit(&me, &other), admit(&other, &me)],
            [again.own().expect("it spoke").clone(), record(&other, marker(1), Profile::default())],
        ),
        removed,
        ..Restored::default()
    };
    let mut last = Rig::restored(restored);
    last.connect(other.principal(), true);
    let past = record_with(&me, marker(3), Profile::default(), &["gone", "kept", "more"]);
    last.gossip(other.principal(), Topic::Fact, gossiped(&past));
    last.compare(other.principal());
    last.run(SECOND * 5);
    assert_eq!(last.own().expect("it spoke").marker().incarnation, 4);
    let mut services = last.services();
    services.sort();
    assert_eq!(services, ["kept", "more"]);
}

#[test]
fn it_rises_once_a_member_knows_nothing_of_an_earlier_life() {
    let (me, other) = (who(1), who(2));
    let acts = vec![admit(&me, &other), admit(&other, &me)];
    let records = vec![record(&other, marker(1), Profile::default())];
    let mut rig = Rig::restored(Restored {
        known_key: true,
        facts: facts(acts, records),
        ..Restored::default()
    });
    rig.connect(other.principal(), true);
    rig.run(SECOND * 3);
    assert!(rig.register("kept", None));
    assert_eq!(rig.own().expect("it spoke").marker().incarnation, 0);
    rig.compare(other.principal());
    rig.run(Duration::from_millis(999));
    assert_eq!(rig.own().expect("it spoke").marker().incarnation, 0, "another may know more");
    rig.run(Duration::from_millis(1));
    assert_eq!(rig.own().expect("it spoke").marker().incarnation, 1);
    assert_eq!(rig.services(), ["kept"]);
}

#[test]
fn who_holds_a_greater_record_of_another_run_did_not_store_this_one() {
    let other = who(2);
    let mut rig = Rig::with_member(&other, Profile::default());
    let peer = other.principal();
    let lower = record(&other, Marker { nonce: [0; 16], ..marker(1) }, Profile::default());
    let reply = rig.request(peer, Protocol::Sync, Request::Store(sealed(&lower)).encode());
    assert_eq!(reply, Some(Response::encode_stored(false)));
    let held = record(&other, marker(1), Profile::default());
    rig.request(peer, Protocol::Sync, Request::Store(sealed(&held)).encode());
    let stored = crux_protocol::link::Command::Reply {
        id: crux_protocol::link::ReplyId(rig.last_id()),
        body: Response::encode_stored(true),
    };
    assert!(rig.links.contains(&stored), "{:?}", rig.links);
}

#[test]
fn a_request_whose_write_outlasts_its_wait_is_answered_once() {
    let mut rig = Rig::new();
    rig.disk = Disk::Stuck;
    assert!(rig.control(register(1)).is_none());
    rig.run(SECOND * 20);
    assert!(rig.answers.is_empty(), "it may still succeed: {:?}", rig.answers);
    rig.unstick();
    rig.run(SECOND);
    let not_stored =
        |answer: &_| matches!(answer, Err(ControlError::NotStored { got: 0, need: 1 }));
    assert!(rig.answers.len() == 1 && rig.answers.iter().all(not_stored), "{:?}", rig.answers);
}

#[test]
fn who_left_before_it_lost_its_disk_comes_back_above_that() {
    let (me, other) = (who(1), who(2));
    let acts = vec![admit(&me, &other), admit(&other, &me)];
    let records = vec![record(&other, marker(1), Profile::default())];
    let mut rig = Rig::restored(Restored {
        known_key: true,
        facts: facts(acts, records),
        ..Restored::default()
    });
    rig.connect(other.principal(), true);
    let left = act(&me, 2, Statement::Leave { incarnation: 4 });
    rig.gossip(other.principal(), Topic::Fact, sealed_act(&left));
    rig.compare(other.principal());
    rig.run(SECOND * 3);
    assert_eq!(rig.own().expect("it speaks").marker().incarnation, 5);
    assert!(rig.state.strew().shown_record(&me.principal()).is_some(), "it is a member again");
}

#[test]
fn who_leaves_does_not_undo_it_before_it_stops() {
    let mut rig = Rig::with_member(&who(2), Profile::default());
    assert!(matches!(rig.control(Control::Leave), Some(Ok(Answer::Done))));
    rig.run(SECOND * 5);
    assert_eq!(rig.own().expect("it spoke").marker().incarnation, 1);
    assert!(rig.state.strew().shown_record(&who(1).principal()).is_none());
}
