use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::act::Statement;
use crux_crdt::laws::check_merge;
use crux_crdt::merge::Merge;
use crux_crdt::strew::{ActOutcome, RecordOutcome};
use crux_crdt::{Digest, Principal};
use proptest::prelude::*;

use crate::flock::*;

/// The principals reachable from `me` over admissions: the definition of membership, computed the
/// slow way.
fn reachable(me: Principal, items: &[Item]) -> BTreeSet<Principal> {
    let mut members = BTreeSet::from([me]);
    loop {
        let before = members.len();
        for item in items {
            if let Item::Act(act) = item
                && let Statement::Admit { subject, .. } = act.value().statement
                && members.contains(&act.author())
            {
                members.insert(subject);
            }
        }
        if members.len() == before {
            return members;
        }
    }
}

/// The greatest incarnation of each principal that a member's act ended.
fn ended(members: &BTreeSet<Principal>, items: &[Item]) -> BTreeMap<Principal, u64> {
    let mut ended: BTreeMap<Principal, u64> = BTreeMap::new();
    for item in items {
        let Item::Act(act) = item else { continue };
        let (who, incarnation) = match act.value().statement {
            Statement::Leave { incarnation } => (act.author(), incarnation),
            Statement::Retire { subject, incarnation } => (subject, incarnation),
            Statement::Admit { .. } | Statement::Evict { .. } | Statement::Later(_) => continue,
        };
        if members.contains(&act.author()) {
            let known = ended.entry(who).or_insert(incarnation);
            *known = incarnation.max(*known);
        }
    }
    ended
}

/// What is shown, computed the slow way.
fn shown(me: Principal, items: &[Item]) -> Vec<Digest> {
    let members = reachable(me, items);
    let ended = ended(&members, items);
    let mut newest = BTreeMap::new();
    for item in items {
        if let Item::Record(record) = item {
            let known = newest.entry(record.author()).or_insert_with(|| record.clone());
            if record.total() > known.total() {
                *known = record.clone();
            }
        }
    }
    newest
        .into_iter()
        .filter(|(author, record)| {
            let departed = ended.get(author).is_some_and(|at| record.marker().incarnation <= *at);
            members.contains(author) && !departed
        })
        .map(|(_, record)| record.id())
        .collect()
}

/// A history, the same one in another order with repetitions, and where to cut the second.
fn rearranged() -> impl Strategy<Value = (Vec<Item>, Vec<Item>, usize)> {
    histories().prop_flat_map(|items| {
        let again = prop::sample::subsequence(items.clone(), 0..=items.len());
        (Just(items), again, 1..8_usize).prop_flat_map(|(items, again, batch)| {
            let other = [items.clone(), again].concat();
            (Just(items), Just(other).prop_shuffle(), Just(batch))
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn keeps_the_laws(a in histories(), b in histories(), c in histories()) {
        check_merge(&replica(0, &a), &replica(0, &b), &replica(0, &c), view);
    }

    #[test]
    fn order_repetition_and_batching_do_not_matter((items, other, batch) in rearranged()) {
        let expected = view(&replica(0, &items));
        prop_assert_eq!(&view(&replica(0, &other)), &expected);
        let mut batched = replica(0, []);
        for part in other.chunks(batch) {
            batched.merge(&replica(0, part));
        }
        prop_assert_eq!(&view(&batched), &expected);
    }

    #[test]
    fn shows_what_the_rules_say(items in histories()) {
        let strew = replica(0, &items);
        prop_assert_eq!(view(&strew).shown, shown(principal(0), &items));
        let members: BTreeSet<_> = strew.membership().members().collect();
        prop_assert_eq!(members, reachable(principal(0), &items));
    }

    /// With admissions both ways, whose replica it is makes no difference to what is compared.
    #[test]
    fn members_agree(
        items in histories(),
        generations in prop::array::uniform8(prop_oneof![any::<u64>(), Just(u64::MAX)]),
    ) {
        let joins = (1..NODES_MAX).flat_map(|n| {
            let [mine, theirs] = [generations[n - 1], generations[n + 3]];
            [admit(0, n, mine), admit(n, 0, theirs)]
        });
        let items: Vec<_> = items.into_iter().chain(joins).collect();
        let replicas: Vec<_> = (0..NODES_MAX).map(|me| view(&replica(me, &items))).collect();
        for other in &replicas[1..] {
            prop_assert_eq!(other, &replicas[0]);
        }
    }

    /// What merging reports is what happened.
    #[test]
    fn outcomes_are_true(items in histories()) {
        let mut strew = replica(0, []);
        for item in &items {
            let before = view(&strew);
            let reported = match item {
                Item::Act(act) => matches!(strew.merge_act(act.clone()), ActOutcome::New(_)),
                Item::Record(record) => {
                    let outcome = strew.merge_record(record.clone());
                    if outcome == RecordOutcome::Known {
                        prop_assert!(before.digest == strew.digest());
                    }
                    outcome.is_change()
                }
            };
            prop_assert_eq!(reported, before != view(&strew));
        }
    }
}
