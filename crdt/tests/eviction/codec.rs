//! One encoding for each statement; whatever else the bytes are, an error.

use crux_crdt::Principal;
use crux_crdt::act::{
    ACT_BYTES_MAX, AFTER_MAX, Act, After, KNOWN_MAX, Known, REASON_BYTES_MAX, Reason, ReasonError,
    Statement,
};
use crux_crdt::canon::{Canonical, DecodeError, Encoder};
use crux_crdt::laws::check_canonical;
use proptest::prelude::*;

use crate::world::say;

fn principals(most: usize) -> impl Strategy<Value = Vec<Principal>> {
    prop::collection::vec(any::<[u8; 32]>().prop_map(Principal), 0..most)
}

fn evictions() -> impl Strategy<Value = Statement> {
    let reason = "[ -~äß東]{1,40}".prop_map(|text| Reason::new(&text).unwrap());
    (any::<[u8; 32]>(), reason, principals(9), principals(4)).prop_map(
        |(subject, reason, known, after)| Statement::Evict {
            subject: Principal(subject),
            reason,
            known: Known::of(&known).unwrap(),
            after: After::of(&after).unwrap(),
        },
    )
}

/// The bytes of such a statement, whether or not it is one.
fn bytes(reason: &[u8], known: &[[u8; 8]], after: &[[u8; 8]]) -> Vec<u8> {
    let mut out = Encoder::default();
    out.u8(4).principal(&Principal([1; 32])).bytes(reason);
    for list in [known, after] {
        out.count(list.len());
        list.iter().for_each(|prefix| _ = out.fixed(prefix));
    }
    out.finish()
}

fn refused(bytes: &[u8]) -> DecodeError {
    Statement::from_canonical(bytes).unwrap_err()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn an_eviction_has_one_encoding(statement in evictions(), number in 1..10_000_u64) {
        check_canonical(&statement);
        let act = say(&Principal([2; 32]), number, statement);
        prop_assert_eq!(act.value().bytes(), act.value().to_canonical().len());
    }

    #[test]
    fn fuzz_damaged_evictions(
        statement in evictions(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = statement.to_canonical();
        edits.iter().for_each(|(at, value)| *at.get_mut(&mut bytes) = *value);
        bytes.truncate(bytes.len() - cut.index(bytes.len()) / 4);
        if let Ok(read) = Statement::from_canonical(&bytes) {
            prop_assert_eq!(read.to_canonical(), bytes);
        }
    }

    /// A statement of this kind, then anything; and counts as large as they get.
    #[test]
    fn fuzz_arbitrary_evictions(tail in prop::collection::vec(any::<u8>(), 0..200), huge: bool) {
        let mut bytes = [&[4][..], &[9; 32]].concat();
        bytes.extend(if huge { vec![0, 0, 0, 1, b'x', 0xff, 0xff, 0xff, 0xff] } else { vec![] });
        bytes.extend(tail);
        if let Ok(read) = Statement::from_canonical(&bytes) {
            prop_assert_eq!(read.to_canonical(), bytes);
        }
    }
}

/// Whatever the operator's node knows: the act that says it is not too large.
#[test]
fn the_largest_eviction_is_an_act() {
    let prefix = |n: usize| (n as u64).to_be_bytes();
    let crowd: Vec<_> = (0..KNOWN_MAX).map(prefix).collect();
    let reason = [b'x'; REASON_BYTES_MAX];
    let read = Statement::from_canonical(&bytes(&reason, &crowd, &crowd[..AFTER_MAX])).unwrap();
    let act = Act { number: 1, previous: crux_crdt::Digest::default(), statement: read };
    assert!((ACT_BYTES_MAX - 7..=ACT_BYTES_MAX).contains(&act.bytes()), "{}", act.bytes());
    assert_eq!(Act::from_canonical(&act.to_canonical()).as_ref(), Ok(&act));
    let Statement::Evict { known, .. } = &act.statement else { panic!() };
    assert_eq!(known.len(), KNOWN_MAX);

    let more: Vec<_> = (0..=KNOWN_MAX).map(prefix).collect();
    let over = refused(&bytes(b"x", &more, &[]));
    assert!(matches!(over, DecodeError::TooLarge { what: "listed principals", .. }), "{over}");
    let over = refused(&bytes(b"x", &[], &more[..=AFTER_MAX]));
    assert!(matches!(over, DecodeError::TooLarge { what: "evicted principals", .. }), "{over}");
    let named = more.iter().map(|it| Principal([*it; 4].concat().try_into().unwrap()));
    let named: Vec<_> = named.collect();
    assert_eq!(Known::of(&named), None);
    assert!(Known::of(&named[1..]).is_some_and(|it| it.names(&named[1]) && !it.names(&named[0])));
}

#[test]
fn a_list_ascends_and_names_nobody_twice() {
    let (one, two) = ([1; 8], [2; 8]);
    for list in [[two, one], [one, one]] {
        let error = refused(&bytes(b"x", &list, &[]));
        assert_eq!(error, DecodeError::Invalid("order of listed principals"));
        let error = refused(&bytes(b"x", &[], &list));
        assert_eq!(error, DecodeError::Invalid("order of evicted principals"));
    }
    assert!(Statement::from_canonical(&bytes(b"x", &[one, two], &[one, two])).is_ok());
}

#[test]
fn a_reason_is_a_short_line_that_shows_all_of_itself() {
    assert_eq!(Reason::new(""), Err(ReasonError::Empty));
    assert_eq!(Reason::new("\u{1b}[2J"), Err(ReasonError::NotPlain('\u{1b}')));
    assert_eq!(Reason::new("a\nb"), Err(ReasonError::NotPlain('\n')));
    assert_eq!(Reason::new("\u{202e}kcul"), Err(ReasonError::NotPlain('\u{202e}')));
    let long = "ü".repeat(REASON_BYTES_MAX / 2);
    assert_eq!(Reason::new(&long).unwrap().as_str(), long);
    let longer = format!("{long}.");
    assert_eq!(Reason::new(&longer), Err(ReasonError::TooLong(REASON_BYTES_MAX + 1)));
    let shown = ReasonError::NotPlain('\n').to_string();
    assert_eq!(shown, "the reason has the character U+000A, which is not shown as itself");
    for (reason, error) in [
        (&b""[..], DecodeError::Invalid("reason")),
        (b"a\x07", DecodeError::Invalid("reason")),
        (b"\xff", DecodeError::Invalid("reason")),
        (longer.as_bytes(), DecodeError::TooLarge { what: "reason", found: 257, limit: 256 }),
    ] {
        assert_eq!(refused(&bytes(reason, &[], &[])), error);
    }
}

#[test]
fn an_eviction_is_shown_with_its_subject_and_its_reason() {
    let known = Known::of(&[Principal([1; 32]), Principal([2; 32])]).unwrap();
    let statement = Statement::Evict {
        subject: Principal([0xab; 32]),
        reason: Reason::new("stolen laptop").unwrap(),
        known,
        after: After::default(),
    };
    assert_eq!(statement.to_string(), "evict abababab (stolen laptop; 2 listed)");
}
