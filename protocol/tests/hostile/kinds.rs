//! A member whose record has more slots than it may, or slots that nobody knows.

use crate::rig::facts;
use crux_crdt::record::Frame;
use std::time::Duration;

use crux_crdt::Digest;
use crux_crdt::blob::{BlobId, Descriptor, Root};
use crux_crdt::canon::{Canonical as _, Encoder};
use crux_crdt::document::Marker as TargetMarker;
use crux_crdt::fact::{Arrival, Kind};
use crux_crdt::hash::sha3;
use crux_crdt::record::{
    Condition, First, Frontier, Header, InstanceKey, InstanceReport, Marker, NameTag, Offer,
    PlanEntries, PlanHead, Profile, ROWS, Registration, SLOT_BYTES_MAX, SLOTS_MAX, ServiceTag,
    Slot, SlotKind as _, Stage, Unwell, slots_root,
};
use crux_crdt::service::SpecTag;
use crux_crdt::sign::Signed;
use crux_protocol::context::{Apart, Context};
use crux_protocol::flock::Notice;
use crux_protocol::flock::Restored;
use crux_protocol::link::{Protocol, Topic, Verdict};
use crux_protocol::sync::{Request, Response, Wanted};
use std::sync::Arc;

use crate::rig::{FLOCK, Rig, admit, key, marker, record, record_of, registration, who};

/// A rig whose only other member, 2, may lie.
fn rig() -> Rig {
    let (me, liar) = (who(1), who(2));
    let acts = vec![admit(&me, &liar), admit(&liar, &me)];
    let records = vec![record(&liar, marker(1), Profile::default())];
    let mut rig =
        Rig::limited(Restored { facts: facts(acts, records), ..Restored::default() }, 1 << 30);
    rig.connect(liar.principal(), true);
    rig.compare(liar.principal());
    rig.run(Duration::from_secs(1));
    rig
}

fn service(number: u16) -> Slot {
    let mut one = registration("web");
    one.key.ordinal = number;
    one.into_slot()
}

fn offer(number: u16) -> Slot {
    let mut blob = [0; 32];
    blob[..2].copy_from_slice(&number.to_be_bytes());
    Offer(Descriptor { blob: BlobId(blob), root: Root([1; 32]), size: 1 }).into_slot()
}

fn unwell(number: u16) -> Slot {
    let [high, low] = number.to_be_bytes();
    let tag = ServiceTag([high, low, 0, 0, 0, 0, 0, 0]);
    let unwell = Unwell::new([(tag, Condition::Down)]).expect("one");
    unwell.expect("one").into_slot()
}

/// The part of a plan with that number; from 64 on a head, of which a plan has one.
fn plan(number: u16) -> Slot {
    let horde = "main".parse().expect("a label");
    let target = TargetMarker { grants_version: 0, generation: 1, id: Digest::default() };
    let Some(index) = u8::try_from(number).ok().filter(|index| *index < 64) else {
        let head = PlanHead::new(horde, 1, number.into(), target, Digest::default());
        let set = head.slots(&PlanEntries::new()).expect("it is small");
        return set.slots().next().expect("the head").clone();
    };
    let nodes = (0_u64..).map(|n| sha3("node", &[&n.to_be_bytes()]));
    let node = { nodes }.find(|node| sha3("crux/plan-node/1", &[&node.0]).0[0] >> 2 == index);
    let mut out = Encoder::default();
    // Kind, tag, k, index; one version, one fence, one node with one entry.
    out.fixed(&[4, 1, 6, index]).count(1).str("web").fixed(&[1; 8]);
    out.count(1).u64(1).fixed(&[2; 8]).count(1).digest(&node.expect("each part has nodes"));
    out.count(1).fixed(&[0; 4]).u64(1).fixed(&[0, 1, 0, 1]);
    Slot::from_canonical(&out.finish()).expect("a part")
}

fn instances(number: u16) -> Slot {
    let service = NameTag(u64::from(number).to_be_bytes());
    let (spec, stage, first) = (SpecTag([1; 8]), Stage::Ready, First::default());
    let all = [(InstanceKey { service, spec, stage, first }, 1)].into();
    InstanceReport::new(all).expect("one").expect("one").into_slot()
}

/// The greatest slot there is, of a kind that nobody knows.
fn later(number: u16) -> Slot {
    let mut bytes = vec![0x5a; SLOT_BYTES_MAX];
    bytes[0] = 0x7f;
    bytes[1..3].copy_from_slice(&number.to_be_bytes());
    Slot::from_canonical(&bytes).expect("a kind that comes later")
}

/// A frame of the liar's with these bodies, which its header covers: signed, whatever is wrong with it.
fn forged(incarnation: u64, bodies: &[Vec<u8>]) -> Vec<u8> {
    let profile = Profile::default();
    let mut slots: Vec<_> = bodies.iter().map(|body| (id_of(body), body)).collect();
    slots.sort();
    let header = Header {
        marker: marker(incarnation),
        slots_root: slots_root(slots.iter().map(|(id, _)| id)),
        profile_hash: profile.hash(),
        acts: Frontier::default(),
    };
    let mut out = Encoder::default();
    Signed::sign(header, &FLOCK, &who(2)).seal(&mut out);
    out.bytes(&profile.to_canonical()).count(slots.len());
    slots.iter().for_each(|(id, _)| _ = out.digest(id));
    out.count(slots.len());
    slots.iter().for_each(|(_, body)| _ = out.bytes(body));
    out.finish()
}

/// A frame of a record as it is gossiped.
fn fact(frame: &[u8]) -> Vec<u8> {
    [&[Kind::RECORD.0], frame].concat()
}

fn id_of(body: &[u8]) -> Digest {
    // A slot that does not decode has no id that anybody asks for.
    Slot::from_canonical(body).map_or(Digest([9; 32]), |slot| slot.id())
}

fn bodies(slots: impl IntoIterator<Item = Slot>) -> Vec<Vec<u8>> {
    slots.into_iter().map(|slot| slot.to_canonical()).collect()
}

/// Sends it in both ways in which records come by themselves. It must be laid at the sender's door, and change
/// nothing.
fn is_refused(rig: &mut Rig, what: &str, frame: &[u8], why: &str) {
    let liar = who(2).principal();
    let before = rig.state.strew().digest();
    rig.notices.clear();
    let stored = rig.request(liar, Protocol::Sync, Request::Store(frame.to_vec()).encode());
    assert_eq!(stored, Some(Response::encode_stored(false)), "{what}");
    assert_eq!(rig.gossip(liar, Topic::Fact, fact(frame)), Verdict::Reject, "{what}");
    assert_eq!(rig.state.strew().digest(), before, "{what}");
    let named =
        |notice: &Notice| matches!(notice, Notice::Misbehaved { what, .. } if what.contains(why));
    assert!(rig.notices.iter().any(named), "{what}: {:?}", rig.notices);
}

#[test]
fn an_author_with_too_many_of_one_kind_is_refused_and_shown_again_with_as_many_as_there_may_be() {
    let mut rig = rig();
    let of = |number: u8, count: u16| match number {
        1 => bodies((0..count).map(service)),
        2 => bodies((0..count).map(offer)),
        3 => bodies((0..count).map(unwell)),
        4 => bodies((0..count).map(plan)),
        5 => bodies((0..count).map(instances)),
        _ => panic!("this test has no slots of kind {number}"),
    };
    for (row, incarnation) in ROWS.iter().zip(2..) {
        let most = u16::try_from(row.most).expect("a small number");
        // Two of a kind of which there is one have one key, and a plan has as many slots as there are keys.
        let why = match most {
            1 | 65 => format!("two {} have one key", row.name),
            _ => format!("more than {most} {}", row.name),
        };
        is_refused(&mut rig, row.name, &forged(2 * incarnation, &of(row.number, most + 1)), &why);
        let whole = forged(2 * incarnation + 1, &of(row.number, most));
        let verdict = rig.gossip(who(2).principal(), Topic::Fact, fact(&whole));
        assert_eq!(verdict, Verdict::Accept, "{}", row.name);
        let shown = rig.state.strew().shown_record(&who(2).principal()).expect("it is shown");
        assert_eq!(shown.slots().len(), row.most, "{}", row.name);
    }
}

#[test]
fn an_author_with_641_slots_is_refused() {
    let mut rig = rig();
    let small = |number: u16| vec![0x7f, number.to_be_bytes()[0], number.to_be_bytes()[1]];
    let slots = |count| (0..count).map(small).collect::<Vec<_>>();
    is_refused(&mut rig, "641", &forged(2, &slots(641)), "slots");
    let most = forged(3, &slots(640));
    assert_eq!(rig.gossip(who(2).principal(), Topic::Fact, fact(&most)), Verdict::Accept);
    let shown = rig.state.strew().shown_record(&who(2).principal()).expect("it is shown");
    assert_eq!((shown.slots().len(), shown.registrations().count()), (SLOTS_MAX, 0));
    // Two of one key are as bad as too many.
    let mut twin = registration("web");
    twin.instance = "svc-twin".to_owned();
    let twins = bodies([service(0), twin.into_slot()]);
    is_refused(&mut rig, "twins", &forged(4, &twins), "have one key");
}

#[test]
fn a_slot_that_is_too_large_is_refused_whatever_its_kind() {
    let mut rig = rig();
    let large = |kind| vec![[&[kind][..], &[0x5a; SLOT_BYTES_MAX][..]].concat()];
    for kind in [1, 2, 3, 4, 5, 0x7f] {
        is_refused(&mut rig, "a large slot", &forged(2, &large(kind)), "slot body");
    }
}

fn context() -> Context {
    let verifier = Arc::new(crux_crdt::sign::Ed25519);
    Context {
        flock: FLOCK,
        operator: None,
        me: who(1).principal(),
        verifier,
        sharing: Arc::new(Apart),
    }
}

/// As much as there may be, of a kind that nobody knows: it is shown, it counts for nothing, and members that
/// ask get it as it was signed, in one body of sync.
#[test]
fn the_greatest_record_of_unknown_kinds_is_passed_on_byte_for_byte() {
    let mut rig = rig();
    let liar = who(2);
    let at = Marker { seq: 7, ..marker(2) };
    let slots = (0..SLOTS_MAX).map(|n| later(u16::try_from(n).expect("a small number")));
    let whole = record_of(&liar, at, Profile::default(), slots);
    let store = Request::Store(crux_protocol::fact::whole(&whole.clone().into())).encode();
    assert!(store.len() <= Protocol::Sync.max_body(), "{} bytes", store.len());
    let stored = rig.request(liar.principal(), Protocol::Sync, store);
    assert_eq!(stored, Some(Response::encode_stored(true)), "{:?}", rig.notices);
    let shown = rig.state.strew().shown_record(&liar.principal()).expect("it is shown").clone();
    assert_eq!((shown.id(), shown.slots().len()), (whole.id(), SLOTS_MAX));
    assert_eq!((shown.of::<Registration>().count(), shown.of::<Offer>().count()), (0, 0));
    // Another member fetches it.
    let wanted = vec![Wanted { key: Digest(liar.principal().0), held: Vec::new() }];
    let fetch = Request::Facts { kind: Kind::RECORD, wanted }.encode();
    let body = rig.request(liar.principal(), Protocol::Sync, fetch).expect("an answer");
    assert!(body.len() <= Protocol::Sync.max_body(), "{} bytes", body.len());
    let Ok(Response::Facts { facts, .. }) = Response::decode(&body, &context()) else {
        panic!("records were asked for");
    };
    let [Arrival::Frame(frame)] = &facts[..] else { panic!("one record was asked for") };
    let passed_on = frame.clone().complete(None).expect("the parts fit").expect("all of them");
    assert_eq!(passed_on, *whole);
    // It continues, and this node registers what it likes.
    assert!(rig.register("web", None));
    assert_eq!(rig.state.strew().shown().count(), 2);
    let gone = rig.control(crux_protocol::flock::Control::Deregister(key("web")));
    assert!(gone.expect("an answer").is_ok());
}

/// A frame keeps within its budget, whatever that is: a gossiped one that does not is not sent at all.
#[test]
fn a_frame_is_never_larger_than_its_budget() {
    let whole = record_of(&who(2), marker(1), Profile::default(), (0..20).map(service));
    let sealed = |budget, known| {
        let mut out = Encoder::default();
        Frame::seal(&mut out, &whole, budget, |_| known);
        out.len()
    };
    let (least, most) = (sealed(usize::MAX, true), sealed(usize::MAX, false));
    let mut largest = 0;
    for budget in least..=most {
        let size = sealed(budget, false);
        assert!(size <= budget, "{size} of {budget} bytes");
        largest = largest.max(size);
    }
    assert_eq!(largest, most, "all of them where there is room");
}
