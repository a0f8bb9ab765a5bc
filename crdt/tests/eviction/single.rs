//! What the strew promises about single histories.

use std::collections::BTreeSet;

use crux_crdt::act::Statement;
use crux_crdt::fact::{Fact, Kind};
use crux_crdt::strew::{ActOutcome, RecordOutcome, Strew};
use crux_crdt::{Digest, Principal};

use crate::rule::check;
use crate::world::*;

fn names(strew: &Strew) -> Vec<&'static str> {
    let all = ["a", "b", "c", "d", "x", "y"];
    all.into_iter().filter(|name| strew.membership().contains(&key(name))).collect()
}

fn suspended(strew: &Strew) -> Vec<&'static str> {
    let all = ["a", "b", "c", "d", "x", "y"];
    all.into_iter().filter(|name| strew.membership().is_suspended(&key(name))).collect()
}

/// Everybody was admitted by `x`.
fn star() -> Vec<SignedAct> {
    ["a", "b", "c"].iter().zip(1..).flat_map(|(it, n)| join(&key("x"), &key(it), n)).collect()
}

fn after<const N: usize>(names: [&str; N]) -> BTreeSet<Principal> {
    names.iter().map(|name| key(name)).collect()
}

#[test]
fn others_stay_connected_through_an_evicted_one_and_it_is_out() {
    let (a, x) = (key("a"), key("x"));
    let mut strew = replica(&a, &star());
    strew.merge_record(record(&x, 1, 1, 3));
    strew.merge_record(record(&key("b"), 1, 1, 3));
    let leave = say(&x, 2, Statement::Leave { incarnation: 7 });
    let retire = say(&x, 3, Statement::Retire { subject: key("b"), incarnation: 0 });
    strew.merge_act(retire.clone());
    let (before, held) = (strew.digest(), strew.footprint_of(&x));
    assert_eq!((strew.shown().count(), shared(&strew).len()), (2, 7));
    let ActOutcome::New(changed) = strew.merge_act(evict_at(&strew, 1, &x)) else { panic!() };
    assert_eq!(names(&strew), ["a", "b", "c"]);
    assert!(strew.membership().is_evicted(&x) && !strew.membership().is_suspended(&x));
    // It was a member, and the retirement that it stated ended something.
    assert_eq!(changed, BTreeSet::from([x, key("b")]));
    assert_eq!(strew.membership().seniority(&x), None);
    // Its record takes no room and is not shown; of its acts its admissions are shared, and the eviction is.
    assert!(strew.shown_record(&x).is_none() && strew.record(&x).unwrap().is_stripped());
    assert!(strew.footprint_of(&x) < held);
    assert_eq!(strew.shown().count(), 1);
    assert_eq!(shared(&strew).len(), 7, "and without the retirement");
    assert!(!shared(&strew).contains(&retire.id()) && !strew.shares(&leave));
    assert_ne!(strew.digest(), before);
    // A greater incarnation does not bring it back.
    strew.merge_record(record(&x, 9, 1, 3));
    assert!(strew.shown_record(&x).is_none() && strew.record(&x).unwrap().is_stripped());
    check(&a, &strew);
}

#[test]
fn an_admission_by_a_node_that_had_not_heard_suspends_until_the_operator_lists() {
    let (a, b, d, x) = (key("a"), key("b"), key("d"), key("x"));
    let mut strew = replica(&a, &star());
    let evicted = evict_at(&strew, 1, &x);
    strew.merge_act(evicted);
    // On the other side of the partition `b` lets `d` in, and `d` lets `y` in.
    let unaware: Vec<_> = [join(&b, &d, 9), join(&d, &key("y"), 10)].concat();
    strew.merge_record(record(&d, 1, 1, 2));
    unaware.iter().for_each(|act| _ = strew.merge_act(act.clone()));
    assert_eq!((names(&strew), suspended(&strew)), (vec!["a", "b", "c"], vec!["d", "y"]));
    assert!(strew.membership().departure(&d).is_none());
    assert!(strew.shown_record(&d).is_none());
    assert!(!strew.membership().admission_stands(&unaware[0]));
    // What a member signed is shared; what a suspended one did is not.
    assert!(strew.shares(&unaware[0]) && !strew.shares(&unaware[1]));
    check(&a, &strew);
    // A further statement against the same subject, with both in its list.
    let known: Vec<_> = strew.membership().reached().chain([d]).collect();
    strew.merge_act(evict(2, &x, &known, [&x]));
    assert_eq!((names(&strew), suspended(&strew)), (vec!["a", "b", "c", "d"], vec!["y"]));
    assert!(strew.shown_record(&d).is_some_and(|record| !record.is_stripped()));
    assert!(strew.shares(&unaware[1]));
    check(&a, &strew);
    let first = strew.membership().evicted().map(|(it, act)| (it, act.value().number));
    assert_eq!(first.collect::<Vec<_>>(), [(x, 1)], "what was said first");
}

#[test]
fn an_admission_under_the_successor_names_everybody_who_is_evicted() {
    let (a, b, d) = (key("a"), key("b"), key("d"));
    let mut strew = replica(&a, &star());
    for (number, subject) in [(1, "x"), (2, "c")] {
        let act = evict_at(&strew, number, &key(subject));
        strew.merge_act(act);
    }
    assert_eq!(names(&strew), ["a", "b"]);
    let list = strew.membership().after().unwrap();
    assert!(list.names(&key("x")) && list.names(&key("c")) && !list.names(&b));
    for (names_these, counts) in [(after(["x"]), false), (after(["x", "c"]), true)] {
        let mut strew = strew.clone();
        let act = admit(&b, &d, 5, &names_these);
        strew.merge_act(act.clone());
        assert_eq!(strew.membership().contains(&d), counts, "{names_these:?}");
        assert_eq!(strew.membership().admission_stands(&act), counts);
        assert_eq!(strew.membership().is_suspended(&d), !counts);
    }
    // An evicted one names what it likes.
    for by in ["x", "c"] {
        strew.merge_act(admit(&key(by), &d, 5, &after(["x", "c"])));
    }
    assert!(!strew.membership().contains(&d));
    check(&a, &strew);
}

#[test]
fn a_retirement_by_an_evicted_one_ended_nothing() {
    let (a, b, x) = (key("a"), key("b"), key("x"));
    let whole = record(&b, 3, 1, 3);
    let mut strew = replica(&a, &star());
    strew.merge_record(whole.clone());
    strew.merge_act(say(&x, 9, Statement::Retire { subject: b, incarnation: 3 }));
    assert!(strew.record(&b).unwrap().is_stripped() && strew.shown_record(&b).is_none());
    strew.merge_act(evict_at(&strew, 1, &x));
    assert_eq!(strew.membership().departed(&b, 3), None);
    // The slots are gone. What is left of the record keeps older ones out, and is not shown.
    let key_of = Digest(b.0);
    assert!(strew.shown_record(&b).is_none() && strew.registers_index().get(&key_of).is_none());
    assert!(strew.lacks(Kind::RECORD, &key_of, &whole.id()));
    assert_eq!(strew.merge_record(record(&b, 2, 9, 3)), RecordOutcome::Older);
    assert_eq!(strew.merge_record(whole.stripped().into()), RecordOutcome::Older);
    assert!(strew.shown_record(&b).is_none());
    // A peer or a disk has it whole.
    assert_eq!(strew.merge_record(whole.clone()), RecordOutcome::Newer);
    assert_eq!(strew.shown_record(&b).map(|it| it.slots().len()), Some(3));
    assert_eq!(strew.registers_index().get(&key_of), Some(whole.id()));
    assert!(!strew.lacks(Kind::RECORD, &key_of, &whole.id()));
    assert_eq!(strew.merge_record(whole), RecordOutcome::Known);
    check(&a, &strew);
}

/// A statement by a member, by a stranger, by an evicted one; and in a flock without an operator.
#[test]
fn the_operator_evicts_and_nobody_else() {
    let a = key("a");
    let mut strew = replica(&a, &star());
    for by in ["b", "y", "x"] {
        strew.merge_act(say(&key(by), 5, eviction(&key("c"), &[], &[])));
        assert_eq!((names(&strew).len(), evicted(&strew).len()), (4, 0), "by {by}");
    }
    let real = evict_at(&strew, 1, &key("x"));
    let mut without = Strew::new(a);
    star().iter().chain([&real]).for_each(|act| _ = without.merge_act(act.clone()));
    assert!(names(&without).contains(&"x") && !without.shares(&real));
    // Nor does the operator evict itself.
    strew.merge_act(evict(2, &operator(), &[], &[]));
    assert_eq!((names(&strew).len(), evicted(&strew).len()), (4, 0));
    // It counts in every replica, whoever brought it, also one that has not heard of its subject.
    let mut stranger = replica(&key("y"), []);
    assert!(take(&mut stranger, [&real]));
    assert!(stranger.membership().is_evicted(&key("x")));
    check(&key("y"), &stranger);
}

#[test]
fn an_evicted_node_is_alone_in_its_own_view() {
    let x = key("x");
    let mut strew = replica(&x, &star());
    let mine = record(&x, 1, 1, 3);
    strew.merge_record(mine.clone());
    strew.merge_act(evict_at(&strew, 1, &x));
    assert_eq!(names(&strew), ["x"]);
    assert!(strew.membership().is_evicted(&x) && strew.membership().suspended().next().is_none());
    assert!(!strew.record(&x).unwrap().is_stripped(), "it keeps what it has");
    strew.merge_act(admit(&x, &key("y"), 5, &after(["x"])));
    assert_eq!(names(&strew), ["x"]);
    check(&x, &strew);
}

/// Keys of the evicted that the operator knew stay; they were members to its eyes. What they admit counts under the
/// successor.
#[test]
fn a_listed_key_stays_and_one_that_was_left_out_does_not() {
    let (a, x) = (key("a"), key("x"));
    let mut acts = star();
    acts.extend([join(&x, &key("y"), 5), join(&x, &key("d"), 6)].concat());
    let strew = replica(&a, &acts);
    let known: Vec<_> = strew.membership().reached().filter(|it| *it != key("d")).collect();
    let mut strew = strew;
    strew.merge_act(evict(1, &x, &known, &[]));
    assert_eq!((names(&strew), suspended(&strew)), (vec!["a", "b", "c", "y"], vec!["d"]));
    check(&a, &strew);
}

#[test]
fn two_evictions_on_two_sides_lose_nobody() {
    let (a, b) = (key("a"), key("b"));
    let (mut here, mut there) = (replica(&a, &star()), replica(&b, &star()));
    let (one, two) = (evict_at(&here, 1, &key("x")), evict_at(&there, 1, &key("c")));
    here.merge_act(one.clone());
    there.merge_act(two.clone());
    assert_eq!((names(&here), names(&there)), (vec!["a", "b", "c"], vec!["a", "b", "x"]));
    here.merge_act(two);
    there.merge_act(one);
    assert_eq!((names(&here), names(&there)), (vec!["a", "b"], vec!["a", "b"]));
    assert_eq!(here.digest(), there.digest());
}

#[test]
fn a_replica_from_disk_is_the_same() {
    let (a, x) = (key("a"), key("x"));
    let mut strew = replica(&a, &star());
    for it in ["a", "b", "c", "x"] {
        strew.merge_record(record(&key(it), 1, 1, 2));
    }
    strew.merge_act(say(&x, 9, Statement::Retire { subject: key("c"), incarnation: 1 }));
    let stored: Vec<Fact> = Kind::KNOWN.iter().flat_map(|kind| strew.facts(*kind)).collect();
    strew.merge_act(evict_at(&strew, 1, &x));
    // The disk has the record of the retired one whole.
    let whole = Fact::from(record(&key("c"), 1, 1, 2));
    let act = strew.membership().evicted().map(|(_, act)| Fact::from(act.clone())).next();
    let facts = stored.into_iter().filter(|it| it.key() != whole.key());
    let restored = Strew::restore(a, Some(operator()), facts.chain(act).chain([whole.clone()]));
    strew.merge_fact(whole);
    assert_eq!(restored.digest(), strew.digest());
    assert_eq!(restored.membership(), strew.membership());
    assert_eq!(restored.footprint(), strew.footprint());
}
