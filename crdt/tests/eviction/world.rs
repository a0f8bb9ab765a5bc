//! Keys, and acts by them. Signatures are left out: nothing here depends on them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crux_crdt::act::{Act, After, Known, Reason, Statement};
use crux_crdt::canon::{Canonical as _, Decoder, Encoder};
use crux_crdt::hash::sha3;
use crux_crdt::record::{Frontier, Header, Marker, Profile, Record, Slot, slots_root};
use crux_crdt::sign::{Signable, Signed, Verifier, seal_parts};
use crux_crdt::strew::Strew;
use crux_crdt::{Digest, Principal};

pub(crate) type SignedAct = Arc<Signed<Act>>;

const FLOCK: Digest = Digest([7; 32]);

/// Takes every signature.
struct Any;

impl Verifier for Any {
    fn verify(&self, _: &Principal, _: &[u8], _: &[u8; 64]) -> bool {
        true
    }
}

/// The principal with this name.
pub(crate) fn key(name: &str) -> Principal {
    Principal(sha3("key", &[name.as_bytes()]).0)
}

pub(crate) fn operator() -> Principal {
    key("operator")
}

pub(crate) fn unsigned<T: Signable>(by: &Principal, value: &T) -> Signed<T> {
    let mut out = Encoder::default();
    seal_parts(&mut out, by, &[0; 64], value);
    Signed::open(&mut Decoder::new(&out.finish()), &FLOCK, &Any).unwrap()
}

pub(crate) fn say(by: &Principal, number: u64, statement: Statement) -> SignedAct {
    Arc::new(unsigned(by, &Act { number, previous: Digest::default(), statement }))
}

/// An admission that names these evicted ones.
pub(crate) fn admit(
    by: &Principal,
    subject: &Principal,
    generation: u64,
    after: &BTreeSet<Principal>,
) -> SignedAct {
    let after = After::of(after).unwrap();
    say(by, 1, Statement::Admit { subject: *subject, generation, after })
}

/// Both admissions of a join under the initial secret.
pub(crate) fn join(one: &Principal, other: &Principal, generation: u64) -> [SignedAct; 2] {
    let none = BTreeSet::new();
    [admit(one, other, generation, &none), admit(other, one, generation, &none)]
}

/// The operator evicts, and lists these.
pub(crate) fn evict<'a>(
    number: u64,
    subject: &Principal,
    known: impl IntoIterator<Item = &'a Principal>,
    after: impl IntoIterator<Item = &'a Principal>,
) -> SignedAct {
    say(&operator(), number, eviction(subject, known, after))
}

pub(crate) fn eviction<'a>(
    subject: &Principal,
    known: impl IntoIterator<Item = &'a Principal>,
    after: impl IntoIterator<Item = &'a Principal>,
) -> Statement {
    Statement::Evict {
        subject: *subject,
        reason: Reason::new("stolen").unwrap(),
        known: Known::of(known).unwrap(),
        after: After::of(after).unwrap(),
    }
}

/// What the operator says with the replica of its node at hand: who is out, and who is known there.
pub(crate) fn evict_at(strew: &Strew, number: u64, subject: &Principal) -> SignedAct {
    let known: Vec<_> = strew.membership().reached().collect();
    evict(number, subject, &known, &evicted(strew))
}

/// The replica of this node, of a flock with an operator.
pub(crate) fn replica<'a>(me: &Principal, acts: impl IntoIterator<Item = &'a SignedAct>) -> Strew {
    let mut strew = Strew::new(*me);
    strew.set_operator(Some(operator()));
    acts.into_iter().for_each(|act| _ = strew.merge_act(act.clone()));
    strew
}

pub(crate) fn evicted(strew: &Strew) -> BTreeSet<Principal> {
    strew.membership().evicted().map(|(subject, _)| subject).collect()
}

pub(crate) fn members(strew: &Strew) -> BTreeSet<Principal> {
    strew.membership().members().collect()
}

/// The acts that a replica shares, by id.
pub(crate) fn shared(strew: &Strew) -> BTreeSet<Digest> {
    let all = crux_crdt::strew::Bounds::ALL;
    strew.acts_index().items(all).map(|(id, _)| id).collect()
}

/// A node takes what peers may say, in whatever order makes it so. Whether anything was new.
pub(crate) fn take<'a>(strew: &mut Strew, acts: impl IntoIterator<Item = &'a SignedAct>) -> bool {
    let mut rest: Vec<_> = acts.into_iter().collect();
    rest.retain(|act| strew.act(&act.id()).is_none());
    let mut any = false;
    loop {
        let before = rest.len();
        rest.retain(|act| {
            let takes = strew.shares(act);
            if takes {
                strew.merge_act(SignedAct::clone(act));
            }
            !takes
        });
        any |= rest.len() < before;
        if rest.len() == before {
            return any;
        }
    }
}

/// The shared acts themselves.
pub(crate) fn shared_acts(strew: &Strew) -> Vec<SignedAct> {
    shared(strew).iter().filter_map(|id| strew.act(id)).cloned().collect()
}

/// A record with so many slots of a kind that nobody knows.
pub(crate) fn record(by: &Principal, incarnation: u64, seq: u64, slots: u8) -> Arc<Record> {
    let slot = |n| Arc::new(Slot::from_canonical(&[0x7f, n]).unwrap());
    let slots: BTreeMap<_, _> = (0..slots).map(slot).map(|slot| (slot.id(), slot)).collect();
    let profile = Profile::default();
    let header = Header {
        marker: Marker { incarnation, seq, ..Marker::default() },
        slots_root: slots_root(slots.keys()),
        profile_hash: profile.hash(),
        acts: Frontier::default(),
    };
    Arc::new(Record::new(unsigned(by, &header), profile, slots).unwrap())
}
