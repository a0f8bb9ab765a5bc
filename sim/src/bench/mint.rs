//! Facts of a flock that has been running for long, signed at once: what a disk would hold of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crux_crdt::act::{Act, Statement};
use crux_crdt::name::Label;
use crux_crdt::record::{
    Frontier, Header, Marker, Profile, Record, Registration, ServiceKey, Slot, slots_root,
};
use crux_crdt::sign::{Identity, Signed};
use crux_crdt::{Digest, Principal};

use crate::host::{Host, Stock};
use crate::world::World;

/// The admissions by which one member brought others, and they it.
#[derive(Debug)]
pub struct Admissions {
    /// All of them.
    pub acts: Vec<Arc<Signed<Act>>>,
    /// What the one member has signed now.
    pub end: Frontier,
    /// What each of the others has signed, in their order.
    pub ends: Vec<Frontier>,
}

/// Has a member, which signed acts up to `after`, admit others that signed none, and those it.
pub fn admissions<'a>(
    flock: &Digest,
    by: &Identity,
    after: Frontier,
    others: impl Iterator<Item = &'a Identity>,
) -> Admissions {
    let mut made = Admissions { acts: Vec::new(), end: after, ends: Vec::new() };
    for (generation, other) in (1..).zip(others) {
        let admit = Statement::admit(other.principal(), generation);
        let (act, end) = sign(flock, by, admit, made.end);
        let back = Statement::admit(by.principal(), 1);
        let (back, back_end) = sign(flock, other, back, Frontier::default());
        made.end = end;
        made.ends.push(back_end);
        made.acts.extend([act, back]);
    }
    made
}

/// An act after others of its author, and where that ends.
fn sign(
    flock: &Digest,
    by: &Identity,
    statement: Statement,
    after: Frontier,
) -> (Arc<Signed<Act>>, Frontier) {
    let act = Act { number: after.count + 1, previous: after.head, statement };
    let signed = Signed::sign(act, flock, by);
    let end = Frontier { count: after.count + 1, head: signed.id() };
    (Arc::new(signed), end)
}

/// The first record of a member with this profile, which signed these acts and registers so many services.
///
/// # Panics
/// If the profile or so many services are over a bound.
pub fn record(
    flock: &Digest,
    of: &Identity,
    profile: Profile,
    acts: Frontier,
    services: usize,
) -> Record {
    let slots: BTreeMap<Digest, Arc<Slot>> = (0..services)
        .map(|number| Slot::Registration(registration(number)))
        .map(|slot| (slot.id(), Arc::new(slot)))
        .collect();
    let header = Header {
        marker: Marker { incarnation: 1, nonce: [1; 16], seq: 0 },
        slots_root: slots_root(slots.keys()),
        profile_hash: profile.hash(),
        acts,
    };
    let header = Signed::sign(header, flock, of);
    Record::new(header, profile, slots).expect("the parts were made for each other")
}

fn registration(number: usize) -> Registration {
    Registration {
        key: ServiceKey {
            horde: Label::main_horde(),
            service: format!("svc{number}").parse().expect("letters and digits make a name"),
            rev: "v1".parse().expect("a letter and a digit make a name"),
            ordinal: 0,
        },
        endpoint: "10.9.0.1:80".parse().expect("an address and a port"),
        instance: format!("svc-{number:010}"),
        labels: BTreeMap::new(),
        lease: None,
    }
}

/// What is on every disk of a flock of the first so many hosts: the first one admitted all others, and
/// they it, and it leads. Each registers so many services.
pub(super) fn stock(world: &World, hosts: usize, services: usize) -> Arc<Stock> {
    let (flock, hosts) = (&world.keys.flock, &world.hosts[..hosts]);
    let others = hosts.iter().skip(1).map(|host| &*host.identity);
    let made = admissions(flock, &hosts[0].identity, Frontier::default(), others);
    let ends = [made.end].into_iter().chain(made.ends);
    let records = hosts.iter().zip(ends).enumerate();
    let records: BTreeMap<Principal, Arc<Record>> = records
        .map(|(at, (host, end))| {
            let profile = profile(host, u64::from(at == 0));
            let record = record(flock, &host.identity, profile, end, services);
            (host.principal(), Arc::new(record))
        })
        .collect();
    let acts = made.acts.into_iter().map(|act| (act.id(), act)).collect();
    Arc::new(Stock { records, acts })
}

fn profile(host: &Host, claim: u64) -> Profile {
    let config = &host.config;
    Profile {
        name: config.name.clone(),
        addresses: config.addresses.clone(),
        labels: config.labels.clone(),
        agreement_key: config.agreement_key,
        claim,
        draining: false,
        version: config.version.clone(),
        ..Profile::default()
    }
}
