//! A disk that is full.

use std::time::Duration;

use crux_crdt::record::Profile;
use crux_protocol::flock::{ControlError, Notice};
use crux_protocol::leader::Response;
use crux_protocol::link::{self, Protocol};

use crate::rig::{Disk, Rig, command, key, marker, record, who};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_full_disk_makes_read_only_and_not_busy() {
    let mut rig = Rig::new();
    assert!(rig.register("a", None));
    rig.disk = Disk::Full;
    assert!(!rig.register("b", None));
    assert!(rig.state.is_read_only());
    assert!(rig.notices.contains(&Notice::ReadOnly));
    let before = rig.wakes;
    // `Rig::run` asserts that the engine does not ask to be woken without end.
    rig.run(MINUTE);
    assert!(rig.wakes - before < 150, "{} wakes in a minute", rig.wakes - before);
    assert_eq!(rig.services(), ["a"]);
}

#[test]
fn a_node_writes_again_by_itself_when_there_is_room() {
    let mut rig = Rig::new();
    rig.disk = Disk::Full;
    assert!(!rig.register("b", None));
    // What asks for nothing to be written does not end the attempts.
    let nothing = rig.control(crux_protocol::flock::Control::Deregister(key("x")));
    assert!(matches!(nothing, Some(Err(ControlError::Rejected(_) | ControlError::DiskFull))));
    rig.run(MINUTE);
    rig.disk = Disk::Good;
    rig.run(Duration::from_secs(11));
    assert!(!rig.state.is_read_only());
    assert_eq!(rig.notices.last(), Some(&Notice::Writable));
    assert!(rig.services().is_empty(), "what was refused stays refused");
}

#[test]
fn a_lease_that_ends_on_a_full_disk_ends_when_there_is_room() {
    let mut rig = Rig::new();
    assert!(rig.register("a", None));
    assert!(rig.register("leased", Some(Duration::from_secs(5))));
    rig.disk = Disk::Full;
    rig.run(MINUTE);
    assert!(rig.services().contains(&"leased".to_owned()), "nothing can be removed yet");
    rig.disk = Disk::Good;
    rig.run(Duration::from_secs(11));
    assert_eq!(rig.services(), ["a"]);
}

#[test]
fn a_node_that_could_not_write_its_claim_leads_when_there_is_room() {
    // A flock whose leader is gone for good, on a full disk.
    let other = who(2);
    let profile = Profile { claim: 5, ..Profile::default() };
    let mut rig = Rig::with_member(&other, profile);
    let me = rig.state.me();
    assert_eq!(rig.state.leader().map(|claim| claim.principal), Some(other.principal()));
    rig.disk = Disk::Full;
    let peer = other.principal();
    rig.give(crux_protocol::flock::Event::Link(crux_protocol::link::Event::Disconnected { peer }));
    rig.run(MINUTE);
    assert_eq!(rig.state.leader(), None);
    rig.disk = Disk::Good;
    rig.run(Duration::from_secs(20));
    assert_eq!(rig.state.leader().map(|claim| (claim.n, claim.principal)), Some((6, me)));
}

#[test]
fn a_live_member_that_states_no_address_costs_nothing() {
    let other = who(2);
    let mut rig = Rig::with_member(&other, Profile::default());
    let peer = other.principal();
    rig.give(crux_protocol::flock::Event::Link(crux_protocol::link::Event::Disconnected { peer }));
    rig.run(MINUTE);
}

/// Its leader has less patience than this node, which tries its disk again every few seconds.
#[test]
fn a_fenced_command_has_a_full_disk_say_again_whether_it_is_full() {
    let leader = who(2);
    let mut rig = Rig::with_member(&leader, Profile { claim: 1, ..Profile::default() });
    rig.disk = Disk::Full;
    assert!(!rig.register("web", None), "there is no room");
    assert!(rig.state.is_read_only());
    rig.disk = Disk::Good;
    let leading = record(&leader, marker(1), Profile { claim: 1, ..Profile::default() });
    rig.request(leader.principal(), Protocol::Call, command(&leading));
    let accepted = rig.links.iter().any(|command| match command {
        link::Command::Reply { body, .. } => *body == Response::Accepted.encode(),
        _ => false,
    });
    assert!(accepted, "at once: {:?}", rig.links);
    assert!(!rig.state.is_read_only());
}

/// What a disk refused was not obeyed: an honest leader below it is.
#[test]
fn a_command_that_the_disk_refused_does_not_stand_against_lower_ones() {
    let leader = who(2);
    let mut rig = Rig::with_member(&leader, Profile::default());
    let under = |incarnation, claim| {
        let profile = Profile { claim, ..Profile::default() };
        command(&record(&leader, marker(incarnation), profile))
    };
    let ask = |rig: &mut Rig, body| {
        let reply = rig.request(leader.principal(), Protocol::Call, body).expect("an answer");
        Response::decode(&reply).expect("well made")
    };
    rig.disk = Disk::Full;
    assert_eq!(ask(&mut rig, under(2, 9)), Response::Disk);
    rig.disk = Disk::Good;
    assert_eq!(ask(&mut rig, under(3, 4)), Response::Accepted);
    assert_eq!(rig.state.fence().map(|fence| fence.n), Some(4));
}
