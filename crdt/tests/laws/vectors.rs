//! Golden vectors: the encodings and ids, of version 1 where the name of the fixture says no other.
//!
//! A flock runs several versions of Crux at once, and a signature made by one is checked by all. So
//! a change of these bytes is a new version byte and a new fixture, never an edit of one here.
//!
//! A fixture is lines of `name hex`. A test that fails prints what it found.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use crux_crdt::act::{Act, After, Known, Reason, Statement};
use crux_crdt::blob::{BlobId, Descriptor, PIECE_BYTES, PieceSet, Root};
use crux_crdt::canon::{Canonical, Encoder};
use crux_crdt::fingerprint::Fingerprint;
use crux_crdt::record::{
    Amount, Condition, Failure, First, Frontier, Header, Hold, InstanceKey, InstanceReport, Marker,
    NameTag, Notes, Offer, Pass, PlanHead, PlanKey, PlanText, Problem, ProblemKind, Profile,
    Registration, ServiceKey, ServiceTag, Slot, Stage, Unwell, Yields, slots_root,
};
use crux_crdt::service::SpecTag;
use crux_crdt::sign::{Identity, Signable, Signed};
use crux_crdt::{Digest, Principal};
use data_encoding::HEXLOWER;

use crate::flock::{self, Draft, FLOCK, admit, replica};
use crate::values::{later, unwell_bytes, with_fields};

#[derive(Default)]
struct Found(String);

impl Found {
    fn hex(&mut self, name: &str, bytes: &[u8]) {
        writeln!(self.0, "{name} {}", HEXLOWER.encode(bytes)).unwrap();
    }

    fn value<T: Canonical>(&mut self, name: &str, value: &T) {
        self.hex(name, &value.to_canonical());
    }

    fn signed<T: Signable>(&mut self, name: &str, value: T) {
        let signed = Signed::sign(value, &FLOCK, &Identity::from_seed(&[1; 32]));
        let mut out = Encoder::default();
        signed.seal(&mut out);
        self.hex(name, &out.finish());
        self.hex(&format!("{name}.id"), &signed.id().0);
    }

    fn compare(&self, expected: &str) {
        assert!(self.0 == expected, "an encoding changed; found:\n{}", self.0);
    }
}

fn header() -> Header {
    Header {
        marker: Marker { incarnation: 3, nonce: [0xab; 16], seq: 5 },
        slots_root: Digest([1; 32]),
        profile_hash: Digest([2; 32]),
        acts: Frontier { count: 4, head: Digest([3; 32]) },
    }
}

fn profile() -> Profile {
    Profile {
        name: Some("oak-1".parse().unwrap()),
        addresses: ["192.0.2.1:7000", "[2001:db8::1]:7000", "oak.example.org:7000"]
            .map(|address| address.parse().unwrap())
            .to_vec(),
        labels: BTreeMap::from([
            ("zone".to_owned(), "b".to_owned()),
            ("disk".into(), "ssd".into()),
        ]),
        agreement_key: [9; 32],
        claim: 258,
        draining: true,
        version: "0.1.0".to_owned(),
        ..Profile::default()
    }
}

fn registration() -> Registration {
    Registration {
        key: ServiceKey {
            horde: "main".parse().unwrap(),
            service: "ntp3".parse().unwrap(),
            rev: "r2.1".parse().unwrap(),
            ordinal: 0,
        },
        endpoint: "[::1]:123".parse().unwrap(),
        instance: "svc-abcdefgh23".to_owned(),
        labels: BTreeMap::new(),
        lease: Some(Duration::from_secs(30)),
    }
}

#[test]
fn records() {
    let mut found = Found::default();
    found.value("marker", &header().marker);
    found.value("header", &header());
    found.signed("header.envelope", header());
    let slot = Slot::Registration(registration());
    found.value("registration", &registration());
    found.value("registration.forever", &Registration { lease: None, ..registration() });
    let mut further = registration();
    further.key.ordinal = 258;
    further.labels = profile().labels;
    found.value("registration.further", &further);
    found.hex("slot.further.id", &Slot::Registration(further).id().0);
    found.hex("slot.later.id", &Slot::from_canonical(b"\x7flater").unwrap().id().0);
    found.value("slot", &slot);
    found.hex("slot.id", &slot.id().0);
    found.hex("slots.none", &slots_root([].iter()).0);
    found.hex("slots.two", &slots_root([Digest([1; 32]), Digest([2; 32])].iter()).0);
    found.compare(include_str!("../fixtures/records-2.hex"));
}

/// Profiles are at version 2: with tagged fields.
#[test]
fn profiles() {
    let mut found = Found::default();
    found.value("profile", &profile());
    found.hex("profile.hash", &profile().hash().0);
    found.value("profile.default", &Profile::default());
    let provisional = Profile { provisional: true, ..profile() };
    found.value("profile.provisional", &provisional);
    found.hex("profile.provisional.hash", &provisional.hash().0);
    let since = [[3; 8], [4; 8]].into();
    let yields = Profile { yields: Some(Yields { to: [8; 16], since }), ..profile() };
    found.value("profile.yields", &yields);
    found.hex("profile.yields.hash", &yields.hash().0);
    let later = with_fields(&profile(), &[(1, vec![]), (9, b"later".to_vec())]);
    let later = Profile::from_canonical(&later).unwrap();
    found.value("profile.later", &later);
    found.hex("profile.later.hash", &later.hash().0);
    found.compare(include_str!("../fixtures/profiles-2.hex"));
}

/// Acts are at version 2: admissions name whom their join key excludes, and unknown kinds are kept.
#[test]
fn acts() {
    let subject = Principal([5; 32]);
    let after = After::of(&[Principal([9; 32]), Principal([8; 32])]).unwrap();
    let statements = [
        ("admit", Statement::admit(subject, 6)),
        ("admit.after", Statement::Admit { subject, generation: 6, after }),
        ("leave", Statement::Leave { incarnation: 7 }),
        ("retire", Statement::Retire { subject, incarnation: 8 }),
        ("later", later(200, b"later")),
    ];
    let mut found = Found::default();
    for (name, statement) in statements {
        let act = Act { number: 2, previous: Digest([4; 32]), statement };
        found.value(name, &act);
        found.signed(&format!("{name}.envelope"), act);
    }
    found.compare(include_str!("../fixtures/acts-2.hex"));
}

/// Evictions came with version 2 of acts, which kept them before as it keeps what it does not know.
#[test]
fn evictions() {
    let of = |heads: &[u8]| heads.iter().map(|head| Principal([*head; 32])).collect::<Vec<_>>();
    let eviction = |reason: &str, known: &[u8], after: &[u8]| Statement::Evict {
        subject: Principal([5; 32]),
        reason: Reason::new(reason).unwrap(),
        known: Known::of(&of(known)).unwrap(),
        after: After::of(&of(after)).unwrap(),
    };
    let mut found = Found::default();
    let all = [
        ("evict", "gestohlen in Köln", &[9, 5, 7][..], &[3, 2][..]),
        ("evict.none", "x", &[], &[]),
    ];
    for (name, reason, known, after) in all {
        let statement = eviction(reason, known, after);
        let act = Act { number: 2, previous: Digest([4; 32]), statement };
        found.value(name, &act);
        found.signed(&format!("{name}.envelope"), act);
    }
    found.compare(include_str!("../fixtures/evictions-2.hex"));
}

#[test]
fn blobs() {
    let mut found = Found::default();
    let (blob, root) = (BlobId([6; 32]), Root([7; 32]));
    let descriptor = Descriptor { blob, root, size: 3 * PIECE_BYTES + 5 };
    found.value("descriptor", &descriptor);
    found.signed("descriptor.envelope", descriptor);
    found.value("pieces.none", &PieceSet::none(0));
    let mut pieces = PieceSet::none(9 * PIECE_BYTES);
    [0, 3, 8].iter().for_each(|index| assert!(pieces.insert(*index)));
    found.value("pieces", &pieces);
    found.compare(include_str!("../fixtures/blobs-1.hex"));
}

#[test]
fn offers() {
    let mut found = Found::default();
    let (blob, root) = (BlobId([6; 32]), Root([7; 32]));
    let slot = Slot::Offer(Offer(Descriptor { blob, root, size: 3 * PIECE_BYTES + 5 }));
    found.value("offer", &slot);
    found.hex("offer.id", &slot.id().0);
    found.compare(include_str!("../fixtures/offers-2.hex"));
}

#[test]
fn unwell() {
    let mut found = Found::default();
    let key = registration().key;
    found.hex("tag", &key.tag().0);
    found.hex("tag.further", &ServiceKey { ordinal: 258, ..key.clone() }.tag().0);
    let other = |byte| ServiceTag([byte; 8]);
    let all = [
        (other(9), Condition::Unknown),
        (other(1), Condition::Degraded),
        (key.tag(), Condition::Down),
    ];
    let slot = Slot::Unwell(Unwell::new(all).unwrap().unwrap());
    found.value("unwell", &slot);
    found.hex("unwell.id", &slot.id().0);
    let later = unwell_bytes([([1; 8], 1), ([2; 8], 200)]);
    let later = Slot::Unwell(Unwell::from_canonical(&later).unwrap());
    found.value("unwell.later", &later);
    found.hex("unwell.later.id", &later.id().0);
    found.compare(include_str!("../fixtures/unwell-2.hex"));
}

/// A plan in one part and in several, and what a node says of it.
#[test]
fn plans() {
    let mut found = Found::default();
    let pass = Pass { term: 258, leader: Principal([5; 32]), pass: 7 };
    found.value("pass", &pass);
    let first = First::from(pass);
    let key =
        |spec, first| PlanKey { service: "web".parse().unwrap(), spec: SpecTag([spec; 8]), first };
    let entries: BTreeMap<_, _> = [
        (key(1, first), Amount::new(2, 1).unwrap()),
        (key(1, First { pass: 9, ..first }), Amount::new(1, 1).unwrap()),
    ]
    .into();
    let target =
        crux_crdt::document::Marker { grants_version: 2, generation: 3, id: Digest([1; 32]) };
    let mut head = PlanHead::new("main".parse().unwrap(), 258, 7, target, Digest([2; 32]));
    let node = |n: u8| Principal([n; 32]);
    let set = head.clone().slots(&[(node(1), entries.clone())].into()).unwrap();
    for (slot, name) in set.slots().zip(["head", "part.0"]) {
        found.value(name, slot);
        found.hex(&format!("{name}.id"), &slot.id().0);
    }
    head.failed = [(SpecTag([9; 8]), Failure::CrashLoop)].into();
    let (service, why) =
        ("db".parse().unwrap(), PlanText::of("good[s3.ready: actual(2) >= target(2)]"));
    head.holds = Notes::of(vec![Hold { service, why }; 17]);
    let (service, why) = ("s3".parse().unwrap(), PlanText::of("not in the set: 3"));
    head.problems = Notes::of([Problem { service, kind: ProblemKind::Short, missing: 2, why }]);
    found.value("head.full", &head);
    // Enough nodes for two parts.
    let many: BTreeMap<_, _> = (0..150).map(|n| (node(n), entries.clone())).collect();
    let set = head.slots(&many).unwrap();
    for (slot, name) in set.slots().zip(["head", "part.0", "part.1"]) {
        found.hex(&format!("many.{name}.id"), &slot.id().0);
    }
    found.hex("name", &NameTag::of(&"web".parse().unwrap()).0);
    let key = |stage, first| InstanceKey {
        service: NameTag([7; 8]),
        spec: SpecTag([8; 8]),
        stage,
        first,
    };
    let all = [
        (key(Stage::Ready, first), 2),
        (key(Stage::Starting, First { term: 3, ..first }), 1),
        (key(Stage::Blocked, First::default()), 1),
    ];
    let slot = Slot::InstanceReport(InstanceReport::new(all.into()).unwrap().unwrap());
    found.value("instances", &slot);
    found.hex("instances.id", &slot.id().0);
    found.compare(include_str!("../fixtures/plans-2.hex"));
}

/// The digest of a state is at version 2: it covers each kind that there is something of.
#[test]
fn digests() {
    let mut found = Found::default();
    found.hex("principal", &flock::principal(0).0);
    found.hex("fingerprint.none", &Fingerprint::default().digest().0);
    let mut sum = Fingerprint::default();
    [[0xff; 32], [1; 32]].iter().for_each(|item| sum.add(&Digest(*item)));
    found.hex("fingerprint.two", &sum.digest().0);
    found.hex("state.empty", &replica(0, []).digest().0);
    let record = Draft::new(1, 1, 1).named("ash").with(&["ntp"]).item();
    found.hex("state", &replica(0, &[admit(0, 1, 1), record]).digest().0);
    found.compare(include_str!("../fixtures/digests-2.hex"));
}
