//! A member that lies retires others while they are down, and what that does to what they said.

use crate::rig::facts;
use crate::rig::records_in;
use std::sync::Arc;
use std::time::Duration;

use crux_crdt::act::Statement;
use crux_crdt::canon::Canonical as _;
use crux_crdt::record::{Marker, Profile, Record, SLOT_BYTES_MAX, Slot};
use crux_crdt::sign::Identity;
use crux_protocol::flock::{Control, Event, Restored};
use crux_protocol::join;
use crux_protocol::link::{self, Protocol, RequestFailure, RequestId, Topic};
use crux_protocol::sync::{Request, Response};

use crate::rig::{
    Disk, Rig, act, admit, gossiped, marker, record, record_of, record_with, sealed, sealed_act,
    who,
};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

fn liar() -> Arc<Identity> {
    who(2)
}

/// A member that is down.
fn victim() -> Arc<Identity> {
    who(3)
}

fn said() -> Arc<Record> {
    record_with(&victim(), marker(4), Profile::default(), &["dns", "ntp"])
}

/// A disk that holds what the victim said.
fn disk() -> Restored {
    let me = who(1);
    let acts = vec![
        admit(&me, &liar()),
        admit(&liar(), &me),
        act(&me, 2, Statement::admit(victim().principal(), 2)),
    ];
    let records = vec![record(&liar(), marker(1), Profile::default()), said()];
    Restored { facts: facts(acts, records), ..Restored::default() }
}

fn rig() -> Rig {
    let mut rig = Rig::restored(disk());
    rig.connect(liar().principal(), true);
    rig.compare(liar().principal());
    rig.run(SECOND * 3);
    rig
}

fn retirement(incarnation: u64) -> Vec<u8> {
    let lie = Statement::Retire { subject: victim().principal(), incarnation };
    sealed_act(&act(&liar(), 1 + incarnation, lie))
}

fn retire(rig: &mut Rig, incarnation: u64) {
    rig.saved.clear();
    rig.gossip(liar().principal(), Topic::Fact, retirement(incarnation));
    assert!(rig.state.strew().shown_record(&victim().principal()).is_none());
}

/// Lets that much time pass in one step: nothing else is to happen meanwhile.
fn sleep(rig: &mut Rig, time: Duration) {
    rig.now = rig.now + time;
    rig.give(Event::Wake);
}

/// What was written of the victim since it was retired.
fn written(rig: &Rig) -> Vec<Arc<Record>> {
    let batches = rig.saved.iter().chain(&rig.written);
    let records = batches.flat_map(records_in).cloned();
    records.filter(|record| record.author() == victim().principal()).collect()
}

/// What the node asks the victim to store, and the number of the request.
fn request_of(rig: &Rig) -> Option<(RequestId, Vec<u8>)> {
    rig.links.iter().find_map(|command| match command {
        link::Command::Request { id, peer, body, .. } if *peer == victim().principal() => {
            match Request::decode(body) {
                Ok(Request::Store(frame)) => Some((*id, frame)),
                _ => None,
            }
        }
        _ => None,
    })
}

fn handed_back(rig: &Rig) -> Option<Vec<u8>> {
    request_of(rig).map(|(_, frame)| frame)
}

/// The disk answers, and the victim is asked to store its record.
fn hand_back(rig: &mut Rig) -> RequestId {
    rig.links.clear();
    rig.give(Event::Recalled { record: said() });
    request_of(rig).expect("it is asked").0
}

fn fail(rig: &mut Rig, id: RequestId, failure: RequestFailure) {
    let peer = victim().principal();
    rig.give(Event::Link(link::Event::RequestFailed { id, peer, failure }));
}

fn answer(rig: &mut Rig, id: RequestId) {
    let (peer, body) = (victim().principal(), Response::encode_stored(false));
    rig.give(Event::Link(link::Event::Response { id, peer, body }));
}

fn disconnect(rig: &mut Rig) {
    let peer = victim().principal();
    rig.give(Event::Link(link::Event::Disconnected { peer }));
}

#[test]
fn a_retirement_takes_nothing_from_the_disk_for_a_day() {
    let mut rig = rig();
    retire(&mut rig, 4);
    assert!(rig.state.strew().record(&victim().principal()).expect("it is known").is_stripped());
    sleep(&mut rig, HOUR * 24 - SECOND);
    assert!(written(&rig).is_empty());
    // A retirement at a greater incarnation does not begin another day.
    retire(&mut rig, 5);
    sleep(&mut rig, SECOND);
    let written = written(&rig);
    assert!(written.len() == 1 && written[0].is_stripped() && written[0].id() == said().id());
}

#[test]
fn a_start_begins_the_day_anew() {
    let mut restored = disk();
    let lie = Statement::Retire { subject: victim().principal(), incarnation: 4 };
    restored.facts.push(act(&liar(), 2, lie).into());
    let mut rig = Rig::restored(restored);
    sleep(&mut rig, HOUR * 24 - SECOND);
    assert!(written(&rig).is_empty());
    sleep(&mut rig, SECOND);
    assert!(matches!(&written(&rig)[..], [one] if one.is_stripped()));
}

#[test]
fn what_a_member_leaves_behind_goes_from_the_disk_at_once_and_at_the_next_start() {
    let left = act(&victim(), 1, Statement::Leave { incarnation: 4 });
    let mut rig = rig();
    rig.gossip(liar().principal(), Topic::Fact, sealed_act(&left));
    assert!(matches!(&written(&rig)[..], [one] if one.is_stripped()));
    let mut restored = disk();
    restored.facts.push(left.into());
    let rig = Rig::restored(restored);
    assert!(matches!(&written(&rig)[..], [one] if one.is_stripped()));
}

/// The whole of the promise: a member stored it, another one lies, the author comes back without its disk.
#[test]
fn who_was_retired_and_lost_its_disk_is_handed_back_what_it_said() {
    let mut rig = rig();
    retire(&mut rig, 9);
    assert!(rig.recalled.is_empty());
    rig.connect(victim().principal(), true);
    assert_eq!(rig.recalled, [victim().principal()]);
    rig.links.clear();
    rig.give(Event::Recalled { record: said() });
    let frame = handed_back(&rig).expect("it is asked to store its own record");
    assert_eq!(frame, sealed(&said()));

    // The author's side. It is node 1 here, since that is whose part the rig plays.
    let (me, other) = (who(1), who(2));
    let acts = vec![admit(&me, &other), admit(&other, &me)];
    let records = vec![record(&other, marker(1), Profile::default())];
    let mut rig = Rig::restored(Restored {
        known_key: true,
        facts: facts(acts, records),
        ..Restored::default()
    });
    rig.connect(other.principal(), true);
    let lie = Statement::Retire { subject: me.principal(), incarnation: 9 };
    rig.gossip(other.principal(), Topic::Fact, sealed_act(&act(&other, 2, lie)));
    rig.compare(other.principal());
    let mine = record_with(&me, marker(4), Profile::default(), &["dns", "ntp"]);
    rig.request(other.principal(), Protocol::Sync, Request::Store(sealed(&mine)).encode());
    rig.run(SECOND * 3);
    let mut services = rig.services();
    services.sort();
    assert_eq!(services, ["dns", "ntp"], "as its flock sees it");
    assert_eq!(rig.own().expect("it spoke").marker().incarnation, 10);
}

#[test]
fn it_is_handed_back_seldom_and_to_its_author_only() {
    let mut rig = rig();
    rig.connect(victim().principal(), true);
    assert!(rig.recalled.is_empty(), "nobody retired it");
    disconnect(&mut rig);
    retire(&mut rig, 4);
    rig.connect(victim().principal(), true);
    let id = hand_back(&mut rig);
    answer(&mut rig, id);
    for _ in 0..5 {
        rig.connect(victim().principal(), true);
        rig.connect(liar().principal(), true);
        rig.run(SECOND);
    }
    assert_eq!(rig.recalled, [victim().principal()]);
    rig.run(SECOND * 60);
    rig.connect(victim().principal(), true);
    assert_eq!(rig.recalled.len(), 2);
    // It went meanwhile.
    disconnect(&mut rig);
    rig.links.clear();
    rig.give(Event::Recalled { record: said() });
    assert_eq!(handed_back(&rig), None);
    // And is back: that was no answer.
    rig.connect(victim().principal(), true);
    rig.run(Duration::from_millis(100));
    assert_eq!(rig.recalled.len(), 3);
}

/// It knows no members yet, so its gate is closed on the first link.
#[test]
fn it_is_handed_back_on_the_next_link_when_the_gate_was_closed() {
    let mut rig = rig();
    retire(&mut rig, 4);
    rig.connect(victim().principal(), true);
    let id = hand_back(&mut rig);
    fail(&mut rig, id, RequestFailure::Unsupported);
    rig.run(Duration::from_millis(500));
    assert_eq!(rig.recalled.len(), 1, "this link leads to a closed gate");
    disconnect(&mut rig);
    rig.connect(victim().principal(), true);
    assert_eq!(rig.recalled.len(), 2, "at once");
    hand_back(&mut rig);
}

/// Or a second link opens beside the first one, that this node dialled for it.
#[test]
fn it_is_handed_back_on_a_link_beside_the_one_whose_gate_was_closed() {
    let mut rig = rig();
    retire(&mut rig, 4);
    rig.connect(victim().principal(), true);
    let id = hand_back(&mut rig);
    fail(&mut rig, id, RequestFailure::Unsupported);
    rig.links.clear();
    rig.run(SECOND);
    let peer = victim().principal();
    let knock = rig.links.iter().find_map(|command| match command {
        link::Command::Request { id, peer: to, protocol: Protocol::Join, .. } if *to == peer => {
            Some(*id)
        }
        _ => None,
    });
    let body = join::Response::Standing { known: true, acts: vec![] }.encode();
    let id = knock.expect("it knocks");
    rig.links.clear();
    rig.give(Event::Link(link::Event::Response { id, peer, body }));
    let dial = rig.links.iter().find_map(|command| match command {
        link::Command::Dial { id, expect, .. } if *expect == Some(peer) => Some(*id),
        _ => None,
    });
    assert_eq!(rig.recalled.len(), 1);
    let (id, addr) = (dial.expect("it dials"), "127.0.0.1:2000".parse().expect("an address"));
    rig.give(Event::Link(link::Event::Dialled { id, peer, addr }));
    assert_eq!(rig.recalled.len(), 2);
}

/// The victim answers nothing, or its connection is lost each time: so many reads of the disk, and then a rest.
#[test]
fn without_an_answer_it_is_handed_back_again_soon_and_so_often() {
    const TRIES: usize = 16;
    let mut rig = rig();
    retire(&mut rig, 4);
    rig.connect(victim().principal(), true);
    for tries in 1..=TRIES {
        assert_eq!(rig.recalled.len(), tries);
        let id = hand_back(&mut rig);
        fail(&mut rig, id, RequestFailure::Lost);
        if tries % 2 == 0 {
            // Another link is no reason for another attempt before its time.
            disconnect(&mut rig);
            rig.connect(victim().principal(), true);
        }
        rig.run(Duration::from_millis(99));
        assert_eq!(rig.recalled.len(), tries);
        rig.run(Duration::from_millis(1));
    }
    rig.run(SECOND * 59);
    assert_eq!(rig.recalled.len(), TRIES);
    rig.run(SECOND);
    rig.connect(victim().principal(), true);
    assert_eq!(rig.recalled.len(), TRIES + 1);
}

/// A node that comes back is linked before everybody heard that it was retired.
#[test]
fn who_is_linked_when_its_retirement_comes_is_handed_back_what_it_said() {
    let mut rig = rig();
    rig.connect(victim().principal(), true);
    retire(&mut rig, 4);
    assert_eq!(rig.recalled, [victim().principal()]);
    hand_back(&mut rig);
}

#[test]
fn who_comes_back_by_itself_replaces_what_was_kept() {
    let mut rig = rig();
    retire(&mut rig, 4);
    let back = record_with(&victim(), marker(5), Profile::default(), &["dns"]);
    rig.gossip(liar().principal(), Topic::Fact, gossiped(&back));
    assert_eq!(written(&rig), [back]);
    rig.connect(victim().principal(), true);
    assert!(rig.recalled.is_empty());
    sleep(&mut rig, HOUR * 30);
    assert_eq!(written(&rig).len(), 1, "nothing more");
}

/// Its last record and the lie cross on their way.
#[test]
fn a_record_that_comes_after_the_retirement_is_kept_whole_on_the_disk() {
    let mut rig = rig();
    retire(&mut rig, 4);
    let last = record_with(&victim(), Marker { seq: 1, ..marker(4) }, Profile::default(), &["dns"]);
    rig.gossip(liar().principal(), Topic::Fact, gossiped(&last));
    assert!(rig.state.strew().shown_record(&victim().principal()).is_none());
    assert_eq!(written(&rig), std::slice::from_ref(&last));
    // It promised nothing, since others do not show it.
    let store = Request::Store(sealed(&last)).encode();
    let stored = rig.request(liar().principal(), Protocol::Sync, store);
    assert_eq!(stored, Some(Response::encode_stored(false)));
    sleep(&mut rig, HOUR * 24);
    assert!(written(&rig).last().expect("it goes").is_stripped());
}

/// A key of the liar.
fn key(n: u16) -> Identity {
    let mut seed = [0xdd; 32];
    seed[..2].copy_from_slice(&n.to_be_bytes());
    Identity::from_seed(&seed)
}

/// Some 45 KiB.
fn bulky(by: &Identity) -> Arc<Record> {
    let slots = (0..5).map(|n| {
        let mut bytes = vec![7; SLOT_BYTES_MAX];
        (bytes[0], bytes[1]) = (9, n);
        Slot::from_canonical(&bytes).expect("a kind that comes later")
    });
    record_of(by, marker(1), Profile::default(), slots)
}

/// It admits keys, has them take room, and retires them, without end.
#[test]
fn what_is_kept_is_bounded_and_the_largest_goes_first() {
    const LIMIT: usize = 1 << 20;
    let mut rig = Rig::limited(disk(), LIMIT);
    rig.connect(liar().principal(), true);
    rig.compare(liar().principal());
    rig.run(SECOND);
    retire(&mut rig, 4);
    let from = liar().principal();
    let mut went = Vec::new();
    for n in 0..40 {
        rig.saved.clear();
        rig.run(Duration::from_millis(10));
        let subject = key(n).principal();
        let number = 100 + 2 * u64::from(n);
        let admits = act(&liar(), number, Statement::admit(subject, 2));
        rig.gossip(from, Topic::Fact, sealed_act(&admits));
        rig.gossip(from, Topic::Fact, gossiped(&bulky(&key(n))));
        assert!(rig.state.strew().shown_record(&subject).is_some(), "there is room in memory");
        let retires = Statement::Retire { subject, incarnation: 1 };
        rig.gossip(from, Topic::Fact, sealed_act(&act(&liar(), number + 1, retires)));
        let records = rig.saved.iter().flat_map(records_in);
        went.extend(records.filter(|it| it.is_stripped()).map(|it| it.author()));
    }
    let kept = 40 - went.len();
    let each = bulky(&key(0)).footprint();
    assert_eq!(kept, (LIMIT - said().footprint()) / each, "as many as fit");
    assert!(!went.contains(&victim().principal()), "it is small, though it was the first");
}

/// It is read after it was written.
#[test]
fn a_record_that_comes_after_the_retirement_is_written_before_it_is_handed_back() {
    let mut rig = rig();
    retire(&mut rig, 4);
    rig.connect(victim().principal(), true);
    assert_eq!((rig.saved.len(), &rig.saved_before[..]), (1, &[1][..]));
    let last = record_with(&victim(), Marker { seq: 1, ..marker(4) }, Profile::default(), &["dns"]);
    rig.gossip(victim().principal(), Topic::Fact, gossiped(&last));
    assert_eq!((rig.saved.len(), &rig.saved_before[..]), (2, &[1, 2][..]));
    assert_eq!(written(&rig), [last]);
}

/// What this node's operator forgets is not kept, so it pushes out nobody's.
#[test]
fn what_the_operator_forgets_takes_the_place_of_nobody_elses() {
    let big = Identity::from_seed(&[4; 32]);
    let mut restored = disk();
    restored.facts.push(act(&who(1), 3, Statement::admit(big.principal(), 3)).into());
    restored.facts.push(bulky(&big).into());
    // Either fits, and not both.
    let limit = said().footprint() + bulky(&big).footprint() - 1;
    let mut rig = Rig::limited(restored, limit);
    rig.connect(liar().principal(), true);
    rig.compare(liar().principal());
    rig.run(SECOND * 3);
    let lie = Statement::Retire { subject: big.principal(), incarnation: 1 };
    rig.gossip(liar().principal(), Topic::Fact, sealed_act(&act(&liar(), 2, lie)));
    rig.saved.clear();
    let forget = rig.control(Control::Forget(victim().principal()));
    assert!(matches!(forget, Some(Ok(_))), "{forget:?}");
    let stripped = rig.saved.iter().chain(&rig.written).flat_map(records_in);
    let stripped: Vec<_> = stripped.filter(|it| it.is_stripped()).map(|it| it.author()).collect();
    assert_eq!(stripped, [victim().principal()]);
}

/// The lie is taken in while the disk is busy with what the operator said: nothing is kept, however they cross.
#[test]
fn what_the_operator_forgets_is_not_kept_though_a_liar_retires_it_meanwhile() {
    let mut rig = rig();
    rig.disk = Disk::Stuck;
    assert!(rig.control(Control::Forget(victim().principal())).is_none(), "it is being written");
    retire(&mut rig, 4);
    assert!(written(&rig).is_empty(), "it is kept until the operator's word is durable");
    rig.unstick();
    assert!(matches!(rig.answers.pop(), Some(Ok(_))));
    assert!(written(&rig).last().expect("it goes").is_stripped());
}
