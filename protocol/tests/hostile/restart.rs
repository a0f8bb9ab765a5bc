//! A leader that was killed and starts again: another one may lead since.

use crate::rig::facts;
use std::time::Duration;

use crux_crdt::record::Profile;
use crux_protocol::flock::{Notice, Restored};
use crux_protocol::leader::Claim;
use crux_protocol::link::Topic;

use crate::rig::{Rig, admit, gossiped, marker, record, who};

/// Node 1, with a disk on which it leads node 2 under term 1.
fn restarted() -> Rig {
    let (me, other) = (who(1), who(2));
    let led = Profile { claim: 1, ..Profile::default() };
    let records = vec![record(&me, marker(1), led), record(&other, marker(1), Profile::default())];
    let acts = vec![admit(&me, &other), admit(&other, &me)];
    Rig::restored(Restored { known_key: true, facts: facts(acts, records), ..Restored::default() })
}

/// Whether it ever said that it leads.
fn said_that_it_leads(rig: &Rig) -> bool {
    let me = rig.state.me();
    rig.notices
        .iter()
        .any(|notice| matches!(notice, Notice::Leader(Some((_, claim))) if claim.principal == me))
}

#[test]
fn it_does_not_say_that_it_leads_while_another_one_does() {
    let other = who(2).principal();
    let mut rig = restarted();
    assert_eq!(rig.state.leader(), None);
    rig.connect(other, true);
    rig.run(Duration::from_millis(10));
    // The record of the new leader comes before anything is heard of that one.
    let leads = Profile { claim: 2, ..Profile::default() };
    rig.gossip(other, Topic::Fact, gossiped(&record(&who(2), marker(2), leads)));
    rig.compare(other);
    rig.run(Duration::from_millis(1_900));
    assert_eq!(rig.state.leader(), None);
    assert!(!said_that_it_leads(&rig));
}

#[test]
fn it_leads_as_before_once_it_compared_itself_and_nobody_replaced_it() {
    let mut rig = restarted();
    rig.connect(who(2).principal(), true);
    rig.compare(who(2).principal());
    assert_eq!(rig.state.leader(), Some(Claim { n: 1, principal: rig.state.me() }));
}

#[test]
fn it_leads_as_before_after_two_seconds_in_which_nobody_came() {
    let mut rig = restarted();
    rig.run(Duration::from_millis(1_999));
    assert_eq!(rig.state.leader(), None);
    rig.run(Duration::from_millis(1));
    assert_eq!(rig.state.leader(), Some(Claim { n: 1, principal: rig.state.me() }));
}
