//! It admits keys that it made itself, and each of them says as much as a member may.
//!
//! What each author may say is bounded; how many authors there are is up to whoever admits. It has
//! them on its disk when it starts, so that anti-entropy brings them to whoever lets it in.

use std::collections::BTreeMap;
use std::sync::Arc;

use crux_crdt::Digest;
use crux_crdt::act::{Act, Statement};
use crux_crdt::canon::Canonical as _;
use crux_crdt::record::{
    Frontier, Header, Marker, Profile, Record, SLOT_BYTES_MAX, Slot, slots_root,
};
use crux_crdt::sign::{Identity, Signed};
use crux_protocol::context::Context;
use crux_protocol::flock::Restored;

use super::super::filter::Filter;
use crate::output::say;

/// A kind of slot that no version knows: it is kept for later versions.
const LATER: u8 = 0x7f;
/// How many slots each key has: less than there may be, so that more than one record fits a small replica.
const SLOTS: u64 = 256;

/// See the module.
#[derive(Debug)]
pub(crate) struct Keys {
    count: usize,
}

impl Keys {
    /// A liar that admits so many keys.
    pub(crate) const fn new(count: usize) -> Self {
        Self { count }
    }
}

impl Filter for Keys {
    fn restored(&mut self, identity: &Identity, context: &Context) -> Restored {
        let mut restored = Restored::default();
        let mut previous = Digest::default();
        for number in 1..=self.count as u64 {
            let key = Identity::from_seed(&rand::random());
            let subject = key.principal();
            let statement = Statement::admit(subject, 2);
            let act = Signed::sign(Act { number, previous, statement }, &context.flock, identity);
            previous = act.id();
            restored.facts.push(Arc::new(act).into());
            restored.facts.push(Arc::new(full_record(&key, &context.flock)).into());
        }
        let me = identity.principal();
        say(format_args!("admitted {} keys of its own as {}", self.count, me.short()));
        restored
    }
}

/// A record with so many slots, each as large as it may be: 2 MiB.
fn full_record(by: &Identity, flock: &Digest) -> Record {
    let slots: BTreeMap<_, _> = (0..SLOTS).map(slot).collect();
    let profile = Profile::default();
    let header = Header {
        marker: Marker { incarnation: 1, nonce: rand::random(), seq: 0 },
        slots_root: slots_root(slots.keys()),
        profile_hash: profile.hash(),
        acts: Frontier::default(),
    };
    Record::new(Signed::sign(header, flock, by), profile, slots).expect("parts made for each other")
}

fn slot(number: u64) -> (Digest, Arc<Slot>) {
    let mut bytes = vec![LATER; SLOT_BYTES_MAX];
    bytes[1..33].copy_from_slice(&rand::random::<[u8; 32]>());
    bytes[33..41].copy_from_slice(&number.to_be_bytes());
    let slot = Slot::from_canonical(&bytes).expect("a slot of a later version");
    (slot.id(), Arc::new(slot))
}
