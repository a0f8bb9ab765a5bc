//! How much may be said about evictions, and by which key.

use crux_crdt::Principal;
use crux_crdt::act::{
    ACT_BYTES_MAX, ACTS_BYTES_PER_AUTHOR_MAX, AFTER_MAX, EVICTIONS_BYTES_MAX, KNOWN_MAX, Statement,
};
use crux_crdt::strew::ActOutcome;

use crate::world::*;

const LIMIT: usize = 1 << 20;

fn crowd(count: usize) -> Vec<Principal> {
    (0..count).map(|n| key(&format!("crowd {n}"))).collect()
}

/// The largest eviction of this subject.
fn largest(by: &Principal, number: u64, subject: &Principal, crowd: &[Principal]) -> SignedAct {
    let statement = eviction(subject, &crowd[..KNOWN_MAX], &crowd[..AFTER_MAX]);
    say(by, number, statement)
}

#[test]
fn a_full_replica_takes_an_eviction_in() {
    let (a, x) = (key("a"), key("x"));
    let mut strew = replica(&a, &join(&a, &x, 1));
    strew.set_limit(LIMIT);
    for number in 1..5_000 {
        let idle = Statement::Retire { subject: key("nobody"), incarnation: number };
        strew.merge_act(say(&x, number, idle));
    }
    assert!(strew.is_full());
    let act = largest(&operator(), 1, &x, &[vec![a, x], crowd(KNOWN_MAX)].concat());
    let outcome = strew.merge_act(act.clone());
    assert!(matches!(outcome, ActOutcome::New(_)), "{outcome:?}");
    assert!(!strew.membership().contains(&x));
    assert!(strew.footprint_of(&operator()) > act.value().bytes());
}

/// A member or a stranger that signs evictions is held to the bound of what nobody understands.
#[test]
fn evictions_by_others_have_a_bound_in_bytes() {
    let (a, b) = (key("a"), key("b"));
    let mut strew = replica(&a, &join(&a, &b, 1));
    let crowd = crowd(KNOWN_MAX);
    let size = largest(&b, 1, &a, &crowd).value().bytes();
    let most = ACTS_BYTES_PER_AUTHOR_MAX / size;
    for number in 1..=most as u64 {
        let outcome = strew.merge_act(largest(&b, number, &a, &crowd));
        assert!(matches!(outcome, ActOutcome::New(_)), "{number}: {outcome:?}");
    }
    let next = strew.merge_act(largest(&b, most as u64 + 1, &a, &crowd));
    assert_eq!(next, ActOutcome::TooMany);
    assert!(strew.membership().contains(&a) && strew.membership().evicted().next().is_none());
    // What it says otherwise counts.
    strew.merge_act(say(&b, 900, Statement::admit(key("c"), 2)));
    assert!(strew.membership().contains(&key("c")));
}

#[test]
fn more_than_a_list_can_name_is_told() {
    let a = key("a");
    let mut strew = replica(&a, &[]);
    for n in 0..=AFTER_MAX {
        assert!(strew.membership().after().is_some(), "{n} are evicted");
        strew.merge_act(evict(1, &key(&format!("x{n}")), [&a], []));
    }
    assert_eq!(strew.membership().after(), None);
    assert_eq!(strew.membership().evicted().count(), AFTER_MAX + 1);
    // More than sixteen words of bits: admissions are still told apart.
    let known: Vec<_> = [a, key("b")].into();
    let gone = evicted(&strew);
    strew.merge_act(admit(&a, &key("b"), 1, &Default::default()));
    assert!(strew.membership().is_suspended(&key("b")));
    let (last, named): (Vec<_>, Vec<_>) = gone.iter().partition(|it| *it == gone.last().unwrap());
    strew.merge_act(evict(2, named[0], &known, named.iter().copied()));
    assert!(strew.membership().is_suspended(&key("b")), "one list has it not");
    strew.merge_act(evict(2, last[0], &known, []));
    assert!(strew.membership().contains(&key("b")));
}

#[test]
#[ignore = "long: 500 of the largest statements"]
fn evictions_by_the_operator_have_a_bound_in_bytes() {
    let (a, crowd) = (key("a"), crowd(KNOWN_MAX));
    let mut strew = replica(&a, &[]);
    let size = largest(&operator(), 1, &key("x"), &crowd).value().bytes();
    let most = EVICTIONS_BYTES_MAX / size;
    for number in 1..=most as u64 {
        let outcome = strew.merge_act(largest(&operator(), number, &key("x"), &crowd));
        assert!(matches!(outcome, ActOutcome::New(_)), "{number}: {outcome:?}");
    }
    let next = strew.merge_act(largest(&operator(), most as u64 + 1, &key("x"), &crowd));
    assert_eq!(next, ActOutcome::TooMany);
    assert!(size <= ACT_BYTES_MAX);
}
