use crux_crdt::Digest;
use crux_crdt::document::{Documents, Key};
use crux_crdt::strew::Bounds;
use proptest::prelude::*;

use crate::world::*;

/// Takes from another replica all that is under the keys whose values differ, as anti-entropy does.
fn take(mine: &mut Documents, theirs: &Documents) {
    let differs = |(key, value): &(Digest, Digest)| mine.index().get(key) != Some(*value);
    let keys: Vec<_> = theirs.index().items(Bounds::ALL).filter(differs).collect();
    for (key, _) in keys {
        let documents: Vec<_> = theirs.shelf(&key).unwrap().documents().cloned().collect();
        documents.iter().for_each(|document| _ = merge(mine, document));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// The operator changes how many documents users may have: in each order of arrival, replicas agree once they
    /// compared. The first exchange may meet an old number.
    #[test]
    fn replicas_with_changed_numbers_agree(
        drafts in drafts(),
        sides in prop::collection::vec(0..3_u8, 18),
    ) {
        let all: Vec<_> = drafts.into_iter().map(Draft::sign).collect();
        let side = |of: u8| {
            let here = all.iter().zip(&sides).filter(move |(_, side)| **side != of);
            set(here.map(|(document, _)| document))
        };
        let (mut one, mut other) = (side(0), side(1));
        for _ in 0..2 {
            let before = one.clone();
            take(&mut one, &other);
            take(&mut other, &before);
        }
        prop_assert_eq!(view(&one), view(&other));
        let (here, there) = (one.clone(), other.clone());
        take(&mut one, &there);
        take(&mut other, &here);
        prop_assert_eq!(view(&one), view(&here), "nothing is left to exchange");
        prop_assert_eq!(view(&other), view(&here));
    }
}

#[test]
fn what_was_dropped_comes_back_once_more_is_allowed() {
    let mut keys: Vec<_> = (0..4).map(key_of).collect();
    keys.sort_by_key(Key::digest);
    let few = grant(0, 1, 1, &granted(0, 1, &["rules"]));
    let many = grant(0, 1, 2, &granted(0, 4, &["rules"]));
    let all: Vec<_> = keys.iter().map(|key| users(0, key, 1, Some(b"x"), &few)).collect();
    let mut first = set(&all);
    let mut second = set([&many]);
    all.iter().for_each(|document| _ = merge(&mut second, document));
    assert_eq!((first.len(), second.len()), (2, 5), "the grant and what it allows");
    assert_eq!(first.take_displaced(), []);
    take(&mut first, &second);
    take(&mut first, &second);
    assert_eq!(view(&first), view(&second));
    // And back: everybody drops the same.
    let none = grant(0, 2, 3, &granted(0, 2, &["rules"]));
    merge(&mut first, &none);
    merge(&mut second, &none);
    assert_eq!(view(&first), view(&second));
    let gone: Vec<_> = keys[2..].iter().map(|key| (key.digest(), principal(0))).collect();
    assert_eq!(first.take_displaced(), gone);
    // A deleted grant allows none.
    let deleted = own(&Key::grant(&principal(0)), 3, 4, None);
    merge(&mut first, &deleted);
    assert_eq!(first.len(), 1);
    assert_eq!(first.take_displaced().len(), 2);
}

/// A caller that asks late is not told to delete what is held again.
#[test]
fn what_comes_back_is_not_displaced() {
    let two = grant(0, 1, 1, &granted(0, 2, &["rules"]));
    let [one, other] = [0, 1].map(|n| users(0, &key_of(n), 1, Some(b"x"), &two));
    let mut all = set([&one, &other]);
    merge(&mut all, &grant(0, 1, 2, &granted(0, 0, &["rules"])));
    assert_eq!(all.len(), 1);
    merge(&mut all, &grant(0, 1, 3, &granted(0, 2, &["rules"])));
    merge(&mut all, &one);
    assert_eq!(all.take_displaced(), [(other.key().digest(), principal(0))]);
}
