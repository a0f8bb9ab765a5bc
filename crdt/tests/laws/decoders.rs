//! Whatever a peer or a damaged disk hands in: an error or a value, never a panic; and a value that
//! decodes has no other spelling.

use crux_crdt::Principal;
use crux_crdt::act::Act;
use crux_crdt::blob::{Descriptor, PieceSet};
use crux_crdt::canon::{Canonical, Decoder};
use crux_crdt::record::{
    Header, InstanceReport, Marker, Pass, PlanHead, PlanPart, PlanSlot, Profile, Registration,
    ServiceKey, Slot,
};
use crux_crdt::sign::{Ed25519, Signable, Signed, Verifier};
use proptest::prelude::*;

use crate::flock::FLOCK;
use crate::values::*;

/// Lets a fuzzer past the signature.
struct Credulous;

impl Verifier for Credulous {
    fn verify(&self, _: &Principal, _: &[u8], _: &[u8; 64]) -> bool {
        true
    }
}

fn decode<T: Canonical>(bytes: &[u8]) {
    if let Ok(value) = T::from_canonical(bytes) {
        assert_eq!(value.to_canonical(), bytes, "two spellings of one value");
    }
}

fn open<T: Signable>(bytes: &[u8]) {
    let verifiers: [&dyn Verifier; 2] = [&Ed25519, &Credulous];
    for verifier in verifiers {
        drop(Signed::<T>::open(&mut Decoder::new(bytes), &FLOCK, verifier));
    }
}

fn feed_all(bytes: &[u8]) {
    decode::<Marker>(bytes);
    decode::<Header>(bytes);
    decode::<Profile>(bytes);
    decode::<Registration>(bytes);
    decode::<ServiceKey>(bytes);
    decode::<Slot>(bytes);
    decode::<PlanSlot>(bytes);
    decode::<PlanHead>(bytes);
    decode::<PlanPart>(bytes);
    decode::<Pass>(bytes);
    decode::<InstanceReport>(bytes);
    decode::<crux_crdt::document::Marker>(bytes);
    decode::<Act>(bytes);
    decode::<Descriptor>(bytes);
    decode::<PieceSet>(bytes);
    open::<Header>(bytes);
    open::<Act>(bytes);
    open::<Descriptor>(bytes);
}

/// Bytes that were good until something happened to them: deeper than random ones get.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let good = prop_oneof![
        headers().prop_map(|value| value.to_canonical()),
        profiles().prop_map(|value| value.to_canonical()),
        slots().prop_map(|value| value.to_canonical()),
        acts().prop_map(|value| value.to_canonical()),
        descriptors().prop_map(|value| value.to_canonical()),
        piece_sets().prop_map(|value| value.to_canonical()),
    ];
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    (good, edits, any::<prop::sample::Index>()).prop_map(|(mut bytes, edits, cut)| {
        edits.iter().for_each(|(at, value)| *at.get_mut(&mut bytes) = *value);
        let keep = bytes.len() - cut.index(bytes.len()) / 8;
        bytes.truncate(keep);
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        feed_all(&bytes);
    }

    #[test]
    fn damaged_bytes(bytes in damaged()) {
        feed_all(&bytes);
    }

    #[test]
    fn a_count_is_no_allocation(bytes in prop::collection::vec(any::<u8>(), 0..16)) {
        // A version byte and then the greatest counts: the limit holds, not the memory.
        for version in [1, 2, 5] {
            feed_all(&[&[version, 0xff, 0xff, 0xff, 0xff][..], &bytes].concat());
        }
        feed_all(&[&[4, 1, 0, 0, 0xff, 0xff, 0xff, 0xff][..], &bytes].concat());
        feed_all(&[&[0, 0, 0xff, 0xff, 0xff, 0xff][..], &bytes].concat());
    }
}
