//! Two runs of one identity: what a node hears of another one with its own key, and which of the two stops.

use crate::rig::facts;
use crate::rig::records_in;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crux_crdt::Digest;
use crux_crdt::act::Statement;
use crux_crdt::record::{Marker, Profile};
use crux_crdt::sign::{Identity, Signed};
use crux_protocol::flock::{Control, ControlId, Event, Notice, Restored, StopReason};
use crux_protocol::link::{self, Protocol, Topic, Verdict};
use crux_protocol::liveness::{self, Beacon, BootNonce, Run, Sight};
use crux_protocol::sync::{Aside, Request, Response, Roots};

use crate::rig::{
    Disk, FLOCK, Rig, act, admit, gossiped, key, marker, record, record_of, record_with, sealed,
    sealed_act, who,
};

const SECOND: Duration = Duration::from_secs(1);

/// A node that comes back in a flock of two: its disk holds its last record.
fn restarted(last: Marker) -> Rig {
    let (me, other) = (who(1), who(2));
    let acts = vec![admit(&me, &other), admit(&other, &me)];
    let records = vec![
        record(&other, marker(1), Profile::default()),
        record_with(&me, last, profile_at("127.0.0.1:3000"), &["old"]),
    ];
    let mut rig = Rig::restored(Restored {
        known_key: true,
        facts: facts(acts, records),
        ..Restored::default()
    });
    rig.connect(other.principal(), true);
    rig.compare(other.principal());
    rig.run(SECOND);
    rig
}

fn profile_at(address: &str) -> Profile {
    Profile { addresses: vec![address.parse().expect("an address")], ..Profile::default() }
}

/// A beacon of another run of this node's identity.
fn beacon(by: &Identity, counter: u64, incarnation: u64, run: Run) -> Vec<u8> {
    let (uptime, state_digest, restart) = (SECOND * 60, Digest::default(), None);
    let beacon = Beacon { incarnation, counter, uptime, state_digest, restart, run };
    liveness::Notice::Beacon(Signed::sign(beacon, &FLOCK, by)).encode()
}

fn hear(rig: &mut Rig, beacon: Vec<u8>) -> Verdict {
    rig.gossip(who(2).principal(), Topic::Beat, beacon)
}

/// The node's run, as its last beacon states it.
fn run_of(rig: &mut Rig) -> Run {
    let roots = Roots::of(rig.state.strew());
    let ask = Request::Roots { roots, aside: Aside::default(), urgent: false };
    let reply = rig.request(who(2).principal(), Protocol::Sync, ask.encode()).expect("an answer");
    let context = rig.context();
    let Ok(Response::Roots { aside, .. }) = Response::decode(&reply, &context) else {
        panic!("no roots")
    };
    match liveness::Notice::decode(&aside.beacon, &context) {
        Ok(liveness::Notice::Beacon(beacon)) => beacon.value().run,
        other => panic!("no beacon: {other:?}"),
    }
}

/// The node's run, as a beacon that it published states it.
fn beaconed(rig: &Rig) -> Run {
    let runs = rig.links.iter().find_map(|command| match command {
        link::Command::Publish { topic: Topic::Beat, data } => {
            match liveness::Notice::decode(data, &rig.context()) {
                Ok(liveness::Notice::Beacon(beacon)) => Some(beacon.value().run),
                _ => None,
            }
        }
        _ => None,
    });
    runs.expect("it beacons")
}

fn other_run(nonce: BootNonce, born: u64) -> Run {
    Run { nonce, born, sees: None }
}

fn naming(run: Run, of: BootNonce, heir: bool) -> Run {
    Run { sees: Some(Sight { nonce: of, heir }), ..run }
}

/// The copy of a running node: the run that wrote what is on its disk goes on. It stops once that one names
/// it, and not before: each restart hears the last beacons of its own past.
#[test]
fn the_copy_of_a_running_node_stops_once_the_other_one_knows_of_it() {
    let me = who(1);
    let original = other_run(marker(3).nonce, 3);
    let mut rig = restarted(marker(3));
    assert_eq!(hear(&mut rig, beacon(&me, 7, 3, original)), Verdict::Accept);
    rig.run(SECOND);
    let mine = run_of(&mut rig);
    assert_eq!(
        (mine.born, mine.sees),
        (4, None),
        "a restart hears its past, and says nothing of it"
    );
    hear(&mut rig, beacon(&me, 8, 3, original));
    rig.run(SECOND);
    let heir = Sight { nonce: original.nonce, heir: true };
    assert_eq!(run_of(&mut rig).sees, Some(heir), "what goes on is no past");
    assert!(rig.stopped.is_none(), "it may have ended all the same");
    hear(&mut rig, beacon(&me, 9, 3, naming(original, mine.nonce, false)));
    rig.run(SECOND);
    let elsewhere = vec!["127.0.0.1:3000".to_owned()];
    assert_eq!(rig.stopped, Some(StopReason::Cloned { elsewhere }));
}

/// The other side of the same: who is copied while it runs goes on, and its incarnation is above the copy's.
#[test]
fn the_original_goes_on_above_its_copy() {
    let me = who(1);
    let mut rig = restarted(marker(3));
    let mine = run_of(&mut rig);
    let copy = other_run([9; 16], 5);
    assert_eq!(hear(&mut rig, beacon(&me, 1, 5, copy)), Verdict::Accept);
    rig.run(SECOND);
    assert_eq!(run_of(&mut rig).sees, Some(Sight { nonce: copy.nonce, heir: false }));
    hear(&mut rig, beacon(&me, 2, 5, naming(copy, mine.nonce, true)));
    rig.run(SECOND * 15);
    assert_eq!(rig.stopped, None);
    assert!(rig.own().expect("it spoke").marker().incarnation > 5);
}

/// Two that neither goes on from the other: both sides compute the same, whatever the numbers are.
#[test]
fn of_two_runs_exactly_one_stops() {
    let me = who(1);
    for (born, nonce) in [(3, 0), (4, 0), (4, 0xff), (5, 0xff)] {
        let mut rig = restarted(marker(3));
        let mine = run_of(&mut rig);
        assert_eq!(mine.born, 4);
        let other = other_run([nonce; 16], born);
        hear(&mut rig, beacon(&me, 1, born, other));
        hear(&mut rig, beacon(&me, 2, born, naming(other, mine.nonce, false)));
        rig.run(SECOND * 5);
        let greater = (other.born, other.nonce) > (mine.born, mine.nonce);
        assert_eq!(rig.stopped.is_some(), greater, "{other:?} against {mine:?}");
    }
}

#[test]
fn nobody_else_can_stop_a_node() {
    let mut rig = restarted(marker(3));
    let mine = run_of(&mut rig);
    let other = naming(other_run([0xff; 16], 99), mine.nonce, false);
    // A member signs it; a member signs it in this node's name; it names another run.
    hear(&mut rig, beacon(&who(2), 5, 9, other));
    let mut forged = beacon(&who(2), 6, 9, other);
    forged[1..33].copy_from_slice(&who(1).principal().0);
    assert_eq!(hear(&mut rig, forged), Verdict::Reject);
    hear(&mut rig, beacon(&who(1), 5, 9, naming(other, [3; 16], false)));
    rig.run(SECOND * 30);
    assert_eq!(rig.stopped, None);
}

/// The run that stops hands over what it added, without what was there before it started.
#[test]
fn who_stops_hands_over_what_it_added() {
    let me = who(1);
    let mut rig = restarted(marker(3));
    let mine = run_of(&mut rig);
    assert!(rig.register("added", None));
    let other = other_run([0xff; 16], 9);
    rig.links.clear();
    hear(&mut rig, beacon(&me, 1, 9, naming(other, mine.nonce, false)));
    let last = rig.own().expect("it spoke").clone();
    let yields = last.profile().yields.as_ref().expect("its last word");
    assert_eq!(yields.to, other.nonce);
    assert!(last.marker().incarnation > 9, "it is above what the other one says");
    assert_eq!(last.registrations().count(), 2);
    let added: Vec<_> = last.slots().keys().filter(|slot| yields.added(slot)).collect();
    assert_eq!(added.len(), 1, "what was on the disk is the other's, too");
    assert!(rig.stopped.is_none() && !rig.register("late", None), "it takes nothing more");
    let (id, _) = to_store(&rig).pop().expect("a member is asked to store it");
    let (peer, body) = (who(2).principal(), Response::encode_stored(true));
    rig.give(Event::Link(link::Event::Response { id, peer, body }));
    rig.run(SECOND);
    assert!(rig.stopped.is_some());
    let handed = Notice::HandedOver { services: vec!["main/added/r1".to_owned()], stored: true };
    assert!(rig.notices.contains(&handed), "{:?}", rig.notices);
}

/// The requests to members to store.
fn to_store(rig: &Rig) -> Vec<(link::RequestId, Vec<u8>)> {
    let requests = rig.links.iter().filter_map(|command| match command {
        link::Command::Request { id, body, .. } => match Request::decode(body) {
            Ok(Request::Store(frame)) => Some((*id, frame)),
            _ => None,
        },
        _ => None,
    });
    requests.collect()
}

/// The record that was being written is stored by a member; but it is not what the other run has to know of.
#[test]
fn a_record_on_its_way_to_the_disk_is_not_taken_for_the_last_word() {
    let mut rig = restarted(marker(3));
    let mine = run_of(&mut rig);
    rig.disk = Disk::Stuck;
    let register = Control::Register {
        key: key("added"),
        endpoint: "127.0.0.1:9000".parse().expect("an address"),
        labels: BTreeMap::new(),
        lease: None,
        sync: 0,
        patience: SECOND,
    };
    rig.give(Event::Control { id: ControlId(1), request: register });
    let other = other_run([0xff; 16], 9);
    hear(&mut rig, beacon(&who(1), 1, 9, naming(other, mine.nonce, false)));
    rig.links.clear();
    rig.unstick();
    let last = rig.own().expect("it spoke").clone();
    assert!(last.profile().yields.is_some() && last.registrations().count() == 2);
    let asked: Vec<_> = to_store(&rig).into_iter().map(|(_, frame)| frame).collect();
    assert_eq!(asked, [sealed(&last)]);
    rig.run(SECOND);
    assert!(rig.stopped.is_none(), "nobody answered");
}

#[test]
fn who_finds_nobody_to_store_it_stops_and_says_what_is_lost() {
    let mut rig = restarted(marker(3));
    let mine = run_of(&mut rig);
    assert!(rig.register("added", None));
    hear(&mut rig, beacon(&who(1), 1, 9, naming(other_run([0xff; 16], 9), mine.nonce, false)));
    rig.run(SECOND * 2);
    assert!(rig.stopped.is_none(), "somebody may still answer");
    rig.run(SECOND * 2);
    assert!(rig.stopped.is_some());
    let lost = Notice::HandedOver { services: vec!["main/added/r1".to_owned()], stored: false };
    assert!(rig.notices.contains(&lost), "{:?}", rig.notices);
}

/// The last word of a copy, as members hold it.
fn last_word(to: BootNonce, services: &[&str], added: &[&str]) -> Arc<crux_crdt::record::Record> {
    let me = who(1);
    let at = Marker { incarnation: 9, nonce: [9; 16], seq: 3 };
    let of = |services| record_with(&me, at, Profile::default(), services);
    let since = of(added).slots().keys().filter_map(|id| id.0.first_chunk().copied()).collect();
    let yields = Some(crux_crdt::record::Yields { to, since });
    record_with(&me, at, Profile { yields, ..Profile::default() }, services)
}

#[test]
fn who_goes_on_takes_over_what_the_copy_added_and_says_so() {
    let mut rig = restarted(marker(3));
    let mine = run_of(&mut rig);
    assert!(rig.register("mine", None));
    // `stale` was removed here before the copy of an older disk started: it does not come back.
    let word = last_word(mine.nonce, &["stale", "added", "mine"], &["added"]);
    rig.gossip(who(2).principal(), Topic::Fact, gossiped(&word));
    rig.run(SECOND);
    assert_eq!(rig.stopped, None);
    let mut services = rig.services();
    services.sort();
    assert_eq!(services, ["added", "mine", "old"]);
    assert_eq!(rig.own().expect("it spoke").marker().incarnation, 10);
    let from = vec![];
    let took = Notice::TookOver { services: vec!["main/added/r1".to_owned()], from };
    assert!(rig.notices.contains(&took), "{:?}", rig.notices);
}

#[test]
fn what_both_registered_stays_as_it_is_here_and_the_other_is_said_to_be_lost() {
    let mut rig = restarted(marker(3));
    let mine = run_of(&mut rig);
    assert!(rig.register("both", None));
    let word = last_word(mine.nonce, &["both"], &["both"]);
    let before = rig.own().expect("it spoke").slots().clone();
    rig.gossip(who(2).principal(), Topic::Fact, gossiped(&word));
    rig.run(SECOND);
    assert_eq!(*rig.own().expect("it spoke").slots(), before);
    let lost = Notice::LostWithTwin { services: vec!["main/both/r1".to_owned()], from: vec![] };
    assert!(rig.notices.contains(&lost), "{:?}", rig.notices);
}

/// A third node hears both, on connections that it takes for those of one peer. It tells each of the other.
#[test]
fn a_member_tells_both_runs_of_a_peer_of_each_other() {
    let twin = who(2);
    let peer = twin.principal();
    let mut rig = Rig::with_member(&twin, Profile::default());
    let (a, b) = (other_run([1; 16], 1), other_run([2; 16], 1));
    let first = beacon(&twin, 40, 1, a);
    let second = beacon(&twin, 1, 1, b);
    assert_eq!(hear(&mut rig, first.clone()), Verdict::Accept);
    assert_eq!(hear(&mut rig, second.clone()), Verdict::Accept, "others are to hear it, too");
    let ask = Request::Roots {
        roots: Roots::of(rig.state.strew()),
        aside: Aside::default(),
        urgent: false,
    };
    let reply = rig.request(peer, Protocol::Sync, ask.encode()).expect("an answer");
    let Ok(Response::Roots { aside, .. }) = Response::decode(&reply, &rig.context()) else {
        panic!("no roots")
    };
    assert_eq!(aside.runs, [first, second]);
    // The first one names the second: that is told at once, on every connection there may be.
    rig.links.clear();
    hear(&mut rig, beacon(&twin, 41, 1, naming(a, b.nonce, false)));
    let told = rig.links.iter().filter(|command| match command {
        link::Command::Request { body, .. } => matches!(
            Request::decode(body),
            Ok(Request::Roots { aside, .. }) if aside.runs.len() == 2
        ),
        _ => false,
    });
    assert_eq!(told.count(), 3);
    // One that speaks only for itself learns of nobody.
    rig.run(SECOND * 90);
    let reply = rig.request(peer, Protocol::Sync, ask.encode()).expect("an answer");
    let Ok(Response::Roots { aside, .. }) = Response::decode(&reply, &rig.context()) else {
        panic!("no roots")
    };
    assert!(aside.runs.is_empty(), "it was long ago");
}

/// The beacons of the copy come before its last word: going above them at once would hide that.
#[test]
fn the_last_word_of_a_copy_is_heard_after_its_last_beacon() {
    let me = who(1);
    let mut rig = restarted(marker(3));
    let mine = run_of(&mut rig);
    let copy = other_run([9; 16], 4);
    hear(&mut rig, beacon(&me, 1, 9, naming(copy, mine.nonce, true)));
    rig.run(SECOND * 5);
    assert_eq!(rig.own().expect("it spoke").marker().incarnation, 4);
    let word = last_word(mine.nonce, &["added"], &["added"]);
    rig.gossip(who(2).principal(), Topic::Fact, gossiped(&word));
    rig.run(SECOND);
    assert!(rig.services().contains(&"added".to_owned()));
    assert_eq!(rig.own().expect("it spoke").marker().incarnation, 10);
}

/// A copy that wrote nothing stops without a word. Members have heard its beacons, and must not take those of
/// the run that goes on for older ones.
#[test]
fn who_goes_on_beacons_above_a_copy_that_only_beaconed() {
    let mut rig = restarted(marker(3));
    hear(&mut rig, beacon(&who(1), 1, 9, other_run([9; 16], 9)));
    rig.run(SECOND * 15);
    assert_eq!(rig.stopped, None);
    assert_eq!(rig.own().expect("it spoke").marker().incarnation, 10);
}

/// Whether the node asked a member to store its record since the last look at the links.
fn asked_to_store(rig: &Rig) -> bool {
    !to_store(rig).is_empty()
}

fn names(service: &str) -> Vec<String> {
    vec![format!("main/{service}/r1")]
}

/// A copy was started so often that it counts as the newer one, and its disk is older than the last run of
/// the original: what that run registered is on the original's disk only.
#[test]
fn who_stops_says_and_names_what_only_an_earlier_run_of_it_registered() {
    let mut rig = restarted(marker(3));
    let mine = run_of(&mut rig);
    let other = other_run([0xff; 16], 9);
    rig.links.clear();
    hear(&mut rig, beacon(&who(1), 1, 9, naming(other, mine.nonce, false)));
    let word = rig.own().expect("it spoke").clone();
    let yields = word.profile().yields.as_ref().expect("its last word, though it added nothing");
    assert!(yields.to == other.nonce && yields.since.is_empty());
    assert_eq!(word.registrations().count(), 1);
    assert!(asked_to_store(&rig));
    rig.run(SECOND * 4);
    assert!(rig.stopped.is_some());
    let named = Notice::LeftBehind { services: names("old") };
    assert!(rig.notices.contains(&named), "{:?}", rig.notices);
}

#[test]
fn who_stops_says_nothing_that_the_other_run_says_too() {
    let mut rig = restarted(marker(3));
    let mine = run_of(&mut rig);
    let other = other_run([0xff; 16], 9);
    let at = Marker { incarnation: 9, nonce: other.nonce, seq: 0 };
    let theirs = record_with(&who(1), at, Profile::default(), &["more", "old"]);
    rig.gossip(who(2).principal(), Topic::Fact, gossiped(&theirs));
    hear(&mut rig, beacon(&who(1), 1, 9, naming(other, mine.nonce, false)));
    rig.run(SECOND * 2);
    assert!(rig.stopped.is_some());
    assert_eq!(rig.own().expect("it spoke").profile().yields, None);
    let told = |it: &Notice| matches!(it, Notice::LeftBehind { .. } | Notice::HandedOver { .. });
    assert!(!rig.notices.iter().any(told), "{:?}", rig.notices);
}

/// Whether it was removed here in an earlier run, or never was here, no disk tells.
#[test]
fn what_the_copy_had_since_before_its_start_is_named_and_not_taken_over() {
    let mut rig = restarted(marker(3));
    let mine = run_of(&mut rig);
    assert!(rig.register("gone", None));
    let gone = crux_protocol::flock::Control::Deregister(key("gone"));
    assert!(rig.control(gone).expect("an answer").is_ok());
    let word = last_word(mine.nonce, &["added", "earlier", "gone", "old"], &["added"]);
    rig.gossip(who(2).principal(), Topic::Fact, gossiped(&word));
    rig.run(SECOND);
    let mut services = rig.services();
    services.sort();
    assert_eq!(services, ["added", "old"]);
    let left = Notice::NotTakenOver { services: names("earlier"), from: vec![] };
    assert!(rig.notices.contains(&left), "{:?}", rig.notices);
    let lost = |it: &Notice| matches!(it, Notice::LostWithTwin { .. });
    assert!(!rig.notices.iter().any(lost), "{:?}", rig.notices);
}

/// A run of this identity wrote, beaconed to nobody that this one hears, and is gone.
#[test]
fn who_goes_on_from_a_dead_run_names_what_that_did_not_say() {
    let mut rig = restarted(marker(3));
    let at = Marker { incarnation: 9, nonce: [9; 16], seq: 3 };
    let theirs = record_with(&who(1), at, Profile::default(), &["theirs"]);
    assert!(rig.register("mine", None));
    rig.gossip(who(2).principal(), Topic::Fact, gossiped(&theirs));
    rig.run(SECOND * 11);
    let mut services = rig.services();
    services.sort();
    assert_eq!(services, ["mine", "theirs"]);
    let told = Notice::Recovered { incarnation: 9, lost: names("old") };
    assert!(rig.notices.contains(&told), "{:?}", rig.notices);
}

/// A member that lies retires this identity just then: members do not store the last word as it was.
#[test]
fn who_is_retired_while_it_stops_says_its_last_word_above_that() {
    let mut rig = restarted(marker(3));
    let mine = run_of(&mut rig);
    assert!(rig.register("added", None));
    let other = other_run([0xff; 16], 9);
    hear(&mut rig, beacon(&who(1), 1, 9, naming(other, mine.nonce, false)));
    assert_eq!(rig.own().expect("it spoke").marker().incarnation, 11);
    let subject = who(1).principal();
    let lie = Statement::Retire { subject, incarnation: 20 };
    let lie = sealed_act(&act(&who(2), 2, lie));
    rig.gossip(who(2).principal(), Topic::Fact, lie);
    let word = rig.own().expect("it spoke").clone();
    assert_eq!(word.marker().incarnation, 21);
    let yields = word.profile().yields.as_ref().expect("its last word");
    assert!(word.slots().keys().filter(|slot| yields.added(slot)).count() == 1);
    assert!(asked_to_store(&rig), "once more, since the first one is nobody's any more");
    rig.run(SECOND * 4);
    assert!(rig.stopped.is_some());
}

/// The other run rises at the same time, for a reason of its own, and hides the last word.
#[test]
fn who_is_outdone_while_it_stops_says_its_last_word_once_more_above_that() {
    let mut rig = restarted(marker(3));
    let mine = run_of(&mut rig);
    assert!(rig.register("added", None));
    let other = other_run([0xff; 16], 9);
    hear(&mut rig, beacon(&who(1), 1, 9, naming(other, mine.nonce, false)));
    let word = rig.own().expect("it spoke").clone();
    let rises = |rig: &mut Rig, incarnation, all: bool| {
        let at = Marker { incarnation, nonce: other.nonce, seq: 0 };
        let slots = word.slots().values().map(|slot| (**slot).clone()).filter(|_| all);
        let theirs = record_of(&who(1), at, Profile::default(), slots);
        rig.gossip(who(2).principal(), Topic::Fact, gossiped(&theirs));
    };
    rises(&mut rig, 30, false);
    assert_eq!(rig.own().expect("it spoke").marker().incarnation, 32);
    assert!(asked_to_store(&rig));
    // Then the other one goes above that with what was handed over: that is an answer.
    rises(&mut rig, 33, true);
    rig.run(Duration::from_millis(1));
    assert!(rig.stopped.is_some());
    assert_eq!(rig.own().expect("it spoke").marker().incarnation, 32);
    let handed = Notice::HandedOver { services: names("added"), stored: true };
    assert!(rig.notices.contains(&handed), "{:?}", rig.notices);
}

/// A copy of a disk that was not in use, started beside the one that goes on: it must not speak yet, and sees
/// meanwhile that there is no need to.
#[test]
fn who_learns_while_it_listens_that_the_other_run_says_the_same_stops_without_a_word() {
    let (me, other) = (who(1), who(2));
    let acts = vec![admit(&me, &other), admit(&other, &me)];
    let last = record_with(&me, marker(3), Profile::default(), &["old"]);
    let records = vec![record(&other, marker(1), Profile::default()), last];
    let mut rig = Rig::restored(Restored {
        known_key: true,
        facts: facts(acts, records),
        ..Restored::default()
    });
    rig.connect(other.principal(), true);
    // To ask for it would be to compare, and it would listen no more.
    let mine = beaconed(&rig);
    let run = other_run([0xff; 16], 4);
    hear(&mut rig, beacon(&me, 1, 4, naming(run, mine.nonce, false)));
    rig.run(SECOND);
    assert!(rig.stopped.is_none(), "it waits to say what the other one may lack");
    let at = Marker { incarnation: 4, nonce: run.nonce, seq: 0 };
    let theirs = record_with(&me, at, Profile::default(), &["old"]);
    rig.gossip(other.principal(), Topic::Fact, gossiped(&theirs));
    rig.run(SECOND);
    assert!(rig.stopped.is_some());
    let words = rig.written.iter().flat_map(records_in);
    assert_eq!(words.filter(|record| record.author() == me.principal()).count(), 0);
    let told = |it: &Notice| matches!(it, Notice::LeftBehind { .. });
    assert!(!rig.notices.iter().any(told), "{:?}", rig.notices);
}
