//! When a node says that its name is provisional.

use crate::rig::facts;
use std::sync::Arc;
use std::time::Duration;

use crux_crdt::record::{Profile, Record};
use crux_protocol::flock::{Event, Restored};
use crux_protocol::link::{self, Topic};

use crate::rig::{Rig, admit, gossiped, marker, record, who};

const SECOND: Duration = Duration::from_secs(1);
/// Where the node is, and where it was told that others are.
const OWN: &str = "127.0.0.1:1000";
const SEED: &str = "127.0.0.1:2000";

fn is_provisional(rig: &Rig) -> bool {
    rig.own().expect("it spoke").profile().provisional
}

/// A node of a flock of two, whose last record was this.
fn comes_back(join: &[&str], mine: Profile, theirs: Profile) -> Rig {
    let (me, other) = (who(1), who(2));
    let acts = vec![admit(&me, &other), admit(&other, &me)];
    let records = vec![record(&other, marker(1), theirs), record(&me, marker(1), mine)];
    let mut rig = Rig::told(
        join,
        Restored { known_key: true, facts: facts(acts, records), ..Restored::default() },
    );
    rig.run(SECOND * 3);
    rig
}

/// The dial of where the node was told to look.
fn seed_dial(rig: &Rig) -> link::DialId {
    let dial = rig.links.iter().find_map(|command| match command {
        link::Command::Dial { id, addrs, .. } if addrs.contains(&SEED.to_owned()) => Some(*id),
        _ => None,
    });
    dial.expect("the entry is dialled")
}

/// The other one answers that dial, and they compare what they hold.
fn reach_seed(rig: &mut Rig, id: link::DialId) {
    let (peer, addr) = (who(2).principal(), SEED.parse().expect("an address"));
    rig.connect(peer, true);
    rig.give(Event::Link(link::Event::Dialled { id, peer, addr }));
    rig.compare(peer);
    rig.run(SECOND);
}

fn named(name: &str, provisional: bool) -> Profile {
    Profile { name: Some(name.parse().expect("a name")), provisional, ..Profile::default() }
}

#[test]
fn who_was_told_of_others_and_found_none_is_provisional() {
    let fresh = |join| {
        let mut rig = Rig::told(join, Restored::default());
        rig.run(SECOND * 3);
        is_provisional(&rig)
    };
    assert!(fresh(&[SEED]));
    assert!(fresh(&[OWN, SEED]));
    assert!(!fresh(&[]), "nobody told it of anybody");
    assert!(!fresh(&[OWN]), "it was told of itself");
}

#[test]
fn an_entry_at_which_it_answers_itself_is_none() {
    let mut rig = Rig::told(&["me.example:1000"], Restored::default());
    rig.run(SECOND * 3);
    assert!(is_provisional(&rig));
    let id = rig.links.iter().find_map(|command| match command {
        link::Command::Dial { id, .. } => Some(*id),
        _ => None,
    });
    let (id, failure) = (id.expect("a dial"), link::DialFailure::Myself);
    rig.give(Event::Link(link::Event::DialFailed { id, failure }));
    rig.run(SECOND);
    assert!(!is_provisional(&rig));
}

#[test]
fn it_is_firm_once_it_compared_itself_with_a_member_at_an_entry() {
    let mut rig = comes_back(&[SEED], named("ash", true), Profile::default());
    assert!(is_provisional(&rig), "a restart reaches nobody");
    let dial = seed_dial(&rig);
    // A member elsewhere is not where it was told to look.
    rig.connect(who(2).principal(), true);
    rig.compare(who(2).principal());
    rig.run(SECOND);
    assert!(is_provisional(&rig));
    reach_seed(&mut rig, dial);
    assert!(!is_provisional(&rig));
}

#[test]
fn who_was_firm_stays_firm_over_a_restart_that_reaches_nobody() {
    let rig = comes_back(&[SEED], named("ash", false), Profile::default());
    assert!(!is_provisional(&rig));
}

#[test]
fn it_stays_provisional_as_long_as_another_one_holds_the_name() {
    let name = "ash".parse().expect("a name");
    let mut rig = Rig::told_as(Some("ash"), &[SEED], {
        let (me, other) = (who(1), who(2));
        let acts = vec![admit(&me, &other), admit(&other, &me)];
        let records = vec![
            record(&other, marker(1), named("ash", false)),
            record(&me, marker(1), named("ash", true)),
        ];
        Restored { known_key: true, facts: facts(acts, records), ..Restored::default() }
    });
    let dial = seed_dial(&rig);
    reach_seed(&mut rig, dial);
    rig.run(SECOND * 5);
    assert!(is_provisional(&rig));
    assert_eq!(rig.state.names().holder(&name), Some(who(2).principal()));
    let renamed: Arc<Record> =
        record(&who(2), crux_crdt::record::Marker { seq: 1, ..marker(1) }, named("birch", false));
    rig.gossip(who(2).principal(), Topic::Fact, gossiped(&renamed));
    rig.run(SECOND);
    assert!(!is_provisional(&rig), "the name is free");
}
