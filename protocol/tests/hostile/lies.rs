//! A member that lies, and a stranger that knocks.

use crate::rig::facts;
use crate::rig::records_in;
use crux_crdt::fact::Arrival;
use std::time::Duration;

use crux_crdt::act::{NUMBER_LIMIT, Statement};
use crux_crdt::canon::{Canonical, Encoder};
use crux_crdt::record::{Header, INCARNATION_LIMIT, Marker, Profile};
use crux_crdt::sign::{Identity, Signed};
use crux_protocol::fact::Message;
use crux_protocol::flock::{Control, ControlError, Event, Notice as FlockNotice, Restored};
use crux_protocol::join::{self, Chain};
use crux_protocol::link::{self, Protocol, Topic, Verdict};
use crux_protocol::liveness::{Beacon, Evidence, Liveness, Notice, Run, Suspicion};
use crux_protocol::sync::{self, Request};

use crate::rig::{FLOCK, Rig, act, admit, gossiped, marker, record, sealed, sealed_act, who};

const SECOND: Duration = Duration::from_secs(1);

fn liar() -> std::sync::Arc<Identity> {
    who(2)
}

fn rig() -> Rig {
    Rig::with_member(&liar(), Profile::default())
}

fn suspicion(by: &Identity, subject: crux_crdt::Principal, number: u64) -> Vec<u8> {
    let (incarnation, counter) = (u64::MAX, u64::MAX);
    let suspicion = Suspicion { subject, incarnation, counter, evidence: Evidence::Gone, number };
    Notice::Suspicion(Signed::sign(suspicion, &FLOCK, by)).encode()
}

#[test]
fn what_a_stranger_says_is_not_kept() {
    let mut rig = rig();
    let (acts, digest) = (rig.state.strew().acts().count(), rig.state.strew().digest());
    for seed in 10..40 {
        let stranger = who(seed);
        rig.connect(stranger.principal(), false);
        let admission = join::Request::Admission(admit(&stranger, &who(1)));
        rig.request(stranger.principal(), Protocol::Join, admission.encode());
        let chain = join::Request::Present(Chain::of(&[admit(&stranger, &stranger)]));
        rig.request(stranger.principal(), Protocol::Join, chain.encode());
        // Passed on by a member, it is the same.
        let data = sealed_act(&admit(&stranger, &who(1)));
        rig.gossip(liar().principal(), Topic::Fact, data);
        let data = gossiped(&record(&stranger, marker(1), Profile::default()));
        rig.gossip(liar().principal(), Topic::Fact, data);
    }
    assert_eq!(rig.state.strew().acts().count(), acts);
    assert_eq!(rig.state.strew().records().count(), 2);
    assert_eq!(rig.state.strew().digest(), digest);
}

#[test]
fn forgeries_and_lies_about_others_are_held_against_who_sends_them() {
    let mut rig = rig();
    let (from, me) = (liar().principal(), who(1));
    let mut forged = gossiped(&record(&me, marker(9), Profile::default()));
    forged[40] ^= 1;
    assert_eq!(rig.gossip(from, Topic::Fact, forged), Verdict::Reject);
    // The liar's header with the author of another.
    let mut stolen = gossiped(&record(&liar(), marker(9), Profile::default()));
    stolen[1..33].copy_from_slice(&who(1).principal().0);
    assert_eq!(rig.gossip(from, Topic::Fact, stolen), Verdict::Reject);
    assert_eq!(rig.gossip(from, Topic::Beat, vec![1, 2, 3]), Verdict::Reject);
    assert_eq!(rig.gossip(from, Topic::Fact, vec![1; 500]), Verdict::Reject);
    assert_eq!(rig.gossip(from, Topic::Fact, vec![0; 40_000]), Verdict::Reject);
}

#[test]
fn no_record_has_an_incarnation_that_nobody_can_be_retired_above() {
    let header = |incarnation| Header {
        marker: Marker { incarnation, ..marker(1) },
        ..record(&liar(), marker(1), Profile::default()).header().value().clone()
    };
    assert!(Header::from_canonical(&header(INCARNATION_LIMIT - 1).to_canonical()).is_ok());
    assert!(Header::from_canonical(&header(INCARNATION_LIMIT).to_canonical()).is_err());
    assert!(Header::from_canonical(&header(u64::MAX).to_canonical()).is_err());
}

/// Others drop the bodies of a record that was retired, so they come again with the next one.
#[test]
fn a_node_that_was_retired_publishes_all_that_it_registered() {
    let mut rig = rig();
    assert!(rig.register("web", None));
    let (me, incarnation) = (rig.state.me(), rig.state.incarnation());
    let retire = Statement::Retire { subject: me, incarnation };
    let data = sealed_act(&act(&liar(), 2, retire));
    rig.gossip(liar().principal(), Topic::Fact, data);
    rig.run(SECOND);
    let published = rig.links.iter().find_map(|command| match command {
        link::Command::Publish { topic: Topic::Fact, data } => Some(data),
        _ => None,
    });
    let context = rig.context();
    let published = crux_protocol::fact::open(published.expect("it says that it lives"), &context);
    let Ok(Message::Fact(Arrival::Frame(frame))) = published else {
        panic!("a record: {published:?}")
    };
    assert!(frame.header.value().marker.incarnation > incarnation);
    assert_eq!(frame.bodies.len(), 1, "of the one service");
}

#[test]
fn who_is_retired_at_the_last_incarnation_comes_back() {
    let mut rig = rig();
    let me = rig.state.me();
    let retire = Statement::Retire { subject: me, incarnation: NUMBER_LIMIT - 1 };
    let data = sealed_act(&act(&liar(), 2, retire));
    assert_eq!(rig.gossip(liar().principal(), Topic::Fact, data), Verdict::Accept);
    rig.run(SECOND);
    let shown = rig.state.strew().shown_record(&me).expect("it undid that");
    assert!(shown.marker().incarnation >= NUMBER_LIMIT);
    let bytes = shown.header().value().to_canonical();
    assert!(Header::from_canonical(&bytes).is_ok(), "every peer takes it");
    // And over a restart.
    let records = rig.written.iter().flat_map(records_in).cloned().collect::<Vec<_>>();
    let mut acts: Vec<_> = rig.state.strew().acts().cloned().collect();
    acts.reverse();
    let again = Rig::restored(Restored { facts: facts(acts, records), ..Restored::default() });
    assert!(again.state.incarnation() > NUMBER_LIMIT);
}

#[test]
fn nobody_signs_what_no_peer_takes() {
    let mut rig = rig();
    let lying = record(&liar(), marker(NUMBER_LIMIT + 5), Profile::default());
    assert_eq!(rig.gossip(liar().principal(), Topic::Fact, gossiped(&lying)), Verdict::Accept);
    let peer = liar().principal();
    rig.give(Event::Link(link::Event::Disconnected { peer }));
    rig.run(SECOND * 60);
    assert_eq!(rig.state.liveness(&peer), Liveness::Dead);
    let acts = rig.state.strew().acts().count();
    let refused = rig.control(Control::Forget(peer));
    assert!(matches!(refused, Some(Err(ControlError::Rejected(_)))), "{refused:?}");
    assert_eq!(rig.state.strew().acts().count(), acts);
}

#[test]
fn a_member_that_joins_again_and_again_gets_the_same_admission() {
    let mut rig = rig();
    let acts = rig.state.strew().acts().count();
    let written = rig.written.len();
    for _ in 0..50 {
        crate::join_by_hand::join(&mut rig, &liar(), true);
    }
    assert_eq!(rig.state.strew().acts().count(), acts);
    assert_eq!(rig.written.len(), written);
}

#[test]
fn only_members_have_a_voice_and_one_voice_kills_nobody() {
    let third = who(3);
    let (me, liar) = (who(1), liar());
    let acts = vec![
        admit(&me, &liar),
        admit(&liar, &me),
        act(&me, 2, Statement::admit(third.principal(), 2)),
    ];
    let records = vec![
        record(&liar, marker(1), Profile::default()),
        record(&third, marker(1), Profile::default()),
    ];
    let mut rig = Rig::restored(Restored { facts: facts(acts, records), ..Restored::default() });
    rig.connect(liar.principal(), true);
    rig.connect(third.principal(), true);
    let subject = third.principal();
    for seed in 50..90 {
        let data = suspicion(&who(seed), subject, 1);
        assert_eq!(rig.gossip(liar.principal(), Topic::Beat, data), Verdict::Ignore);
    }
    let mut passed = 0;
    for number in 0..100 {
        let data = suspicion(&liar, subject, number);
        passed += usize::from(rig.gossip(liar.principal(), Topic::Beat, data) == Verdict::Accept);
    }
    assert!(passed <= 1, "{passed} of a flood are passed on");
    assert_eq!(rig.state.liveness(&subject), Liveness::Alive);
}

/// Node 1 with two members on its disk, of whom it is linked to the liar.
fn rig_of_three() -> Rig {
    let (me, liar, third) = (who(1), liar(), who(3));
    let acts = vec![
        admit(&me, &liar),
        admit(&liar, &me),
        act(&me, 2, Statement::admit(third.principal(), 2)),
    ];
    let members = [&liar, &third].map(|it| record(it, marker(1), Profile::default()));
    let mut rig = Rig::restored(Restored { facts: facts(acts, members), ..Restored::default() });
    rig.connect(liar.principal(), true);
    rig
}

/// The liar sees a thousand live members. Returns the node's requests to it because of that.
fn asked_by(rig: &mut Rig) -> Vec<(link::RequestId, Request)> {
    let roots = sync::Roots::of(rig.state.strew());
    let aside = sync::Aside { live: 1_000, ..sync::Aside::default() };
    let body = Request::Roots { roots, aside, urgent: false }.encode();
    rig.request(liar().principal(), Protocol::Sync, body);
    let asked = rig.links.iter().filter_map(|command| match command {
        link::Command::Request { id, body, .. } => Some((*id, Request::decode(body).ok()?)),
        _ => None,
    });
    asked.filter(|(_, request)| matches!(request, Request::Beacons(_))).collect()
}

fn answer(rig: &mut Rig, id: link::RequestId, told: &[sync::Hearsay]) {
    let (peer, body) = (liar().principal(), sync::Response::encode_beacons(told));
    rig.give(Event::Link(link::Event::Response { id, peer, body }));
}

#[test]
fn who_sees_more_alive_is_asked_of_whom_it_heard_one_at_a_time() {
    let mut rig = rig_of_three();
    let third = who(3).principal();
    let asked = asked_by(&mut rig);
    let [(id, Request::Beacons(of))] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(*of, [third]);
    assert!(asked_by(&mut rig).is_empty(), "the first is not answered yet");
    let beacon = Beacon {
        incarnation: 1,
        counter: 7,
        uptime: SECOND,
        state_digest: crux_crdt::Digest::default(),
        restart: None,
        run: Run::default(),
    };
    let beacon = Notice::Beacon(Signed::sign(beacon, &FLOCK, &who(3))).encode();
    answer(&mut rig, *id, &[sync::Hearsay { age: SECOND, beacon }]);
    assert_eq!(rig.state.liveness(&third), Liveness::Alive);
    assert!(asked_by(&mut rig).is_empty(), "there is nobody left to ask about");
}

#[test]
fn hearsay_that_nobody_signed_brings_nobody_to_life_and_is_named() {
    let mut rig = rig_of_three();
    let (id, _) = asked_by(&mut rig).remove(0);
    let beacon = Beacon {
        incarnation: 1,
        counter: 7,
        uptime: SECOND,
        state_digest: crux_crdt::Digest::default(),
        restart: None,
        run: Run::default(),
    };
    let mut beacon = Notice::Beacon(Signed::sign(beacon, &FLOCK, &who(3))).encode();
    *beacon.last_mut().expect("it is not empty") ^= 1;
    answer(&mut rig, id, &[sync::Hearsay { age: SECOND, beacon }]);
    assert_eq!(rig.state.liveness(&who(3).principal()), Liveness::Dead);
    let named = |notice: &FlockNotice| matches!(notice, FlockNotice::Misbehaved { peer, .. } if *peer == liar().principal());
    assert!(rig.notices.iter().any(named), "{:?}", rig.notices);
}

#[test]
fn a_flood_of_suspicions_makes_no_flood_of_beacons() {
    let mut rig = rig();
    let me = rig.state.me();
    let mut beacons = 0;
    for number in 0..1000 {
        let data = suspicion(&liar(), me, number);
        rig.gossip(liar().principal(), Topic::Beat, data);
        rig.links.clear();
        rig.run(Duration::from_millis(5));
        let published = |command: &&link::Command| matches!(command, link::Command::Publish { .. });
        beacons += rig.links.iter().filter(published).count();
    }
    assert!(beacons <= 20, "{beacons} in five seconds");
}

#[test]
fn a_beacon_from_the_end_of_time_breaks_nothing() {
    let mut rig = rig();
    let beacon = Beacon {
        incarnation: u64::MAX,
        counter: u64::MAX,
        uptime: Duration::MAX,
        state_digest: crux_crdt::Digest([5; 32]),
        restart: None,
        run: Run::default(),
    };
    let data = Notice::Beacon(Signed::sign(beacon, &FLOCK, &liar())).encode();
    rig.gossip(liar().principal(), Topic::Beat, data);
    let peer = liar().principal();
    let (incarnation, counter) = (u64::MAX, u64::MAX);
    rig.give(Event::Link(link::Event::Beat { peer, incarnation, counter }));
    rig.run(SECOND * 60);
    assert_eq!(rig.state.liveness(&peer), Liveness::Dead);
}

#[test]
fn rubbish_in_requests_is_answered_or_dropped() {
    let mut rig = rig();
    let peer = liar().principal();
    rig.run(SECOND * 60);
    let digest = rig.state.strew().digest();
    for protocol in [Protocol::Join, Protocol::Sync, Protocol::Call] {
        for first in 0..=8_u8 {
            for length in [0, 1, 40, 3000] {
                let mut body = vec![0xff; length];
                body.insert(0, first);
                let reply = rig.request(peer, protocol, body);
                assert!(reply.is_some(), "nobody waits in vain");
            }
        }
    }
    let mut store = Encoder::default();
    store.bytes(&[9; 100]);
    rig.request(peer, Protocol::Sync, Request::Store(store.finish()).encode());
    // A record of somebody else, to be stored in its name.
    let stolen = sealed(&record(&who(7), marker(1), Profile::default()));
    rig.request(peer, Protocol::Sync, Request::Store(stolen).encode());
    rig.run(SECOND);
    assert_eq!(rig.state.strew().digest(), digest);
    assert_eq!(rig.state.strew().records().count(), 2);
}

/// A record that would command terminals is refused whole, and held against its sender.
#[test]
fn a_record_whose_text_is_not_plain_changes_nothing() {
    let mut rig = rig();
    let (peer, digest) = (liar().principal(), rig.state.strew().digest());
    for text in ["\x1b[2J", "ok\nroot  alive", "\u{202e}", "\u{9d}0;x\u{9c}"] {
        let labels = [("rack".to_owned(), text.to_owned())].into();
        let labelled = Profile { labels, claim: 5, ..Profile::default() };
        let versioned = Profile { version: text.to_owned(), claim: 5, ..Profile::default() };
        for profile in [labelled, versioned] {
            let forged = record(&liar(), marker(2), profile);
            let verdict = rig.gossip(peer, Topic::Fact, gossiped(&forged));
            assert_eq!(verdict, Verdict::Reject);
            rig.request(peer, Protocol::Sync, Request::Store(sealed(&forged)).encode());
            rig.request(peer, Protocol::Call, crate::rig::command(&forged));
        }
    }
    assert_eq!(rig.state.strew().digest(), digest);
    assert_eq!(rig.state.fence(), None);
    let held = rig.state.strew().record(&peer).expect("the one before");
    assert_eq!((held.marker().incarnation, held.profile().claim), (1, 0));
    for notice in &rig.notices {
        assert!(notice.to_string().chars().all(crux_crdt::text::is_plain), "{notice:?}");
    }
}
