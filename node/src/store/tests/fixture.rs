//! Signed facts of a small flock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crux_crdt::act::{ACT_BYTES_MAX, Act, Statement};
use crux_crdt::canon::Canonical as _;
use crux_crdt::fact::{Fact, Gone, Kind};
use crux_crdt::record::{
    Frontier, Header, Marker, Profile, Record, Registration, ServiceKey, Slot, slots_root,
};
use crux_crdt::sign::{Ed25519, Identity, Signed, Terms};
use crux_crdt::{Digest, Principal};

use crate::store::{Batch, Snapshot};

pub(super) const FLOCK: Digest = Digest([7; 32]);
pub(super) const OTHER: Digest = Digest([8; 32]);
pub(super) const TERMS: Terms<'static> = terms(FLOCK);

pub(super) const fn terms(flock: Digest) -> Terms<'static> {
    Terms { flock, operator: None, verifier: &Ed25519 }
}

pub(super) fn identity(seed: u8) -> Identity {
    Identity::from_seed(&[seed; 32])
}

pub(super) fn principal(seed: u8) -> Principal {
    identity(seed).principal()
}

pub(super) fn slot(n: usize) -> Slot {
    Slot::Registration(Registration {
        key: ServiceKey { rev: "r1".parse().unwrap(), ..key(&format!("service-{n}")) },
        endpoint: "192.0.2.1:8080".parse().unwrap(),
        instance: format!("svc-{n}"),
        labels: BTreeMap::new(),
        lease: None,
    })
}

/// A record of `author` with these services, signed for a flock.
pub(super) fn record_for(
    flock: &Digest,
    author: u8,
    seq: u64,
    services: impl IntoIterator<Item = usize>,
) -> Arc<Record> {
    sign_record(flock, author, seq, services.into_iter().map(slot))
}

/// A record of `author` with these slots.
pub(super) fn record_of(
    author: u8,
    seq: u64,
    slots: impl IntoIterator<Item = Slot>,
) -> Arc<Record> {
    sign_record(&FLOCK, author, seq, slots)
}

fn sign_record(
    flock: &Digest,
    author: u8,
    seq: u64,
    slots: impl IntoIterator<Item = Slot>,
) -> Arc<Record> {
    let profile = Profile { version: "0.1.0".to_owned(), ..Profile::default() };
    record_saying(flock, author, seq, profile, slots)
}

/// A record of `author` with this profile and these slots.
pub(super) fn record_saying(
    flock: &Digest,
    author: u8,
    seq: u64,
    profile: Profile,
    slots: impl IntoIterator<Item = Slot>,
) -> Arc<Record> {
    let slots = slots.into_iter().map(|slot| (slot.id(), Arc::new(slot)));
    let slots: BTreeMap<_, _> = slots.collect();
    let header = Header {
        marker: Marker { incarnation: 1, nonce: [author; 16], seq },
        slots_root: slots_root(slots.keys()),
        profile_hash: profile.hash(),
        acts: Frontier::default(),
    };
    let header = Signed::sign(header, flock, &identity(author));
    Arc::new(Record::new(header, profile, slots).unwrap())
}

pub(super) fn record(
    author: u8,
    seq: u64,
    services: impl IntoIterator<Item = usize>,
) -> Arc<Record> {
    record_for(&FLOCK, author, seq, services)
}

pub(super) fn act_for(flock: &Digest, author: u8, number: u64) -> Arc<Signed<Act>> {
    let statement = Statement::admit(principal(99), number);
    let act = Act { number, previous: Digest::default(), statement };
    Arc::new(Signed::sign(act, flock, &identity(author)))
}

pub(super) fn act(author: u8, number: u64) -> Arc<Signed<Act>> {
    act_for(&FLOCK, author, number)
}

/// The greatest act, of a kind that this build does not know.
pub(super) fn unknown_act(author: u8, number: u64) -> Arc<Signed<Act>> {
    let statement = [vec![200], vec![7; ACT_BYTES_MAX - 42]].concat();
    let statement = Statement::from_canonical(&statement).unwrap();
    let act = Act { number, previous: Digest::default(), statement };
    Arc::new(Signed::sign(act, &FLOCK, &identity(author)))
}

pub(super) fn records(records: impl IntoIterator<Item = Arc<Record>>) -> Batch {
    facts(records)
}

pub(super) fn facts(facts: impl IntoIterator<Item = impl Into<Fact>>) -> Batch {
    Batch { facts: facts.into_iter().map(Into::into).collect(), ..Batch::default() }
}

/// What an author has under its own key is held no more.
pub(super) fn gone(author: u8) -> Batch {
    let author = principal(author);
    let gone = Gone { kind: Kind::RECORD, key: Digest(author.0), author };
    Batch { gone: vec![gone], ..Batch::default() }
}

pub(super) fn key(service: &str) -> ServiceKey {
    ServiceKey {
        horde: "main".parse().unwrap(),
        service: service.parse().unwrap(),
        rev: "v1".parse().unwrap(),
        ordinal: 0,
    }
}

/// A bit of everything.
pub(super) fn mixed(seq: u64) -> Batch {
    let records = (1..=3)
        .map(|author| record(author, seq, (0..5).take(usize::try_from(seq % 5).unwrap())))
        .map(Fact::from);
    let acts = (1..=seq).map(|number| act(1, number)).map(Fact::from);
    Batch {
        facts: records.chain(acts).collect(),
        fence: Some((seq, principal(2))),
        incarnation: Some(seq),
        removed: (0..seq).map(|n| key(&format!("gone-{n}"))).collect(),
        ..Batch::default()
    }
}

/// The records among facts.
pub(super) fn records_of(facts: &[Fact]) -> Vec<Arc<Record>> {
    let record = |fact: &Fact| {
        let Fact::Record(record) = fact else { return None };
        Some(record.clone())
    };
    facts.iter().filter_map(record).collect()
}

/// The acts among facts.
pub(super) fn acts_of(facts: &[Fact]) -> Vec<Arc<Signed<Act>>> {
    let act = |fact: &Fact| {
        let Fact::Act(act) = fact else { return None };
        Some(act.clone())
    };
    facts.iter().filter_map(act).collect()
}

/// What is compared: everything, by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Content {
    facts: Vec<(Kind, Digest, Digest)>,
    fence: Option<(u64, Principal)>,
    incarnation: u64,
    removed: BTreeSet<ServiceKey>,
}

impl Content {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let facts = snapshot.facts.iter();
        Self {
            facts: facts.map(|fact| (fact.kind(), fact.key(), fact.id())).collect(),
            fence: snapshot.fence,
            incarnation: snapshot.incarnation,
            removed: snapshot.removed.clone(),
        }
    }

    /// What these batches, one after the other, amount to.
    pub(super) fn after<'a>(batches: impl IntoIterator<Item = &'a Batch>) -> Self {
        let mut all = crate::store::pending::Pending::default();
        for batch in batches {
            all.absorb(batch.clone());
        }
        let Batch { facts, fence, incarnation, removed, .. } = all.to_batch();
        let incarnation = incarnation.unwrap_or_default();
        let removed = removed.into_iter().collect();
        Self::of(&Snapshot { facts, fence, incarnation, removed })
    }
}
