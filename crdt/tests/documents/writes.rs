use std::sync::Arc;

use crux_crdt::document::{
    BYTES_MAX, CONTENT_MAX, DOCUMENTS_MAX, Document, Documents, GENERATION_MAX, Key, Limit,
    Outcome, Refused, Shelf, State,
};
use proptest::prelude::*;

use crate::world::*;

fn conflict(key: &Key, generation: u64, grants_version: u64) -> Refused {
    Refused::Conflict { key: key.clone(), generation, grants_version }
}

fn limit(what: Limit, most: usize) -> Refused {
    Refused::Limit { what, most }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// A write that is taken wins, counts, and ends a conflict; and it is new, unless it is written already. One that is
    /// written, wins and counts is always taken.
    #[test]
    fn a_write_that_is_taken_wins(drafts in drafts()) {
        let all: Vec<_> = drafts.into_iter().map(Draft::sign).collect();
        let (before, writes) = all.split_at(all.len() / 2);
        let mut set = set(before);
        set.take_displaced();
        for document in writes {
            let is_there = set.get(document.key()).is_some_and(|shelf| shelf.has(document));
            let had = view(&set);
            match set.may_add(document) {
                Ok(()) if is_there => {
                    prop_assert_eq!(merge(&mut set, document), Outcome::Known);
                    prop_assert_eq!(view(&set), had);
                }
                Ok(()) => {
                    prop_assert_eq!(merge(&mut set, document), Outcome::New);
                    prop_assert!(set.take_displaced().is_empty() || document.key().is_grant());
                    let shelf = set.get(document.key()).unwrap();
                    prop_assert_eq!(shelf.winner(), document);
                    let expected = if document.is_deleted() { State::Deleted } else { State::Current };
                    prop_assert_eq!(set.state(shelf), expected);
                }
                Err(why) => {
                    let is_settled = is_there && set.get(document.key()).is_some_and(|shelf| {
                        let counts = matches!(set.state(shelf), State::Current | State::Deleted);
                        counts && shelf.rival().is_none() && shelf.winner() == document
                    });
                    prop_assert!(!is_settled, "{why:?}");
                }
            }
        }
    }

    /// The basis that a signer is shown leads to a write that is taken.
    #[test]
    fn a_write_on_what_is_shown_is_taken(drafts in drafts(), at in 0..KEYS) {
        let set = set(&drafts.into_iter().map(Draft::sign).collect::<Vec<_>>());
        let shelf = set.get(&key_of(at));
        let generation = shelf.map_or(1, Shelf::next_generation);
        let winner = shelf.map_or(0, |shelf| shelf.winner().grants_version());
        let version = set.grants_version().max(winner);
        let version = version + u64::from(generation == GENERATION_MAX);
        prop_assert_eq!(set.may_add(&own(&key_of(at), version, generation, Some(b"next"))), Ok(()));
    }
}

#[test]
fn a_write_that_missed_one_is_refused() {
    let mut set = set([&own(&key_of(0), 2, 3, Some(b"a"))]);
    let seen = |version, generation| own(&key_of(0), version, generation, Some(b"b"));
    for (version, generation) in [(2, 3), (2, 2), (1, 4), (3, 3), (0, 9)] {
        let refused = set.may_add(&seen(version, generation));
        assert_eq!(refused, Err(conflict(&key_of(0), 4, 2)), "{version} {generation}");
    }
    // A rival counts as well.
    merge(&mut set, &seen(1, 7));
    assert_eq!(set.may_add(&seen(2, 7)), Err(conflict(&key_of(0), 8, 2)));
    assert_eq!(set.may_add(&seen(2, 8)), Ok(()));
    // The same again: the answer may have been lost.
    assert_eq!(merge(&mut set, &seen(2, 8)), Outcome::New);
    assert_eq!(set.may_add(&seen(2, 8)), Ok(()));
    // An old copy of the operator's, under a key that is not there.
    let other = own(&key_of(1), 1, 1, Some(b"a"));
    assert_eq!(set.may_add(&other), Err(conflict(&key_of(1), 1, 2)));
    // Nothing is left but a greater version.
    merge(&mut set, &seen(2, GENERATION_MAX));
    let last = own(&key_of(0), 3, GENERATION_MAX, Some(b"c"));
    assert_eq!(set.may_add(&last), Ok(()));
    let early = set.may_add(&own(&key_of(0), 2, GENERATION_MAX - 1, Some(b"c")));
    assert_eq!(early, Err(conflict(&key_of(0), GENERATION_MAX, 3)));
}

#[test]
fn a_write_that_would_not_count_is_refused() {
    let first = grant(0, 1, 1, &granted(0, 9, &["rules"]));
    let write = |grant: &Arc<Document>| users(0, &key_of(0), 1, Some(b"x"), grant);
    let refused = Err(Refused::NotGranted(key_of(0)));
    // The grant comes along.
    assert_eq!(set([]).may_add(&write(&first)), Ok(()));
    assert_eq!(set([&first]).may_add(&write(&first)), Ok(()));
    // The operator wrote under a greater version since, and did not sign this grant again.
    let newer = set([&first, &own(&key_of(1), 2, 1, Some(b"x"))]);
    assert_eq!(newer.may_add(&write(&first)), refused);
    let second = grant(0, 2, 2, &granted(0, 9, &["rules"]));
    assert_eq!(newer.may_add(&write(&second)), Ok(()));
    let mut revoked = granted(0, 9, &["rules"]);
    revoked.revoked = true;
    let revoked = set([&grant(0, 1, 2, &revoked)]);
    assert_eq!(revoked.may_add(&write(&first)), refused);
    let deleted = set([&own(&Key::grant(&principal(0)), 1, 2, None)]);
    assert_eq!(deleted.may_add(&write(&first)), refused);
    let other = set([&grant(0, 1, 2, &granted(0, 9, &["hordes"]))]);
    assert_eq!(other.may_add(&write(&first)), refused);
}

/// Seed 6546 of `documents`: somebody whose grant was revoked repeated a write, and was told that it is done.
#[test]
fn a_write_that_is_held_and_does_not_count_is_refused() {
    let grant_of = grant(0, 1, 1, &granted(0, 9, &["rules"]));
    let write = users(0, &key_of(0), 1, Some(b"x"), &grant_of);
    let mut held = set([&write]);
    assert_eq!(held.may_add(&write), Ok(()));
    let mut revoked = granted(0, 9, &["rules"]);
    revoked.revoked = true;
    merge(&mut held, &grant(0, 1, 2, &revoked));
    assert_eq!(held.may_add(&write), Err(Refused::NotGranted(key_of(0))));
}

#[test]
fn a_write_that_is_held_and_lost_or_has_a_rival_is_refused() {
    let write = own(&key_of(0), 2, 3, Some(b"a"));
    let mut overwritten = set([&write]);
    merge(&mut overwritten, &own(&key_of(0), 2, 4, Some(b"b")));
    assert_eq!(overwritten.may_add(&write), Err(conflict(&key_of(0), 5, 2)));
    let grant_of = grant(0, 2, 1, &granted(0, 9, &["rules"]));
    let contested = set([&write, &users(0, &key_of(0), 3, Some(b"x"), &grant_of)]);
    assert_eq!(contested.may_add(&write), Err(conflict(&key_of(0), 4, 2)));
}

#[test]
fn a_user_has_as_many_documents_as_its_grant_says() {
    let two = grant(0, 1, 1, &granted(0, 2, &["rules"]));
    let write = |n: usize, generation| users(0, &key_of(n), generation, None, &two);
    let full = set([&write(0, 1), &write(1, 1)]);
    assert_eq!(full.may_add(&write(0, 2)), Ok(()), "a deleted one is written again");
    for n in 2..KEYS {
        assert_eq!(full.may_add(&write(n, 1)), Err(limit(Limit::OfUser, 2)));
    }
    // A grant that comes along and allows less: what is written would be dropped.
    let one = grant(0, 1, 2, &granted(0, 1, &["rules"]));
    let less = users(0, &key_of(0), 2, None, &one);
    assert_eq!(full.may_add(&less), Err(limit(Limit::OfUser, 1)));
    let none = grant(0, 1, 1, &granted(0, 0, &["rules"]));
    let none = users(0, &key_of(0), 1, None, &none);
    assert_eq!(set([]).may_add(&none), Err(limit(Limit::OfUser, 0)));
    // The operator is not counted.
    assert_eq!(full.may_add(&own(&key_of(5), 1, 1, None)), Ok(()));
}

#[test]
fn all_grants_together_are_bounded() {
    let half = u32::try_from(DOCUMENTS_MAX / 2).unwrap();
    let of =
        |n: usize, version, documents| grant(n, 1, version, &granted(n, documents, &["rules"]));
    let mut all = set([&of(0, 1, half), &of(1, 1, half)]);
    assert_eq!(all.may_add(&of(2, 1, 1)), Err(limit(Limit::Granted, DOCUMENTS_MAX)));
    assert_eq!(all.may_add(&of(1, 2, half + 1)), Err(limit(Limit::Granted, DOCUMENTS_MAX)));
    assert_eq!(all.may_add(&of(2, 1, 0)), Ok(()));
    assert_eq!(all.may_add(&of(1, 2, half - 1)), Ok(()));
    merge(&mut all, &of(1, 2, half - 1));
    assert_eq!(all.may_add(&of(2, 1, 1)), Ok(()));
    // Over it, by what two nodes took, less is taken, and as much.
    merge(&mut all, &of(2, 1, half));
    assert_eq!(all.may_add(&of(2, 2, half)), Ok(()));
    assert_eq!(all.may_add(&of(2, 2, 1)), Ok(()));
}

#[test]
fn a_name_is_that_of_one_user_and_a_user_has_one_name() {
    let named = |n: usize, generation, name: &str, revoked| {
        let name = name.parse().unwrap();
        let granted = crux_crdt::document::Grant { name, revoked, ..granted(n, 1, &["rules"]) };
        grant(n, 1, generation, &granted)
    };
    let mut set = set([&named(0, 1, "alice", false)]);
    let taken =
        Refused::NameTaken { name: "alice".parse().unwrap(), key: Key::grant(&principal(0)) };
    assert_eq!(set.may_add(&named(1, 1, "alice", false)), Err(taken));
    assert_eq!(set.may_add(&named(1, 1, "bob", false)), Ok(()));
    let other = Refused::KeyTaken("alice".parse().unwrap());
    assert_eq!(set.may_add(&named(0, 2, "bob", false)), Err(other));
    assert_eq!(set.may_add(&named(0, 2, "alice", false)), Ok(()));
    assert_eq!(set.may_add(&named(0, 2, "alice", true)), Ok(()));
    merge(&mut set, &named(0, 2, "alice", true));
    assert_eq!(set.may_add(&named(1, 1, "alice", false)), Ok(()), "a revoked user frees its name");
    assert_eq!(set.may_add(&named(0, 3, "bob", false)), Ok(()));
}

#[test]
fn writes_at_once_are_taken_one_after_the_other() {
    let set = set([]);
    let grant = grant(0, 1, 1, &granted(0, 1, &["rules"]));
    let write = |n: usize, generation| users(0, &key_of(n), generation, None, &grant);
    assert_eq!(set.may_add_all(&[]), Ok(()));
    assert_eq!(set.may_add_all(&[grant.clone(), write(0, 1), write(0, 2)]), Ok(()));
    let over = Err((2, limit(Limit::OfUser, 1)));
    assert_eq!(set.may_add_all(&[grant.clone(), write(0, 1), write(1, 1)]), over);
    let twice = Err((1, conflict(&key_of(0), 3, 1)));
    assert_eq!(set.may_add_all(&[write(0, 2), write(0, 1)]), twice);
    let none = crate::world::grant(0, 1, 1, &granted(0, 0, &["rules"]));
    let one = users(0, &key_of(0), 1, None, &none);
    assert_eq!(set.may_add_all(&[one]), Err((0, limit(Limit::OfUser, 0))));
    assert!(set.is_empty());
}

#[test]
fn there_are_so_many_keys_and_no_more() {
    let mut all = Documents::default();
    for n in 0..DOCUMENTS_MAX {
        let document = own(&key(&format!("rule/{n}")), 1, 1, None);
        assert_eq!(all.merge(document), Outcome::New);
    }
    let grant = grant(0, 1, 1, &granted(0, 9, &["rules"]));
    let keys = Err(limit(Limit::Keys, DOCUMENTS_MAX));
    assert_eq!(all.may_add(&own(&key("rule/x"), 1, 1, None)), keys);
    assert_eq!(all.may_add(&grant), keys);
    assert_eq!(all.may_add(&own(&key("rule/1"), 1, 2, None)), Ok(()));
    // The grant that comes along is one more.
    assert_eq!(all.may_add(&users(0, &key("rule/1"), 2, None, &grant)), keys);
    merge(&mut all, &grant);
    assert_eq!(all.may_add(&users(0, &key("rule/1"), 2, None, &grant)), Ok(()));
    assert_eq!(all.len(), DOCUMENTS_MAX + 1, "a merge refuses none");
}

#[test]
fn there_are_so_many_bytes_and_no_more() {
    let mut all = Documents::default();
    let large = vec![7; CONTENT_MAX];
    let envelope = own(&key("rule/0000"), 1, 1, Some(&[])).bytes();
    for n in 0..BYTES_MAX / (CONTENT_MAX + envelope) {
        merge(&mut all, &own(&key(&format!("rule/{n:0>4}")), 1, 1, Some(&large)));
    }
    let left = BYTES_MAX - all.bytes() - envelope;
    let fits = own(&key("rule/last"), 1, 1, Some(&large[..left]));
    let bytes = Err(limit(Limit::Bytes, BYTES_MAX));
    assert_eq!(all.may_add(&own(&key("rule/last"), 1, 1, Some(&large[..left + 1]))), bytes);
    assert_eq!(all.may_add(&fits), Ok(()));
    merge(&mut all, &fits);
    assert_eq!(all.bytes(), BYTES_MAX);
    assert_eq!(all.may_add(&own(&key("rule/last"), 1, 2, Some(&large[..left + 1]))), bytes);
    assert_eq!(all.may_add(&own(&key("rule/0000"), 1, 2, Some(&large))), Ok(()));
    assert_eq!(all.may_add(&own(&key("rule/0000"), 1, 2, None)), Ok(()));
    // A merge takes more, and then what makes it less.
    merge(&mut all, &own(&key("rule/more"), 1, 1, Some(&large)));
    assert!(all.bytes() > BYTES_MAX);
    assert_eq!(all.may_add(&own(&key("rule/more"), 1, 2, None)), Ok(()));
}
