use std::collections::BTreeSet;
use std::sync::Arc;

use crux_crdt::Digest;
use crux_crdt::document::{Document, Documents, GENERATION_MAX, Outcome, State};
use crux_crdt::laws::check_merge;
use crux_crdt::merge::Merge;
use proptest::prelude::*;

use crate::model;
use crate::world::*;

/// A history, the same one in another order with repetitions, and how to group the second.
pub(crate) type Rearranged = (Vec<Arc<Document>>, Vec<Arc<Document>>, usize);

pub(crate) fn rearranged(
    items: impl Strategy<Value = Vec<Arc<Document>>>,
) -> impl Strategy<Value = Rearranged> {
    items.prop_flat_map(|items| {
        let again = prop::sample::subsequence(items.clone(), 0..=items.len());
        (Just(items), again, 1..6_usize).prop_flat_map(|(items, again, group)| {
            let other = [items.clone(), again].concat();
            (Just(items), Just(other).prop_shuffle(), Just(group))
        })
    })
}

pub(crate) fn order_does_not_matter(
    (items, other, group): Rearranged,
) -> Result<(), TestCaseError> {
    let expected = view(&set(&items));
    prop_assert_eq!(&view(&set(&other)), &expected);
    let mut grouped = Documents::default();
    for part in other.chunks(group) {
        Merge::merge(&mut grouped, &set(part));
    }
    prop_assert_eq!(&view(&grouped), &expected);
    Ok(())
}

pub(crate) fn is_what_the_definitions_say(items: &[Arc<Document>]) -> Result<(), TestCaseError> {
    prop_assert_eq!(view(&set(items)), model::view(items));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn keeps_the_laws(
        (drafts, cuts, documents) in (
            drafts(),
            prop::array::uniform2(any::<prop::sample::Index>()),
            prop::array::uniform3(0..=6_u32),
        ),
    ) {
        let kept = drafts.into_iter().filter(|draft| !draft.deletes_grant());
        let all: Vec<_> =
            kept.map(|draft| draft.allowing(|user| documents[user]).sign()).collect();
        let mut cuts = cuts.map(|at| at.index(all.len() + 1));
        cuts.sort_unstable();
        let [a, b, c] = [&all[..cuts[0]], &all[cuts[0]..cuts[1]], &all[cuts[1]..]];
        check_merge(&set(a), &set(b), &set(c), view);
    }

    #[test]
    fn order_repetition_and_grouping_do_not_matter(
        many in rearranged(constant()),
        crowded in rearranged(crowded()),
    ) {
        order_does_not_matter(many)?;
        order_does_not_matter(crowded)?;
    }

    #[test]
    fn shows_what_the_definitions_say(many in constant(), crowded in crowded()) {
        is_what_the_definitions_say(&many)?;
        is_what_the_definitions_say(&crowded)?;
    }

    /// Merging reports what happened, and the sums count what is held.
    #[test]
    fn outcomes_and_sums_are_true(drafts in drafts()) {
        let mut set = Documents::default();
        for document in drafts.into_iter().map(Draft::sign) {
            if let Some(grant) = document.grant() {
                merge(&mut set, grant);
            }
            let held = |set: &Documents| set.documents().map(|it| it.id()).collect::<BTreeSet<_>>();
            let before = held(&set);
            let outcome = merge(&mut set, &document);
            let after = held(&set);
            let (had, has) = (before.contains(&document.id()), after.contains(&document.id()));
            let expected = match outcome {
                Outcome::New => (false, true),
                Outcome::Known => (true, true),
                Outcome::Older | Outcome::TooMany => (false, false),
            };
            prop_assert_eq!((had, has), expected);
            prop_assert!(outcome == Outcome::New || before == after);
            if outcome == Outcome::TooMany {
                prop_assert!(!document.is_operators());
            }
            sums_are_true(&set)?;
        }
    }

    /// A user has no more keys than its grant allows, whatever came before.
    #[test]
    fn a_user_is_bounded(drafts in drafts()) {
        let set = set(&drafts.into_iter().map(Draft::sign).collect::<Vec<_>>());
        for n in 0..USERS {
            let own = |it: &&Arc<Document>| it.signer() == principal(n);
            let keys: BTreeSet<_> = set.documents().filter(own).map(|it| it.key()).collect();
            let most = set.grant_of(&principal(n)).and_then(|it| it.granted());
            prop_assert!(keys.len() <= most.map_or(0, |it| it.documents as usize));
            for key in keys {
                prop_assert!(set.get(key).unwrap().documents().filter(own).count() <= 2);
            }
        }
    }

    /// Packing changes nothing, and nor does restoring what a disk has, whatever the order there.
    #[test]
    fn a_restored_set_is_the_same(drafts in drafts()) {
        let mut all = set(&drafts.into_iter().map(Draft::sign).collect::<Vec<_>>());
        let expected = view(&all);
        let mut held: Vec<_> = all.documents().cloned().collect();
        held.reverse();
        let mut restored = restored(held);
        prop_assert_eq!(view(restored.documents()), expected.clone());
        prop_assert_eq!(restored.documents().footprint(), all.footprint());
        prop_assert!(restored.take_gone().is_empty());
        all.pack();
        prop_assert_eq!(view(&all), expected);
    }

    /// A disk that follows outcomes, displaced and enclosed documents has what is held.
    #[test]
    fn a_disk_can_follow(drafts in drafts()) {
        let (mut set, mut disk) = (Documents::default(), BTreeSet::<(Digest, crux_crdt::Principal)>::new());
        for document in drafts.into_iter().map(Draft::sign) {
            let outcome = merge(&mut set, &document);
            let enclosed = set.take_enclosed();
            let new = enclosed.iter().chain((outcome == Outcome::New).then_some(&document));
            disk.extend(new.map(|it| (it.key().digest(), it.signer())));
            for gone in set.take_displaced() {
                disk.remove(&gone);
            }
            let held: BTreeSet<_> =
                set.documents().map(|it| (it.key().digest(), it.signer())).collect();
            prop_assert_eq!(&disk, &held);
        }
    }
}

fn sums_are_true(set: &Documents) -> Result<(), TestCaseError> {
    let authors: BTreeSet<_> = set.documents().map(|it| it.signer()).collect();
    prop_assert_eq!(set.bytes(), set.documents().map(|it| it.sealed().len()).sum::<usize>());
    prop_assert_eq!(set.footprint(), set.documents().map(|it| it.footprint()).sum::<usize>());
    let of_all = authors.iter().map(|author| set.footprint_of(author)).sum::<usize>();
    prop_assert_eq!(set.footprint(), of_all);
    prop_assert_eq!(set.len(), set.index().len());
    for shelf in set.shelves() {
        prop_assert_eq!(set.index().get(&shelf.key().digest()), Some(shelf.digest()));
    }
    let versions = set.documents().filter(|it| it.is_operators()).map(|it| it.grants_version());
    prop_assert_eq!(set.grants_version(), versions.max().unwrap_or_default());
    Ok(())
}

/// Three documents of which two bounds take one each: with two documents of *all* authors it would depend on the
/// order which are left.
#[test]
fn a_third_document_is_there_once_the_bound_takes_another() {
    let keys = {
        let mut keys: Vec<_> = (0..3).map(key_of).collect();
        keys.sort_by_key(crux_crdt::document::Key::digest);
        keys
    };
    let grants: Vec<_> = (0..3).map(|n| grant(n, 1, 1, &granted(n, 1, &["rules"]))).collect();
    // All three write the greatest key; then two of them a smaller one, which takes its place.
    let great: Vec<_> =
        (0..3).map(|n| users(n, &keys[2], 4 - n as u64, Some(b"great"), &grants[n])).collect();
    let small: Vec<_> = (0..2).map(|n| users(n, &keys[n], 1, Some(b"small"), &grants[n])).collect();
    let all: Vec<_> = great.iter().chain(&small).cloned().collect();
    let orders = [[0, 1, 2, 3, 4], [3, 4, 2, 1, 0], [0, 3, 1, 4, 2], [2, 0, 3, 1, 4]];
    for order in orders {
        let set = set(order.map(|at: usize| &all[at]));
        let shelf = set.get(&keys[2]).unwrap();
        assert_eq!((shelf.winner(), shelf.rival()), (&great[2], None));
        assert_eq!(set.len(), 3 + 3);
    }
}

/// A user that writes the greatest generation twice makes no conflict, and the operator's next write applies.
#[test]
fn the_greatest_generation_has_no_rival() {
    let grant = grant(0, 1, 1, &granted(0, 9, &["rules"]));
    let one = users(0, &key_of(0), GENERATION_MAX, Some(b"1"), &grant);
    let two = users(0, &key_of(0), GENERATION_MAX, Some(b"2"), &grant);
    let mut set = set([&one, &two]);
    let shelf = set.get(&key_of(0)).unwrap();
    assert_eq!((set.state(shelf), shelf.rival()), (State::Current, None));
    assert_eq!(shelf.next_generation(), GENERATION_MAX);
    let end = own(&key_of(0), 2, GENERATION_MAX, Some(b"end"));
    assert_eq!(set.may_add(&end), Ok(()));
    assert_eq!(merge(&mut set, &end), Outcome::New);
    let shelf = set.get(&key_of(0)).unwrap();
    assert_eq!((shelf.winner(), shelf.rival(), set.state(shelf)), (&end, None, State::Current));
}

/// A write of a user on the other side of a partition, while the user was revoked here, is shown as the rival.
#[test]
fn a_write_that_loses_to_a_revocation_is_the_rival() {
    let before = grant(0, 1, 1, &granted(0, 9, &["rules"]));
    let first = users(0, &key_of(0), 1, Some(b"first"), &before);
    let meanwhile = users(0, &key_of(0), 2, Some(b"meanwhile"), &before);
    let mut revoked = granted(0, 9, &["rules"]);
    revoked.revoked = true;
    let revoked = grant(0, 2, 2, &revoked);
    let again = own(&key_of(0), 2, 2, Some(b"first"));
    let all = set([&meanwhile, &again, &revoked, &first]);
    let shelf = all.get(&key_of(0)).unwrap();
    assert_eq!((shelf.winner(), shelf.rival()), (&again, Some(&meanwhile)));
    assert_eq!(all.state(shelf), State::Conflict);
    assert!(!all.counts(&meanwhile));
    let void = set([&meanwhile, &revoked]);
    assert_eq!(void.state(void.get(&key_of(0)).unwrap()), State::Void);
}
