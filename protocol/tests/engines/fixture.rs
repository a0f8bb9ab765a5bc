//! Nodes with fixed keys, and what they sign.

use crux_crdt::fact::{Arrival, Fact};
use crux_protocol::sync::{Request, Response, Wanted};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crux_crdt::act::{Act, Statement};
use crux_crdt::canon::Canonical as _;
use crux_crdt::fact::Kind;
use crux_crdt::record::{Frontier, Header, Marker, Profile, Record, Slot, SlotSet, slots_root};
use crux_crdt::sign::{Ed25519, Identity, Signed};
use crux_crdt::strew::Strew;
use crux_crdt::{Digest, Principal};
use crux_protocol::context::{Apart, Context};
use crux_protocol::sync::Roots;
use crux_protocol::time::Instant;
use rand::SeedableRng;
use rand::rngs::StdRng;

pub(crate) const FLOCK: Digest = Digest([7; 32]);

pub(crate) fn at(millis: u64) -> Instant {
    Instant::after_origin(Duration::from_millis(millis))
}

pub(crate) fn rng() -> StdRng {
    StdRng::from_seed([1; 32])
}

pub(crate) fn identity(number: u8) -> Arc<Identity> {
    Arc::new(Identity::from_seed(&[number; 32]))
}

pub(crate) fn principal(number: u8) -> Principal {
    identity(number).principal()
}

pub(crate) fn principals(numbers: impl IntoIterator<Item = u8>) -> BTreeSet<Principal> {
    numbers.into_iter().map(principal).collect()
}

pub(crate) fn context(number: u8) -> Context {
    Context {
        operator: None,
        flock: FLOCK,
        me: principal(number),
        verifier: Arc::new(Ed25519),
        sharing: Arc::new(Apart),
    }
}

/// An empty record of this node.
pub(crate) fn record(number: u8, seq: u64) -> Arc<Record> {
    named_record(number, seq, Profile { version: "test".to_owned(), ..Profile::default() })
}

/// A record of this node that registers nothing.
pub(crate) fn named_record(number: u8, seq: u64, profile: Profile) -> Arc<Record> {
    let header = Header {
        marker: Marker { incarnation: 1, nonce: [number; 16], seq },
        slots_root: slots_root([].iter()),
        profile_hash: profile.hash(),
        acts: Frontier::default(),
    };
    let header = Signed::sign(header, &FLOCK, &identity(number));
    Arc::new(Record::new(header, profile, BTreeMap::new()).unwrap())
}

pub(crate) fn admission(by: u8, of: u8) -> Arc<Signed<Act>> {
    let statement = Statement::admit(principal(of), 1);
    let act = Act { number: u64::from(of), previous: Digest::default(), statement };
    Arc::new(Signed::sign(act, &FLOCK, &identity(by)))
}

/// Roots of both sets that are this.
pub(crate) fn same_roots(root: Digest) -> Roots {
    Roots::new([Kind::ACT, Kind::RECORD].map(|kind| (kind, root)))
}

/// An act of a kind that this build does not know, with a body of so many bytes.
pub(crate) fn unknown(by: u8, number: u64, bytes: usize) -> Arc<Signed<Act>> {
    let statement = [vec![200], vec![1; bytes]].concat();
    let statement = Statement::from_canonical(&statement).unwrap();
    let act = Act { number, previous: Digest::default(), statement };
    Arc::new(Signed::sign(act, &FLOCK, &identity(by)))
}

/// The replica of node `me`, in which the nodes up to `count` are members with a record each.
pub(crate) fn strew(me: u8, count: u8) -> Strew {
    let mut strew = Strew::new(principal(me));
    for number in (1..=count).filter(|number| *number != me) {
        strew.merge_act(admission(me, number));
        strew.merge_act(admission(number, me));
    }
    for number in 1..=count {
        strew.merge_record(record(number, 0));
    }
    strew
}

/// Facts of two kinds, as a disk gives them.
pub(crate) fn facts(
    acts: impl IntoIterator<Item = Arc<Signed<Act>>>,
    records: impl IntoIterator<Item = Arc<Record>>,
) -> Vec<Fact> {
    acts.into_iter().map(Fact::from).chain(records.into_iter().map(Fact::from)).collect()
}

/// What a request for facts asks for: their kind and keys.
pub(crate) fn keys_of(request: &Request) -> Option<(Kind, Vec<Digest>)> {
    let Request::Facts { kind, wanted } = request else { return None };
    Some((*kind, wanted.iter().map(|want| want.key).collect()))
}

/// A request for facts of which nothing is held.
pub(crate) fn fetch(kind: Kind, keys: &[Digest]) -> Request {
    let wanted = keys.iter().map(|key| Wanted { key: *key, held: Vec::new() }).collect();
    Request::Facts { kind, wanted }
}

/// An answer with these acts.
pub(crate) fn answer_acts<'a>(acts: impl Iterator<Item = &'a Arc<Signed<Act>>>) -> Vec<u8> {
    let want = Wanted { key: Digest::default(), held: Vec::new() };
    Response::encode_facts(Kind::ACT, acts.map(|act| (act.clone().into(), &want)).collect())
}

/// Merges what a session brought, completing records by nothing.
pub(crate) fn merge_all(strew: &mut Strew, facts: &[Arrival]) {
    for fact in facts.iter().cloned() {
        match fact {
            Arrival::Whole(fact) => _ = strew.merge_fact(fact),
            Arrival::Frame(frame) => {
                let whole = frame.complete(None).unwrap().unwrap();
                strew.merge_record(whole.into());
            }
        }
    }
}

/// A record of this node with the slots of this set.
pub(crate) fn set_record(number: u8, set: &SlotSet) -> Arc<Record> {
    slots_record(number, set.slots().cloned())
}

/// A record of this node with these slots.
pub(crate) fn slots_record(number: u8, slots: impl IntoIterator<Item = Slot>) -> Arc<Record> {
    let slots: BTreeMap<_, _> = slots.into_iter().map(|it| (it.id(), Arc::new(it))).collect();
    let profile = Profile { version: "test".to_owned(), ..Profile::default() };
    let header = Header {
        marker: Marker { incarnation: 1, nonce: [number; 16], seq: 1 },
        slots_root: slots_root(slots.keys()),
        profile_hash: profile.hash(),
        acts: Frontier::default(),
    };
    let header = Signed::sign(header, &FLOCK, &identity(number));
    Arc::new(Record::new(header, profile, slots).unwrap())
}
