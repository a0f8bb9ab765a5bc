//! Any value of the encoded types.

use std::collections::BTreeMap;
use std::time::Duration;

use crux_crdt::act::{ACTS_PER_AUTHOR_MAX, Act, After, Known, NUMBER_LIMIT, Reason, Statement};
use crux_crdt::blob::{BLOB_BYTES_MAX, BlobId, Descriptor, PIECE_BYTES, PieceSet, Root};
use crux_crdt::canon::{Canonical, Encoder};
use crux_crdt::path::Endpoint;
use crux_crdt::record::{
    Amount, Failure, First, Frontier, Header, Hold, INCARNATION_LIMIT, InstanceReport, LaterFields,
    Marker, Notes, Offer, PASS_LIMIT, PlanEntries, PlanHead, PlanKey, PlanSlot, PlanText, Problem,
    ProblemKind, Profile, Registration, SERVICE_LABELS_MAX, ServiceKey, Slot, SlotKind as _,
    Unwell,
};
use crux_crdt::service::SpecTag;
use crux_crdt::{Digest, Principal};
use proptest::prelude::*;

const LABEL: &str = "[a-z0-9]([a-z0-9-]{0,53}[a-z0-9])?";
const SERVICE: &str = "[a-zA-Z][a-zA-Z0-9_.-]{0,62}";

pub(crate) fn digests() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest)
}

pub(crate) fn markers() -> impl Strategy<Value = Marker> {
    (0..INCARNATION_LIMIT, any::<([u8; 16], u64)>())
        .prop_map(|(incarnation, (nonce, seq))| Marker { incarnation, nonce, seq })
}

pub(crate) fn headers() -> impl Strategy<Value = Header> {
    (markers(), digests(), digests(), any::<u64>(), digests()).prop_map(
        |(marker, slots_root, profile_hash, count, head)| Header {
            marker,
            slots_root,
            profile_hash,
            acts: Frontier { count, head },
        },
    )
}

pub(crate) fn endpoints() -> impl Strategy<Value = Endpoint> {
    let host = prop_oneof![
        any::<[u8; 4]>().prop_map(|ip| std::net::IpAddr::from(ip).to_string()),
        any::<[u8; 16]>().prop_map(|ip| format!("[{}]", std::net::Ipv6Addr::from(ip))),
        "([a-z0-9]([a-z0-9_-]{0,9}[a-z0-9])?[.]){0,3}[a-z]{1,9}",
    ];
    (host, 1..=u16::MAX).prop_map(|(host, port)| format!("{host}:{port}").parse().unwrap())
}

/// The profile with these tagged fields, as a later version of Crux would write it.
pub(crate) fn with_fields(profile: &Profile, fields: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let none = Profile {
        provisional: false,
        yields: None,
        later: LaterFields::default(),
        ..profile.clone()
    };
    let mut bytes = none.to_canonical();
    bytes.truncate(bytes.len() - 4);
    let mut list = Encoder::default();
    list.count(fields.len());
    fields.iter().for_each(|(tag, body)| _ = list.u8(*tag).bytes(body));
    bytes.extend(list.finish());
    bytes
}

fn plain_text() -> impl Strategy<Value = String> {
    "\\PC{0,15}".prop_map(|text| text.chars().filter(|c| crux_crdt::text::is_plain(*c)).collect())
}

pub(crate) fn profiles() -> impl Strategy<Value = Profile> {
    let later = (3..=u8::MAX, prop::collection::vec(any::<u8>(), 0..40));
    let later = prop::collection::btree_map(later.0, later.1, 0..4);
    let yields = (any::<[u8; 16]>(), prop::collection::btree_set(any::<[u8; 8]>(), 0..5));
    let yields =
        prop::option::of(yields.prop_map(|(to, since)| {
            (2, to.into_iter().chain(since.into_iter().flatten()).collect())
        }));
    let known = (any::<bool>(), yields);
    (plain_profiles(), known, later).prop_map(|(plain, (provisional, yields), later)| {
        let known = provisional.then(|| (1, Vec::new()));
        let fields: Vec<_> = known.into_iter().chain(yields).chain(later).collect();
        Profile::from_canonical(&with_fields(&plain, &fields)).unwrap()
    })
}

fn plain_profiles() -> impl Strategy<Value = Profile> {
    let name = prop::option::of(LABEL.prop_map(|name| name.parse().unwrap()));
    let labels = prop::collection::btree_map(SERVICE, plain_text(), 0..4);
    let addresses = prop::collection::vec(endpoints(), 0..4);
    let rest = (any::<[u8; 32]>(), 0..1_u64 << 48, any::<bool>(), "[ -~]{0,32}");
    (name, addresses, labels, rest).prop_map(
        |(name, addresses, labels, (agreement_key, claim, draining, version))| Profile {
            name,
            addresses,
            labels: BTreeMap::from_iter(labels),
            agreement_key,
            claim,
            draining,
            version,
            ..Profile::default()
        },
    )
}

pub(crate) fn registrations() -> impl Strategy<Value = Registration> {
    let lease = prop::option::of((1..=u64::MAX).prop_map(Duration::from_millis));
    let labels = prop::collection::btree_map(SERVICE, plain_text(), 0..=SERVICE_LABELS_MAX);
    (service_keys(), endpoints(), "svc-[a-z2-7]{10}", labels, lease).prop_map(
        |(key, endpoint, instance, labels, lease)| Registration {
            key,
            endpoint,
            instance,
            labels,
            lease,
        },
    )
}

pub(crate) fn service_keys() -> impl Strategy<Value = ServiceKey> {
    let ordinal = prop_oneof![Just(0), any::<u16>()];
    (LABEL, SERVICE, SERVICE, ordinal).prop_map(|(horde, service, rev, ordinal)| ServiceKey {
        horde: horde.parse().unwrap(),
        service: service.parse().unwrap(),
        rev: rev.parse().unwrap(),
        ordinal,
    })
}

/// Of every kind that there is, and of those that there are not.
pub(crate) fn slots() -> impl Strategy<Value = Slot> {
    let later = (6..=u8::MAX, prop::collection::vec(any::<u8>(), 0..300));
    let later = later
        .prop_map(|(kind, body)| Slot::from_canonical(&[&[kind][..], &body].concat()).unwrap());
    prop_oneof![
        registrations().prop_map(Slot::Registration),
        descriptors().prop_map(|offer| Slot::Offer(Offer(offer))),
        unwell().prop_map(Slot::Unwell),
        plan_slots().prop_map(Slot::PlanSlot),
        instances().prop_map(Slot::InstanceReport),
        later,
    ]
}

pub(crate) fn firsts() -> impl Strategy<Value = First> {
    // Few fences, so that many entries have the same.
    (0..4_u64, 0..3_u8, 0..PASS_LIMIT).prop_map(|(term, leader, pass)| First {
        term,
        leader: [leader; 8],
        pass,
    })
}

/// Few entries on few nodes.
pub(crate) fn plan_entries() -> impl Strategy<Value = PlanEntries> {
    let amount = (1..=64_u16).prop_flat_map(|count| (Just(count), 0..=count));
    let amount = amount.prop_map(|(count, released)| Amount::new(count, released).unwrap());
    let key = ("[a-c]", 0..3_u8, firsts()).prop_map(|(service, spec, first)| PlanKey {
        service: service.parse().unwrap(),
        spec: SpecTag([spec; 8]),
        first,
    });
    let entries = prop::collection::btree_map(key, amount, 0..5);
    prop::collection::btree_map(any::<[u8; 32]>().prop_map(Principal), entries, 0..6)
}

/// Whole heads, with failures and problems of later builds, too.
pub(crate) fn plan_heads() -> impl Strategy<Value = PlanHead> {
    let marker = (0..PASS_LIMIT, 1..PASS_LIMIT, digests());
    let marker = marker.prop_map(|(grants_version, generation, id)| crux_crdt::document::Marker {
        grants_version,
        generation,
        id,
    });
    let failed = prop::collection::btree_map(any::<[u8; 8]>(), 1..=u8::MAX, 0..5);
    let failed = failed.prop_map(|all| {
        let of = |(spec, why)| (SpecTag(spec), Failure::from_canonical(&[why]).unwrap());
        all.into_iter().map(of).collect()
    });
    let holds = prop::collection::vec(("[a-z]{1,9}", "\\PC{0,40}"), 0..20);
    let holds = holds.prop_map(|all| {
        Notes::of(all.into_iter().map(|(service, why)| Hold {
            service: service.parse().unwrap(),
            why: PlanText::of(&why),
        }))
    });
    let problems = ("[a-z]{1,9}", 1..=u8::MAX, any::<u32>(), "\\PC{0,120}");
    let problems = prop::collection::vec(problems, 0..20).prop_map(|all| {
        Notes::of(all.into_iter().map(|(service, kind, missing, why)| Problem {
            service: service.parse().unwrap(),
            kind: ProblemKind::from_canonical(&[kind]).unwrap(),
            missing,
            why: PlanText::of(&why),
        }))
    });
    let pass = (LABEL, 1..PASS_LIMIT, 1..PASS_LIMIT, marker, digests());
    (pass, failed, holds, problems).prop_map(
        |((horde, term, pass, target, view), failed, holds, problems)| {
            let mut head = PlanHead::new(horde.parse().unwrap(), term, pass, target, view);
            (head.failed, head.holds, head.problems) = (failed, holds, problems);
            head
        },
    )
}

/// The slots of whole plans.
fn plan_slots() -> impl Strategy<Value = PlanSlot> {
    let plans = (plan_heads(), plan_entries(), any::<prop::sample::Index>());
    plans.prop_map(|(head, entries, at)| {
        let set = head.slots(&entries).unwrap();
        let all: Vec<_> = set.slots().filter_map(PlanSlot::of).collect();
        (*at.get(&all)).clone()
    })
}

/// With stages that this build knows, and of later ones.
pub(crate) fn instances() -> impl Strategy<Value = InstanceReport> {
    let key = (any::<[u8; 8]>(), 0..3_u8, 1..=9_u8, firsts());
    prop::collection::btree_map(key, 1..=u16::MAX, 1..20).prop_map(|all| {
        InstanceReport::from_canonical(&instances_bytes(all.into_iter().collect())).unwrap()
    })
}

/// Service, version, stage and first pass.
type Line = ([u8; 8], u8, u8, First);

/// The encoding of such a statement, whether or not it is one.
pub(crate) fn instances_bytes(all: Vec<(Line, u16)>) -> Vec<u8> {
    let fences: std::collections::BTreeSet<_> =
        all.iter().map(|((.., first), _)| (first.term, first.leader)).collect();
    let mut out = Encoder::default();
    out.count(fences.len());
    fences.iter().for_each(|(term, leader)| _ = out.u64(*term).fixed(leader));
    out.count(all.len());
    for ((service, spec, stage, first), count) in all {
        let fence = fences.iter().position(|it| *it == (first.term, first.leader)).unwrap();
        out.fixed(&service).fixed(&[spec; 8]).u8(stage).u8(fence.try_into().unwrap());
        out.u64(first.pass).fixed(&count.to_be_bytes());
    }
    out.finish()
}

/// With conditions that this build knows, and of later ones.
fn unwell() -> impl Strategy<Value = Unwell> {
    let all = prop::collection::btree_map(any::<[u8; 8]>(), 1..=u8::MAX, 1..=256);
    all.prop_map(|all| Unwell::from_canonical(&unwell_bytes(all)).unwrap())
}

/// The encoding of such a statement, whether or not it is one.
pub(crate) fn unwell_bytes(all: impl IntoIterator<Item = ([u8; 8], u8)>) -> Vec<u8> {
    let all: Vec<_> = all.into_iter().collect();
    let mut out = Encoder::default();
    out.count(all.len());
    all.iter().for_each(|(tag, condition)| _ = out.fixed(tag).u8(*condition));
    out.finish()
}

/// A statement of a kind that came after this build.
pub(crate) fn later(kind: u8, body: &[u8]) -> Statement {
    Statement::from_canonical(&[&[kind], body].concat()).unwrap()
}

/// Acts of the kinds that this build knows, and of later ones.
pub(crate) fn acts() -> impl Strategy<Value = Act> {
    let body = prop::collection::vec(any::<u8>(), 0..60);
    let unknown = (5..=u8::MAX, body).prop_map(|(kind, body)| later(kind, &body));
    acts_that_say(prop_oneof![3 => statements(), 1 => unknown])
}

/// Acts of the kinds that this build knows.
pub(crate) fn known_acts() -> impl Strategy<Value = Act> {
    acts_that_say(statements())
}

fn statements() -> impl Strategy<Value = Statement> {
    let subject = || any::<[u8; 32]>().prop_map(Principal);
    let after = prop::collection::vec(subject(), 0..4).prop_map(|of| After::of(&of).unwrap());
    prop_oneof![
        (subject(), 0..NUMBER_LIMIT, after).prop_map(|(subject, generation, after)| {
            Statement::Admit { subject, generation, after }
        }),
        (0..INCARNATION_LIMIT).prop_map(|incarnation| Statement::Leave { incarnation }),
        (subject(), 0..NUMBER_LIMIT)
            .prop_map(|(subject, incarnation)| Statement::Retire { subject, incarnation }),
        evictions(),
    ]
}

fn evictions() -> impl Strategy<Value = Statement> {
    let many = || prop::collection::vec(any::<[u8; 32]>().prop_map(Principal), 0..4);
    let parts = ("[ -~]{1,20}", many(), many(), any::<[u8; 32]>());
    parts.prop_map(|(reason, known, after, subject)| Statement::Evict {
        subject: Principal(subject),
        reason: Reason::new(&reason).unwrap(),
        known: Known::of(&known).unwrap(),
        after: After::of(&after).unwrap(),
    })
}

fn acts_that_say(statement: impl Strategy<Value = Statement>) -> impl Strategy<Value = Act> {
    (1..=ACTS_PER_AUTHOR_MAX, digests(), statement).prop_map(|(number, previous, statement)| Act {
        number,
        previous,
        statement,
    })
}

pub(crate) fn descriptors() -> impl Strategy<Value = Descriptor> {
    (any::<[u8; 32]>(), any::<[u8; 32]>(), 0..=BLOB_BYTES_MAX)
        .prop_map(|(blob, root, size)| Descriptor { blob: BlobId(blob), root: Root(root), size })
}

pub(crate) fn piece_sets() -> impl Strategy<Value = PieceSet> {
    (0..200_u64, prop::collection::vec(0..200_u32, 0..99)).prop_map(|(count, held)| {
        let mut set = PieceSet::none(count * PIECE_BYTES);
        for index in held {
            set.insert(index);
        }
        set
    })
}
