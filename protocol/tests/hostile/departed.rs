//! A member that lies retires others while they are down, and what that does to what they said.

use std::sync::Arc;
use std::time::Duration;

use crux_crdt::act::Statement;
use crux_crdt::canon::Canonical as _;
use crux_crdt::record::{Marker, Profile, Record, SLOT_BYTES_MAX, Slot};
use crux_crdt::sign::Identity;
use crux_protocol::flock::{Event, Restored};
use crux_protocol::link::{self, Protocol, Topic};
use crux_protocol::sync::{Request, Response};

use crate::rig::{
    Rig, act, admit, marker, record, record_of, record_with, sealed, sealed_act, who,
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
        act(&me, 2, Statement::Admit { subject: victim().principal(), generation: 2 }),
    ];
    let records = vec![record(&liar(), marker(1), Profile::default()), said()];
    Restored { records, acts, ..Restored::default() }
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
    rig.gossip(liar().principal(), Topic::Membership, retirement(incarnation));
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
    let records = batches.flat_map(|batch| batch.records.iter().cloned());
    records.filter(|record| record.author() == victim().principal()).collect()
}

/// What the node asks the victim to store.
fn handed_back(rig: &Rig) -> Option<Vec<u8>> {
    rig.links.iter().find_map(|command| match command {
        link::Command::Request { peer, body, .. } if *peer == victim().principal() => {
            match Request::decode(body) {
                Ok(Request::Store(frame)) => Some(frame),
                _ => None,
            }
        }
        _ => None,
    })
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
    restored.acts.push(act(&liar(), 2, lie));
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
    rig.gossip(liar().principal(), Topic::Membership, sealed_act(&left));
    assert!(matches!(&written(&rig)[..], [one] if one.is_stripped()));
    let mut restored = disk();
    restored.acts.push(left);
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
    let mut rig = Rig::restored(Restored { known_key: true, records, acts, ..Restored::default() });
    rig.connect(other.principal(), true);
    let lie = Statement::Retire { subject: me.principal(), incarnation: 9 };
    rig.gossip(other.principal(), Topic::Membership, sealed_act(&act(&other, 2, lie)));
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
    retire(&mut rig, 4);
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
    let peer = victim().principal();
    rig.give(Event::Link(link::Event::Disconnected { peer }));
    rig.links.clear();
    rig.give(Event::Recalled { record: said() });
    assert_eq!(handed_back(&rig), None);
}

#[test]
fn who_comes_back_by_itself_replaces_what_was_kept() {
    let mut rig = rig();
    retire(&mut rig, 4);
    let back = record_with(&victim(), marker(5), Profile::default(), &["dns"]);
    rig.gossip(liar().principal(), Topic::Registry, sealed(&back));
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
    rig.gossip(liar().principal(), Topic::Registry, sealed(&last));
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
        let admits = act(&liar(), number, Statement::Admit { subject, generation: 2 });
        rig.gossip(from, Topic::Membership, sealed_act(&admits));
        rig.gossip(from, Topic::Registry, sealed(&bulky(&key(n))));
        assert!(rig.state.strew().shown_record(&subject).is_some(), "there is room in memory");
        let retires = Statement::Retire { subject, incarnation: 1 };
        rig.gossip(from, Topic::Membership, sealed_act(&act(&liar(), number + 1, retires)));
        let records = rig.saved.iter().flat_map(|batch| &batch.records);
        went.extend(records.filter(|it| it.is_stripped()).map(|it| it.author()));
    }
    let kept = 40 - went.len();
    let each = bulky(&key(0)).footprint();
    assert_eq!(kept, (LIMIT - said().footprint()) / each, "as many as fit");
    assert!(!went.contains(&victim().principal()), "it is small, though it was the first");
}
