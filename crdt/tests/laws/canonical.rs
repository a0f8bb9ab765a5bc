use std::time::Duration;

use crux_crdt::act::{ACTS_PER_AUTHOR_MAX, Act};
use crux_crdt::blob::{BLOB_BYTES_MAX, BlobId, Descriptor, Root};
use crux_crdt::canon::{Canonical, DecodeError};
use crux_crdt::laws::check_canonical;
use crux_crdt::record::{LABELS_MAX, Profile, Slot};
use proptest::prelude::*;

use crate::flock::registration;
use crate::values::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn marker(value in markers()) {
        check_canonical(&value);
    }

    #[test]
    fn header(value in headers()) {
        check_canonical(&value);
    }

    #[test]
    fn profile(value in profiles()) {
        check_canonical(&value);
        prop_assert!(value.is_within_bounds());
    }

    #[test]
    fn registration_and_slot(value in registrations()) {
        check_canonical(&value);
        let slot = Slot::Registration(value);
        check_canonical(&slot);
        prop_assert!(slot.is_within_bounds());
    }

    #[test]
    fn act(value in acts()) {
        check_canonical(&value);
    }

    #[test]
    fn descriptor(value in descriptors()) {
        check_canonical(&value);
    }

    #[test]
    fn piece_set(value in piece_sets()) {
        check_canonical(&value);
        prop_assert_eq!(value.iter().count() + value.missing().count(), value.count() as usize);
    }

    /// Equal bytes are equal values: markers sort as their bytes do, so a store may compare bytes.
    #[test]
    fn markers_sort_as_their_bytes(a in markers(), b in markers()) {
        prop_assert_eq!(a.cmp(&b), a.to_canonical().cmp(&b.to_canonical()));
    }
}

#[test]
fn what_breaks_a_bound_is_told_before_it_is_signed() {
    let slot = |change: fn(&mut crux_crdt::record::Registration)| {
        let mut one = registration("ntp");
        change(&mut one);
        Slot::Registration(one).is_within_bounds()
    };
    assert!(slot(|_| ()));
    assert!(!slot(|one| one.instance = "x".repeat(64)));
    assert!(!slot(|one| one.lease = Some(Duration::ZERO)));
    assert!(!slot(|one| one.lease = Some(Duration::from_micros(1500))));
    let labels = (0..=LABELS_MAX).map(|n| (n.to_string(), String::new())).collect();
    assert!(!Profile { labels, ..Profile::default() }.is_within_bounds());
    assert!(!Profile { claim: 1 << 48, ..Profile::default() }.is_within_bounds());
}

#[test]
fn labels_have_one_order() {
    let labels = [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())].into();
    let bytes = Profile { labels, ..Profile::default() }.to_canonical();
    let at = bytes.windows(10).position(|w| w[4] == b'a' && w[9] == b'1').unwrap();
    let mut swapped = bytes.clone();
    swapped[at..at + 20].rotate_left(10);
    let mut twice = bytes.clone();
    twice[at + 14] = b'a';
    for bytes in [swapped, twice] {
        let refused = Profile::from_canonical(&bytes);
        assert_eq!(refused, Err(DecodeError::Invalid("order of labels")));
    }
}

#[test]
fn a_short_lease_ends() {
    let mut one = registration("ntp");
    one.lease = Some(Duration::from_micros(1));
    let decoded = crux_crdt::record::Registration::from_canonical(&one.to_canonical()).unwrap();
    assert_eq!(decoded.lease, Some(Duration::from_millis(1)));
}

#[test]
fn an_act_has_a_place_in_its_chain() {
    for number in [0, ACTS_PER_AUTHOR_MAX + 1] {
        let statement = crux_crdt::act::Statement::Leave { incarnation: 1 };
        let act = Act { number, previous: crux_crdt::Digest::default(), statement };
        let refused = Act::from_canonical(&act.to_canonical());
        assert_eq!(refused, Err(DecodeError::Invalid("act number")));
    }
}

#[test]
fn a_blob_has_a_greatest_size() {
    let of = |size| Descriptor { blob: BlobId([1; 32]), root: Root([2; 32]), size };
    let greatest = of(BLOB_BYTES_MAX);
    assert_eq!(Descriptor::from_canonical(&greatest.to_canonical()), Ok(greatest));
    let refused = Descriptor::from_canonical(&of(BLOB_BYTES_MAX + 1).to_canonical());
    assert_eq!(refused, Err(DecodeError::Invalid("blob size")));
}
