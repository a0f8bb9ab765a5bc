//! Announced restarts of members that lie, and of leaders.

use std::time::Duration;

use crux_crdt::Digest;
use crux_crdt::record::Profile;
use crux_crdt::sign::{Identity, Signed};
use crux_protocol::flock::{Answer, Control, Event};
use crux_protocol::leader::Claim;
use crux_protocol::link::{self, DialFailure, Topic, Verdict};
use crux_protocol::liveness::{Beacon, Liveness, Notice, RESTART_MAX, Run};

use crate::rig::{FLOCK, Rig, who};

const STEP: Duration = Duration::from_millis(50);

fn announcement(by: &Identity, counter: u64) -> Vec<u8> {
    let beacon = Beacon {
        incarnation: 1,
        counter,
        uptime: Duration::from_secs(60 + counter),
        state_digest: Digest::default(),
        restart: Some(RESTART_MAX),
        run: Run::default(),
    };
    Notice::Beacon(Signed::sign(beacon, &FLOCK, by)).encode()
}

fn with_member(claim: u64) -> Rig {
    let addresses = vec!["127.0.0.1:2000".parse().expect("an address")];
    Rig::with_member(&who(2), Profile { claim, addresses, ..Profile::default() })
}

/// Time passes in which nobody listens anywhere.
fn run_where_nobody_listens(rig: &mut Rig, time: Duration) {
    let end = rig.now + time;
    while rig.now < end {
        rig.run(STEP);
        let dials = rig.links.drain(..).filter_map(|command| match command {
            link::Command::Dial { id, .. } => Some(id),
            _ => None,
        });
        for id in dials.collect::<Vec<_>>() {
            let failure = DialFailure::Refused;
            rig.give(Event::Link(link::Event::DialFailed { id, failure }));
        }
    }
}

/// It may announce restarts for as long as it lives, and it lives then. After its last word it has ten seconds,
/// however often others repeat that.
#[test]
fn a_member_that_lies_hides_its_own_death_for_ten_seconds_at_most() {
    let liar = who(2).principal();
    let mut rig = with_member(0);
    for counter in 1..=5 {
        let word = announcement(&who(2), counter);
        assert_eq!(rig.gossip(liar, Topic::Beat, word), Verdict::Accept);
        rig.run(Duration::from_secs(1));
    }
    let word = announcement(&who(2), 6);
    assert_eq!(rig.gossip(liar, Topic::Beat, word.clone()), Verdict::Accept);
    rig.give(Event::Link(link::Event::Disconnected { peer: liar }));
    for _ in 0..9 {
        run_where_nobody_listens(&mut rig, Duration::from_secs(1));
        rig.gossip(liar, Topic::Beat, word.clone());
        assert_ne!(rig.state.liveness(&liar), Liveness::Dead);
    }
    run_where_nobody_listens(&mut rig, Duration::from_secs(1) + STEP);
    assert_eq!(rig.state.liveness(&liar), Liveness::Dead);
    rig.gossip(liar, Topic::Beat, word);
    assert_eq!(rig.state.liveness(&liar), Liveness::Dead);
}

#[test]
fn a_leader_that_announces_a_restart_is_replaced_and_nobody_waits_for_it() {
    let other = who(2).principal();
    let mut rig = with_member(1);
    assert_eq!(rig.state.leader(), Some(Claim { n: 1, principal: other }));
    rig.gossip(other, Topic::Beat, announcement(&who(2), 1));
    assert_eq!((rig.state.leader(), rig.state.liveness(&other)), (None, Liveness::Alive));
    rig.run(Duration::from_secs(2));
    assert_eq!(rig.state.leader(), Some(Claim { n: 2, principal: rig.state.me() }));
}

#[test]
fn a_node_that_announces_its_restart_says_so_at_once_and_lays_down_the_lead() {
    let mut rig = with_member(0);
    rig.run(Duration::from_secs(2));
    let me = rig.state.me();
    assert_eq!(rig.state.leader().map(|claim| claim.principal), Some(me));
    rig.links.clear();
    let answer = rig.control(Control::Restart(Duration::from_secs(3)));
    assert_eq!(answer, Some(Ok(Answer::Done)));
    let said = rig.links.iter().find_map(|command| match command {
        link::Command::Publish { topic: Topic::Beat, data } => {
            Notice::decode(data, &rig.context()).ok()
        }
        _ => None,
    });
    let Some(Notice::Beacon(beacon)) = said else { panic!("{:?}", rig.links) };
    assert_eq!(beacon.value().restart, Some(Duration::from_secs(3)));
    assert_eq!(rig.state.leader(), None);
    assert_eq!(rig.own().map(|own| own.profile().claim), Some(0));
}
