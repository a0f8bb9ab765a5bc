//! What a replica takes is what it says: measured, in a process of its own.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot make its values has failed")]

use std::collections::BTreeMap;
use std::sync::Arc;

use crux_crdt::act::{ACT_BYTES_MAX, ACTS_BYTES_PER_AUTHOR_MAX, Act, Statement};
use crux_crdt::canon::{Canonical as _, Decoder, Encoder};
use crux_crdt::record::{
    Amount, First, Frontier, Header, InstanceKey, InstanceReport, Marker, NameTag, PlanHead,
    PlanKey, Profile, Record, Registration, SERVICE_LABELS_MAX, SLOT_BYTES_MAX, ServiceKey, Slot,
    SlotSet, Stage, slots_root,
};
use crux_crdt::service::SpecTag;
use crux_crdt::sign::{Signed, Verifier, seal_parts};
use crux_crdt::strew::Strew;
use crux_crdt::{Digest, Principal};

const FLOCK: Digest = Digest([7; 32]);

/// Takes every signature.
struct Any;

impl Verifier for Any {
    fn verify(&self, _: &Principal, _: &[u8], _: &[u8; 64]) -> bool {
        true
    }
}

fn unsigned<T: crux_crdt::sign::Signable>(by: u32, value: &T) -> Signed<T> {
    let mut out = Encoder::default();
    seal_parts(&mut out, &author(by), &[0; 64], value);
    Signed::open(&mut Decoder::new(&out.finish()), &FLOCK, &Any).unwrap()
}

fn author(n: u32) -> Principal {
    // Spread, as keys are.
    Principal(crux_crdt::hash::sha3("author", &[&n.to_be_bytes()]).0)
}

fn admission(by: u32, number: u64, of: u32) -> Arc<Signed<Act>> {
    let statement = Statement::admit(author(of), number);
    Arc::new(unsigned(by, &Act { number, previous: Digest::default(), statement }))
}

/// The greatest act of a kind that this build does not know.
fn unknown(by: u32, number: u64) -> Arc<Signed<Act>> {
    let mut statement = vec![1; ACT_BYTES_MAX - 41];
    statement[0] = 200;
    let statement = Statement::from_canonical(&statement).unwrap();
    Arc::new(unsigned(by, &Act { number, previous: Digest::default(), statement }))
}

fn record(by: u32, slots: impl Iterator<Item = Slot>) -> Arc<Record> {
    let slots: BTreeMap<_, _> = slots.map(|slot| (slot.id(), Arc::new(slot))).collect();
    let profile = Profile { name: format!("node-{by}").parse().ok(), ..Profile::default() };
    let header = Header {
        marker: Marker::default(),
        slots_root: slots_root(slots.keys()),
        profile_hash: profile.hash(),
        acts: Frontier::default(),
    };
    Arc::new(Record::new(unsigned(by, &header), profile, slots).unwrap())
}

fn service(by: u32, n: u32, labels: usize) -> Slot {
    Slot::Registration(Registration {
        key: ServiceKey {
            horde: "main".parse().unwrap(),
            service: format!("service-{n}").parse().unwrap(),
            rev: "v1.2.3".parse().unwrap(),
            ordinal: 0,
        },
        endpoint: format!("node-{by}.example.com:8080").parse().unwrap(),
        instance: format!("svc-{by}-{n}"),
        labels: (0..labels).map(|label| (format!("k{label}"), "v".to_owned())).collect(),
        lease: None,
    })
}

/// The slots of a plan with many short entries.
fn plan() -> SlotSet {
    let target =
        crux_crdt::document::Marker { grants_version: 0, generation: 1, id: Digest::default() };
    let head = PlanHead::new("main".parse().unwrap(), 1, 1, target, Digest::default());
    let key = |n: u32, at: u32| PlanKey {
        service: format!("s{}", (n + at) % 90).parse().unwrap(),
        spec: SpecTag([1; 8]),
        first: First { term: (n % 7).into(), leader: [2; 8], pass: at.into() },
    };
    let one = Amount::new(1, 1).unwrap();
    let of = |n: u32| (author(n), (0..3).map(|at| (key(n, at), one)).collect());
    head.slots(&(0..2_000).map(of).collect()).unwrap()
}

/// The longest statement of a node.
fn instances() -> Slot {
    let key = |n: u64| InstanceKey {
        service: NameTag(n.to_be_bytes()),
        spec: SpecTag([1; 8]),
        stage: Stage::Ready,
        first: First { term: n % 60, leader: [2; 8], pass: 1 },
    };
    Slot::InstanceReport(
        InstanceReport::new((0..256).map(|n| (key(n), 1)).collect()).unwrap().unwrap(),
    )
}

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// What the strew takes more after `fill`: as measured, and as it says.
fn cost(strew: &mut Strew, fill: impl FnOnce(&mut Strew)) -> (usize, usize) {
    let before = (resident(), strew.footprint());
    fill(strew);
    (resident().saturating_sub(before.0), strew.footprint() - before.1)
}

#[test]
fn a_replica_takes_no_more_than_it_says() {
    let mut strew = Strew::new(author(0));
    let members = cost(&mut strew, |strew| {
        for n in 1..2_000 {
            strew.merge_act(admission(0, u64::from(n), n));
            strew.merge_act(admission(n, 1, 0));
            strew.merge_record(record(n, (0..10).map(|it| service(n, it, 0))));
        }
    });
    // Many small strings: more memory than bytes.
    let labels = cost(&mut strew, |strew| {
        for n in 1..40 {
            let slots = (0..256).map(|it| service(200_000 + n, it, SERVICE_LABELS_MAX));
            let whole = record(200_000 + n, slots);
            strew.merge_act(admission(0, 4_000 + u64::from(n), 200_000 + n));
            strew.merge_record(whole);
        }
    });
    let bodies = cost(&mut strew, |strew| {
        for n in 1..40 {
            let slots = (0..=255).map(|k| {
                let mut bytes = vec![1; SLOT_BYTES_MAX];
                (bytes[0], bytes[1]) = (9, k);
                Slot::from_canonical(&bytes).unwrap()
            });
            let whole = record(100_000 + n, slots);
            strew.merge_act(admission(0, 3_000 + u64::from(n), 100_000 + n));
            strew.merge_record(whole);
        }
    });
    // Plans of leaders, which decode to more than their bytes, and what nodes say of them.
    let (plan, instances) = (plan(), instances());
    let plans = cost(&mut strew, |strew| {
        for n in 1..20 {
            let slots = plan.slots().cloned().chain([instances.clone()]);
            let whole = record(300_000 + n, slots);
            strew.merge_act(admission(0, 5_000 + u64::from(n), 300_000 + n));
            strew.merge_record(whole);
        }
    });
    let acts = cost(&mut strew, |strew| {
        for by in 1..5 {
            for number in 2..9_000_u32 {
                strew.merge_act(admission(by, number.into(), by * 1_000_000 + number));
            }
        }
    });
    // Members that write what nobody here knows, as much as they can.
    let liars = 4;
    let unknown = cost(&mut strew, |strew| {
        for by in 10..10 + liars {
            for number in 2..400 {
                strew.merge_act(unknown(by, number));
            }
        }
    });
    let most = liars as usize * ACTS_BYTES_PER_AUTHOR_MAX;
    assert!(unknown.0 <= most + most / 8, "{} MiB of unknown acts", unknown.0 >> 20);
    let all = [
        ("members", members),
        ("labels", labels),
        ("bodies", bodies),
        ("plans", plans),
        ("acts", acts),
        ("unknown", unknown),
    ];
    for (what, (measured, said)) in all {
        println!("{what}: {} KiB measured, {} KiB said", measured >> 10, said >> 10);
        assert!(measured <= said, "{what}: {measured} bytes where {said} are said");
        assert!(said <= 4 * measured, "{what}: {measured} bytes where {said} are said");
    }
}
