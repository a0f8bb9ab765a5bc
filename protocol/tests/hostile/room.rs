//! A member that admits keys of its own without end, and records that nobody asked for.

use crate::rig::facts;
use crate::rig::records_in;
use std::sync::Arc;
use std::time::Duration;

use crux_crdt::Principal;
use crux_crdt::act::Statement;
use crux_crdt::canon::Canonical as _;
use crux_crdt::fact::Kind;
use crux_crdt::record::{Profile, Record, SLOT_BYTES_MAX, Slot};
use crux_crdt::sign::Identity;
use crux_crdt::strew::Strew;
use crux_protocol::context::{Apart, Context};
use crux_protocol::flock::{Answer, Control, Event, Notice, Restored};
use crux_protocol::join::{self, Refusal};
use crux_protocol::link::{self, Protocol, Topic, Verdict};
use crux_protocol::sync::{self, Request, Response};

use crate::join_by_hand::try_to_join;
use crate::rig::{FLOCK, Rig, act, admit, gossiped, marker, record, record_of, record_with};
use crate::rig::{sealed_act, who};

const LIMIT: usize = 1 << 20;

fn liar() -> Arc<Identity> {
    who(2)
}

/// A member that the rig's node admitted, as it did the liar.
fn honest() -> Arc<Identity> {
    who(3)
}

/// The `n`-th key of the liar.
fn key(n: u16) -> Identity {
    let mut seed = [0xcc; 32];
    seed[..2].copy_from_slice(&n.to_be_bytes());
    Identity::from_seed(&seed)
}

/// A record with five slots of 8 KiB: as much as gossip carries.
fn bulky(by: &Identity, seq: u64) -> Arc<Record> {
    let slots = (0..5).map(|n| {
        let mut bytes = vec![7; SLOT_BYTES_MAX];
        (bytes[0], bytes[1]) = (9, n);
        Slot::from_canonical(&bytes).expect("a kind that comes later")
    });
    let marker = crux_crdt::record::Marker { seq, ..marker(1) };
    record_of(by, marker, Profile::default(), slots)
}

fn admission(n: u16) -> Vec<u8> {
    let statement = Statement::admit(key(n).principal(), 2);
    sealed_act(&act(&liar(), u64::from(n) + 2, statement))
}

fn rig(limit: usize) -> Rig {
    let me = who(1);
    let acts = vec![
        admit(&me, &liar()),
        admit(&liar(), &me),
        act(&me, 2, Statement::admit(honest().principal(), 2)),
    ];
    let records = [liar(), honest()].map(|it| record(&it, marker(1), Profile::default()));
    let restored = Restored { facts: facts(acts, records), ..Restored::default() };
    let mut rig = Rig::limited(restored, limit);
    rig.connect(liar().principal(), true);
    rig.compare(liar().principal());
    rig.run(Duration::from_secs(1));
    rig
}

/// The liar admits keys and publishes for them until one is not taken in. Returns how many were.
fn fill(rig: &mut Rig) -> u16 {
    let from = liar().principal();
    for n in 0..200 {
        let admitted = rig.gossip(from, Topic::Fact, admission(n));
        let published = rig.gossip(from, Topic::Fact, gossiped(&bulky(&key(n), 0)));
        if admitted == Verdict::Ignore || published == Verdict::Ignore {
            return n;
        }
    }
    panic!("it takes in everybody");
}

#[test]
fn keys_without_end_take_so_much_and_are_laid_at_the_door_of_who_admits_them() {
    let mut rig = rig(LIMIT);
    let taken = fill(&mut rig);
    assert!((10..25).contains(&taken), "{taken} records of 45 KiB in 1 MiB");
    assert!(rig.state.is_replica_full());
    let said = |rig: &Rig| {
        let full = |notice: &&Notice| matches!(notice, Notice::ReplicaFull { .. });
        rig.notices.iter().filter(full).count()
    };
    assert_eq!(said(&rig), 1);
    let members = rig.state.strew().membership().members().count();
    let from = liar().principal();
    for n in 1_000..1_100 {
        assert_eq!(rig.gossip(from, Topic::Fact, admission(n)), Verdict::Ignore);
        rig.gossip(from, Topic::Fact, gossiped(&bulky(&key(n), 0)));
    }
    assert_eq!(rig.state.strew().membership().members().count(), members);
    assert!(rig.state.strew().footprint() <= LIMIT);
    assert_eq!(said(&rig), 1, "it is said once");
    let brought = rig.state.brought_most();
    assert_eq!(brought[0].member, from);
    assert!(brought[0].authors >= usize::from(taken) && brought[0].bytes > LIMIT / 2);
    assert!(brought[0].through.is_empty(), "this node admitted it");
    // A member that was known goes on, this node too.
    let record = record_with(&honest(), marker(2), Profile::default(), &["dns", "ntp"]);
    assert_eq!(rig.gossip(from, Topic::Fact, gossiped(&record)), Verdict::Accept);
    assert!(rig.register("web", None));
    assert_eq!(rig.services(), ["web"]);
}

#[test]
fn a_chain_of_admissions_is_named_from_this_node_on() {
    let mut rig = rig(1 << 30);
    let from = liar().principal();
    rig.gossip(from, Topic::Fact, admission(0));
    for n in 0..8 {
        let subject = key(n + 1).principal();
        let next = act(&key(n), 1, Statement::admit(subject, 1));
        rig.gossip(from, Topic::Fact, sealed_act(&next));
    }
    rig.gossip(from, Topic::Fact, gossiped(&bulky(&key(8), 0)));
    let brought = rig.state.brought_most();
    assert_eq!(brought.len(), 3);
    assert_eq!(brought[0].member, key(7).principal());
    let chain: Vec<_> = (0..7).map(|n| key(n).principal()).collect();
    assert_eq!(brought[0].through, [vec![from], chain].concat());
}

#[test]
fn nobody_joins_through_a_full_node_and_it_says_why() {
    let mut rig = rig(LIMIT);
    let newcomer = who(9);
    // As long as there is room, this is how it goes.
    rig.connect(who(8).principal(), false);
    rig.connect(newcomer.principal(), false);
    crate::join_by_hand::join(&mut rig, &who(8), true);
    fill(&mut rig);
    let (acts, written) = (rig.state.strew().acts().count(), rig.written.len());
    let answer = try_to_join(&mut rig, &newcomer, true);
    assert!(matches!(answer, join::Response::Refused(Refusal::Full)), "{answer:?}");
    assert!(!rig.state.strew().membership().contains(&newcomer.principal()));
    assert_eq!((rig.state.strew().acts().count(), rig.written.len()), (acts, written));
    let named = |notice: &Notice| {
        matches!(notice, Notice::JoinFailed { refusal: Refusal::Full, joining: false, .. })
    };
    assert!(rig.notices.iter().any(named), "{:?}", rig.notices);
    // Nor does one that another member admitted.
    let chain = vec![act(&liar(), 900, Statement::admit(newcomer.principal(), 3))];
    let present = join::Request::Present(join::Chain::of(&chain)).encode();
    let reply = rig.request(newcomer.principal(), Protocol::Join, present).expect("a reply");
    let reply = join::Response::decode(&reply, &context());
    assert!(matches!(reply, Ok(join::Response::Refused(Refusal::Full))), "{reply:?}");
    // Members come back as before.
    let again = try_to_join(&mut rig, &who(8), true);
    assert!(matches!(again, join::Response::Welcome { .. }), "{again:?}");
}

#[test]
fn forgetting_frees_memory_and_disk_at_once_and_makes_room() {
    let mut rig = rig(LIMIT);
    let taken = fill(&mut rig);
    rig.saved.clear();
    for n in 0..taken {
        let held = rig.state.strew().footprint();
        let subject = key(n).principal();
        assert!(matches!(rig.control(Control::Forget(subject)), Some(Ok(_))));
        assert!(rig.state.strew().footprint() + 40 * 1024 < held);
        let saved = rig.saved.iter().flat_map(records_in);
        let stripped = saved.filter(|record| record.is_stripped() && record.author() == subject);
        assert!(stripped.count() > 0, "its slots leave the disk");
    }
    assert!(!rig.state.is_replica_full());
    let from = liar().principal();
    assert_eq!(rig.gossip(from, Topic::Fact, admission(500)), Verdict::Accept);
    let record = gossiped(&bulky(&key(500), 0));
    assert_eq!(rig.gossip(from, Topic::Fact, record), Verdict::Accept);
    // The same in memory when it is another member that forgets; that may be a lie about one that is down, so
    // the disk keeps it.
    let subject = key(500).principal();
    let forgets = act(&honest(), 3, Statement::Retire { subject, incarnation: 1 });
    let held = rig.state.strew().footprint();
    rig.saved.clear();
    rig.gossip(honest().principal(), Topic::Fact, sealed_act(&forgets));
    assert!(rig.state.strew().footprint() + 40 * 1024 < held);
    assert!(rig.saved.iter().flat_map(records_in).all(|it| it.author() != subject));
    // Unless this node's operator does not want that.
    assert_eq!(rig.control(Control::Forget(subject)), Some(Ok(Answer::Done)));
    let mut saved = rig.saved.iter().flat_map(records_in);
    assert!(saved.any(|it| it.author() == subject && it.is_stripped()));
}

#[test]
fn a_replica_that_shrinks_by_itself_has_room_again() {
    let mut rig = rig(LIMIT);
    fill(&mut rig);
    assert!(rig.state.is_replica_full());
    let (from, key) = (liar().principal(), key(0));
    let marker = crux_crdt::record::Marker { seq: 9, ..marker(1) };
    let small = record(&key, marker, Profile::default());
    assert_eq!(rig.gossip(from, Topic::Fact, gossiped(&small)), Verdict::Accept);
    assert!(!rig.state.is_replica_full());
}

fn context() -> Context {
    Context {
        flock: FLOCK,
        operator: None,
        me: who(9).principal(),
        verifier: Arc::new(crux_crdt::sign::Ed25519),
        sharing: Arc::new(Apart),
    }
}

/// What the node asks over sync, with the ids of the requests.
fn asked(rig: &mut Rig) -> Vec<(link::RequestId, Request)> {
    let commands = std::mem::take(&mut rig.links);
    let request = |command| match command {
        link::Command::Request { id, protocol: Protocol::Sync, body, .. } => {
            Some((id, Request::decode(&body).ok()?))
        }
        _ => None,
    };
    commands.into_iter().filter_map(request).collect()
}

#[test]
fn records_of_strangers_are_not_kept_whatever_brings_them() {
    let mut rig = rig(1 << 30);
    let (peer, stranger) = (liar().principal(), key(0));
    // The liar's replica has a newer record of its own. So the node asks for it.
    let newer = record_with(&liar(), marker(2), Profile::default(), &["dns"]);
    let mut theirs = Strew::new(peer);
    rig.state.strew().acts().for_each(|act| _ = theirs.merge_act(act.clone()));
    rig.state.strew().records().for_each(|it| _ = theirs.merge_record(it.clone()));
    theirs.merge_record(newer.clone());
    let (roots, aside) = (sync::Roots::of(&theirs), sync::Aside::default());
    let urgent = Request::Roots { roots, aside, urgent: true };
    rig.request(peer, Protocol::Sync, urgent.encode());
    let mut questions = asked(&mut rig);
    let mut brought = 0;
    while let Some((id, request)) = questions.pop() {
        let body = match request {
            Request::Ranges { kind: Kind::RECORD, .. } => {
                // Beside its own it lists a record of somebody whom nobody admitted.
                let pair =
                    |who: Principal, record: &Record| (crux_crdt::Digest(who.0), record.id());
                let lie = pair(stranger.principal(), &bulky(&stranger, 0));
                let items = vec![pair(peer, &newer), lie];
                Response::encode_pieces(&[sync::Piece::Items(items)])
            }
            Request::Facts { kind: Kind::RECORD, wanted } => {
                brought += 1;
                let want = wanted.first().expect("one at least");
                let records = [newer.clone(), bulky(&stranger, 0)];
                let records = records.map(|record| (record.into(), want)).to_vec();
                Response::encode_facts(Kind::RECORD, records)
            }
            _ => Response::encode_pieces(&[]),
        };
        rig.give(Event::Link(link::Event::Response { id, peer, body }));
        questions.extend(asked(&mut rig));
    }
    assert!(brought > 0);
    let strew = rig.state.strew();
    assert_eq!(strew.record(&peer).map(|record| record.id()), Some(newer.id()), "the true one is");
    assert!(strew.record(&stranger.principal()).is_none());
    assert_eq!(strew.records().count(), 3);
}
