use std::collections::BTreeMap;
use std::sync::Arc;

use crux_crdt::act::{Act, Statement};
use crux_crdt::name::Label;
use crux_crdt::record::{
    Frontier, Header, Marker, Profile, Record, Registration, ServiceKey, Slot, slots_root,
};
use crux_crdt::sign::Signed;
use crux_crdt::{Digest, Principal};

use crate::host::{Host, Stock};
use crate::world::World;

/// What is on every disk of a flock of the first so many hosts: the first one admitted all others, and
/// they it, and it leads. Each registers so many services.
pub(super) fn stock(world: &World, hosts: usize, services: usize) -> Arc<Stock> {
    let mut acts = BTreeMap::new();
    let first = world.hosts[0].principal();
    let mut last = Frontier::default();
    let mut ends = vec![Frontier::default(); hosts];
    for (at, host) in world.hosts[..hosts].iter().enumerate().skip(1) {
        let generation = at as u64;
        let admit = Statement::admit(host.principal(), generation);
        let act = sign(world, &world.hosts[0], admit, last);
        last = Frontier { count: act.value().number, head: act.id() };
        let back = Statement::admit(first, 1);
        let back = sign(world, host, back, Frontier::default());
        ends[at] = Frontier { count: 1, head: back.id() };
        acts.extend([(act.id(), Arc::new(act)), (back.id(), Arc::new(back))]);
    }
    ends[0] = last;
    let records = world.hosts[..hosts].iter().zip(ends).enumerate();
    let records: BTreeMap<Principal, Arc<Record>> = records
        .map(|(at, (host, end))| {
            let claim = u64::from(at == 0);
            (host.principal(), Arc::new(record(world, host, claim, end, services)))
        })
        .collect();
    Arc::new(Stock { records, acts })
}

fn sign(world: &World, by: &Host, statement: Statement, after: Frontier) -> Signed<Act> {
    let act = Act { number: after.count + 1, previous: after.head, statement };
    Signed::sign(act, &world.keys.flock, &by.identity)
}

fn record(world: &World, host: &Host, claim: u64, acts: Frontier, services: usize) -> Record {
    let config = &host.config;
    let profile = Profile {
        name: config.name.clone(),
        addresses: config.addresses.clone(),
        labels: config.labels.clone(),
        agreement_key: config.agreement_key,
        claim,
        draining: false,
        version: config.version.clone(),
        ..Profile::default()
    };
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
    let header = Signed::sign(header, &world.keys.flock, &host.identity);
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
