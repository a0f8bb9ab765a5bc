use std::time::Duration;

use crux_crdt::Principal;
use crux_crdt::act::{ACT_BYTES_MAX, ACTS_PER_AUTHOR_MAX, AFTER_MAX, Act, After, Statement};
use crux_crdt::blob::{BLOB_BYTES_MAX, BlobId, Descriptor, Root};
use crux_crdt::canon::{Canonical, DecodeError};
use crux_crdt::laws::check_canonical;
use crux_crdt::record::{
    FIELDS_BYTES_MAX, LABEL_KEY_BYTES_MAX, LABEL_VALUE_BYTES_MAX, LABELS_MAX, PROFILE_BYTES_MAX,
    Profile, Registration, SERVICE_LABELS_MAX, SLOT_BYTES_MAX, ServiceKey, Slot,
};
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
    fn any_slot(value in slots()) {
        // What follows a slot of an unknown kind would be a part of it; a slot is never followed by anything.
        prop_assert_eq!(Slot::from_canonical(&value.to_canonical()), Ok(value.clone()));
        prop_assert!(value.is_within_bounds());
        prop_assert_eq!(value.row().is_none(), matches!(value, Slot::Later(_)));
    }

    #[test]
    fn plan_head(value in plan_heads()) {
        check_canonical(&value);
    }

    #[test]
    fn plan_parts(head in plan_heads(), entries in plan_entries()) {
        for slot in head.slots(&entries).unwrap().slots() {
            check_canonical(slot);
            prop_assert!(slot.is_within_bounds());
        }
    }

    #[test]
    fn instances_of_a_target(value in instances()) {
        check_canonical(&value);
    }

    #[test]
    fn service_key(value in service_keys()) {
        check_canonical(&value);
        let other = ServiceKey { ordinal: value.ordinal ^ 1, ..value.clone() };
        prop_assert_ne!(value.to_string(), other.to_string());
    }

    #[test]
    fn act(value in known_acts()) {
        check_canonical(&value);
        prop_assert_eq!(value.bytes(), value.to_canonical().len());
    }

    /// Its body has no end of its own, so a part of it is another act.
    #[test]
    fn act_of_any_kind(value in acts()) {
        let bytes = value.to_canonical();
        prop_assert_eq!(value.bytes(), bytes.len());
        prop_assert_eq!(Act::from_canonical(&bytes), Ok(value));
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
    let many = |count| (0..count).map(|n| (format!("k{n}"), String::new())).collect();
    assert!(slot(|one| one.key.ordinal = u16::MAX));
    let of = |labels| Slot::Registration(Registration { labels, ..registration("ntp") });
    assert!(of(many(SERVICE_LABELS_MAX)).is_within_bounds());
    assert!(!of(many(SERVICE_LABELS_MAX + 1)).is_within_bounds());
    let label = |key: String, value: String| of([(key, value)].into()).is_within_bounds();
    assert!(label("k".repeat(LABEL_KEY_BYTES_MAX), "v".repeat(LABEL_VALUE_BYTES_MAX)));
    assert!(!label("k".repeat(LABEL_KEY_BYTES_MAX + 1), String::new()));
    assert!(!label("k".to_owned(), "v".repeat(LABEL_VALUE_BYTES_MAX + 1)));
    let labels = (0..=LABELS_MAX).map(|n| (format!("k{n}"), String::new()));
    let (labels, most) = (labels.clone().collect(), labels.skip(1).collect());
    assert!(!Profile { labels, ..Profile::default() }.is_within_bounds());
    assert!(Profile { labels: most, ..Profile::default() }.is_within_bounds());
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

/// A field that came after this version: the profile is read, keeps its bytes and its hash, and means
/// what it means without.
#[test]
fn a_later_field_of_a_profile_is_kept_and_counts_for_nothing() {
    let plain = Profile { claim: 7, ..Profile::default() };
    let bytes = with_fields(&plain, &[(1, vec![]), (3, vec![]), (255, b"later".to_vec())]);
    let read = Profile::from_canonical(&bytes).unwrap();
    assert_eq!(read.to_canonical(), bytes);
    assert_eq!(read.later.tags().collect::<Vec<_>>(), [3, 255]);
    assert!(read.provisional);
    assert_eq!(Profile { provisional: false, later: Default::default(), ..read.clone() }, plain);
    assert_ne!(read.hash(), Profile { later: Default::default(), ..read.clone() }.hash());
    assert_ne!(read.hash(), Profile { provisional: false, ..read.clone() }.hash());
}

#[test]
fn fields_of_a_profile_have_one_order_and_a_bound() {
    let refuse = |fields: &[(u8, Vec<u8>)]| {
        Profile::from_canonical(&with_fields(&Profile::default(), fields)).unwrap_err()
    };
    let disorder = DecodeError::Invalid("order of tagged fields");
    assert_eq!(refuse(&[(0, vec![])]), disorder, "no field has the tag 0");
    assert_eq!(refuse(&[(3, vec![]), (3, vec![])]), disorder);
    assert_eq!(refuse(&[(4, vec![]), (3, vec![])]), disorder);
    assert_eq!(refuse(&[(1, vec![0])]), DecodeError::Invalid("provisional"));
    let heads = |heads: &[u8]| heads.iter().flat_map(|head| [*head; 8]).collect::<Vec<_>>();
    let since = DecodeError::Invalid("slots added since the start");
    assert_eq!(refuse(&[(2, vec![7; 15])]), DecodeError::Truncated("continuing run"));
    assert_eq!(refuse(&[(2, heads(&[7, 7, 2, 1]))]), since);
    assert_eq!(refuse(&[(2, heads(&[7, 7, 1, 1]))]), since);
    let over = [(3, vec![0; FIELDS_BYTES_MAX]), (4, vec![0])];
    assert!(matches!(refuse(&over), DecodeError::TooLarge { what: "bytes of tagged fields", .. }));
    let many: Vec<_> = (1..=65).map(|tag| (tag, vec![])).collect();
    assert!(matches!(refuse(&many), DecodeError::TooLarge { what: "tagged fields", .. }));
}

/// What a node may sign must fit where others read it.
#[test]
fn the_longest_profile_fits_its_frame() {
    let host = format!("{}.{}", vec!["x".repeat(63); 3].join("."), "y".repeat(61));
    let labels = (0..LABELS_MAX).map(|n| {
        (
            format!("k{n:0>width$}", width = LABEL_KEY_BYTES_MAX - 1),
            "v".repeat(LABEL_VALUE_BYTES_MAX),
        )
    });
    let longest = Profile {
        name: Some("n".repeat(55).parse().unwrap()),
        addresses: vec![format!("{host}:65535").parse().unwrap(); 8],
        labels: labels.collect(),
        version: "v".repeat(32),
        ..Profile::default()
    };
    assert!(longest.is_within_bounds());
    let mut fields: Vec<_> = (3..=66).map(|tag| (tag, vec![])).collect();
    fields[63].1 = vec![0; FIELDS_BYTES_MAX];
    let bytes = with_fields(&longest, &fields);
    assert!(Profile::from_canonical(&bytes).is_ok());
    assert!(bytes.len() <= PROFILE_BYTES_MAX, "{} bytes", bytes.len());
}

#[test]
fn the_longest_registration_fits_its_slot() {
    let host = format!("{}.{}", vec!["x".repeat(63); 3].join("."), "y".repeat(61));
    let longest = Registration {
        key: ServiceKey {
            horde: "h".repeat(55).parse().unwrap(),
            service: "s".repeat(63).parse().unwrap(),
            rev: "r".repeat(63).parse().unwrap(),
            ordinal: u16::MAX,
        },
        endpoint: format!("{host}:65535").parse().unwrap(),
        instance: "i".repeat(63),
        labels: (0..SERVICE_LABELS_MAX)
            .map(|n| (format!("k{n:0>62}"), "v".repeat(LABEL_VALUE_BYTES_MAX)))
            .collect(),
        lease: Some(Duration::MAX),
    };
    let slot = Slot::Registration(longest).to_canonical();
    assert!(slot.len() <= SLOT_BYTES_MAX, "{} bytes", slot.len());
    assert!(Slot::from_canonical(&slot).is_ok());
}

#[test]
fn a_profile_of_another_version_is_refused() {
    let mut bytes = Profile::default().to_canonical();
    for version in [1, 3] {
        bytes[0] = version;
        let refused = Profile::from_canonical(&bytes).unwrap_err();
        assert_eq!(refused, DecodeError::Unknown { what: "profile version", found: version });
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
        let statement = Statement::Leave { incarnation: 1 };
        let act = Act { number, previous: crux_crdt::Digest::default(), statement };
        let refused = Act::from_canonical(&act.to_canonical());
        assert_eq!(refused, Err(DecodeError::Invalid("act number")));
    }
}

/// An act of a kind that came after this build is read, and keeps its bytes up to the greatest size.
#[test]
fn an_act_of_a_later_kind_is_kept_as_it_is_up_to_a_bound() {
    let of = |statement: Vec<u8>| {
        let first = Act {
            number: 1,
            previous: crux_crdt::Digest::default(),
            statement: Statement::Leave { incarnation: 1 },
        };
        let head = first.to_canonical();
        [&head[..41], &statement].concat()
    };
    let largest = of(vec![5; ACT_BYTES_MAX - 41]);
    assert_eq!(largest.len(), ACT_BYTES_MAX);
    let act = Act::from_canonical(&largest).unwrap();
    assert_eq!((act.bytes(), act.to_canonical()), (ACT_BYTES_MAX, largest));
    let Statement::Later(later) = &act.statement else { panic!("{act:?}") };
    assert_eq!((later.kind(), later.body().len()), (5, ACT_BYTES_MAX - 42));
    let over = Act::from_canonical(&of(vec![5; ACT_BYTES_MAX - 40]));
    assert!(matches!(over, Err(DecodeError::TooLarge { what: "act", .. })), "{over:?}");
    assert!(Act::from_canonical(&of(vec![255])).is_ok(), "an empty body");
    let none = Act::from_canonical(&of(vec![0, 1]));
    assert_eq!(none, Err(DecodeError::Invalid("act kind")), "no kind has this number");
}

#[test]
fn an_act_of_another_version_is_refused() {
    let statement = Statement::Leave { incarnation: 1 };
    let act = Act { number: 1, previous: crux_crdt::Digest::default(), statement };
    let mut bytes = act.to_canonical();
    for version in [1, 3] {
        bytes[0] = version;
        let refused = Act::from_canonical(&bytes);
        assert_eq!(refused, Err(DecodeError::Unknown { what: "act version", found: version }));
    }
}

#[test]
fn whom_a_join_key_excludes_is_listed_in_one_order_and_bounded() {
    let key = |n: u16| {
        let mut key = [7; 32];
        key[..2].copy_from_slice(&n.to_be_bytes());
        Principal(key)
    };
    let all: Vec<_> = (0..=1024).rev().map(key).collect();
    assert_eq!(AFTER_MAX, 1024);
    assert_eq!(After::of(&all), None);
    let most = After::of(&all[1..]).unwrap();
    check_canonical(&most);
    assert!(most.names(&key(0)) && most.names(&key(1023)) && !most.names(&key(1024)));
    assert!(After::default().is_empty() && !most.is_empty());
    assert_eq!(After::of([&key(1), &key(1)]), After::of([&key(1)]), "each is named once");
    let two = After::of([&key(1), &key(2)]).unwrap().to_canonical();
    let mut swapped = two.clone();
    swapped[4..].rotate_left(8);
    let mut twice = two;
    twice[5] = 2;
    for bytes in [swapped, twice] {
        let refused = After::from_canonical(&bytes);
        assert_eq!(refused, Err(DecodeError::Invalid("order of evicted principals")));
    }
    let over = After::from_canonical(&1025_u32.to_be_bytes());
    assert!(matches!(over, Err(DecodeError::TooLarge { limit: 1024, .. })), "{over:?}");
}

#[test]
fn a_blob_has_a_greatest_size() {
    let of = |size| Descriptor { blob: BlobId([1; 32]), root: Root([2; 32]), size };
    let greatest = of(BLOB_BYTES_MAX);
    assert_eq!(Descriptor::from_canonical(&greatest.to_canonical()), Ok(greatest));
    let refused = Descriptor::from_canonical(&of(BLOB_BYTES_MAX + 1).to_canonical());
    assert_eq!(refused, Err(DecodeError::Invalid("blob size")));
}

/// What others make a node show: a record with such text is not a record.
#[test]
fn no_string_of_a_record_commands_a_terminal_or_hides() {
    let bad = [
        "\x1b]0;owned\x07",
        "a\nb",
        "a\rb",
        "\u{9b}2J",
        "\u{202e}dab",
        "\u{2028}",
        "a\u{200b}",
        "\x7f",
    ];
    let label = |key: &str, value: &str| {
        let labels = [(key.to_owned(), value.to_owned())].into();
        Profile { labels, ..Profile::default() }.to_canonical()
    };
    assert!(Profile::from_canonical(&label("rack", "7 north")).is_ok());
    for text in bad {
        let refused = |what| Err::<Profile, _>(DecodeError::Invalid(what));
        assert_eq!(Profile::from_canonical(&label("rack", text)), refused("label value"));
        assert_eq!(Profile::from_canonical(&label(&format!("k{text}"), "")), refused("label key"));
        let version = Profile { version: text.to_owned(), ..Profile::default() };
        assert_eq!(Profile::from_canonical(&version.to_canonical()), refused("version"));
        assert!(!version.is_within_bounds());
        let mut service = registration("ntp");
        service.labels = [("zone".to_owned(), text.to_owned())].into();
        let labelled = Slot::Registration(service.clone()).to_canonical();
        assert_eq!(Slot::from_canonical(&labelled), Err(DecodeError::Invalid("label value")));
        service.labels.clear();
        service.instance = format!("svc{text}");
        let slot = Slot::Registration(service);
        let slot = Slot::from_canonical(&slot.to_canonical());
        assert_eq!(slot, Err(DecodeError::Invalid("instance")));
    }
    for key in ["", "a=b", "a b"] {
        assert!(
            Profile::from_canonical(&label(key, "")).is_err(),
            "{key:?} reads like another label"
        );
    }
}
