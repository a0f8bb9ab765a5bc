//! Any acts in any order: evictions and admissions that no honest flock would write, and records.

use std::collections::BTreeSet;
use std::sync::Arc;

use crux_crdt::act::{After, Statement};
use crux_crdt::canon::Canonical as _;
use crux_crdt::fact::{Fact, Kind};
use crux_crdt::laws::check_merge;
use crux_crdt::merge::Merge as _;
use crux_crdt::record::Record;
use crux_crdt::strew::{Bounds, Strew};
use crux_crdt::{Digest, Principal};
use proptest::prelude::*;
use proptest::sample::subsequence;

use crate::rule;
use crate::world::*;

/// The observer is the first one, and the last one is the operator.
const KEYS: [&str; 6] = ["a", "b", "c", "d", "e", "operator"];

fn keys() -> Vec<Principal> {
    KEYS.map(key).to_vec()
}

fn one() -> impl Strategy<Value = Principal> {
    prop::sample::select(keys())
}

fn some(least: usize) -> impl Strategy<Value = Vec<Principal>> {
    subsequence(keys(), least..=KEYS.len())
}

fn statements() -> impl Strategy<Value = Statement> {
    let admit = (one(), 0..4_u64, some(0)).prop_map(|(subject, generation, after)| {
        Statement::Admit { subject, generation, after: After::of(&after).unwrap() }
    });
    let plain = (one(), 0..4_u64).prop_map(|(subject, it)| Statement::admit(subject, it));
    let evict = (one(), some(0), some(0))
        .prop_map(|(subject, known, after)| eviction(&subject, &known, &after));
    prop_oneof![
        4 => plain,
        3 => admit,
        1 => evict,
        1 => (0..4_u64).prop_map(|incarnation| Statement::Leave { incarnation }),
        2 => (one(), 0..4_u64)
            .prop_map(|(subject, incarnation)| Statement::Retire { subject, incarnation }),
        1 => any::<u8>().prop_map(|byte| Statement::from_canonical(&[9, byte]).unwrap()),
    ]
}

/// Lists are long, as those of an operator are.
fn evictions() -> impl Strategy<Value = SignedAct> {
    (1..4_u64, one(), some(3), some(0))
        .prop_map(|(number, subject, known, after)| evict(number, &subject, &known, &after))
}

fn acts() -> impl Strategy<Value = Vec<SignedAct>> {
    let said = (one(), 1..3_u64, statements())
        .prop_map(|(author, number, statement)| say(&author, number, statement));
    let operators = prop::collection::vec(evictions(), 0..4);
    (prop::collection::vec(said, 0..16), operators)
        .prop_map(|(said, operators)| [said, operators].concat())
        .prop_shuffle()
}

fn records() -> impl Strategy<Value = Vec<Arc<Record>>> {
    let one = (one(), 0..4_u64, 0..3_u64, 0..3_u8)
        .prop_map(|(author, incarnation, seq, slots)| record(&author, incarnation, seq, slots));
    prop::collection::vec(one, 0..8)
}

fn histories() -> impl Strategy<Value = Vec<Fact>> {
    (acts(), records())
        .prop_map(|(acts, records)| {
            acts.into_iter().map(Fact::from).chain(records.into_iter().map(Fact::from)).collect()
        })
        .prop_shuffle()
}

fn me() -> Principal {
    key(KEYS[0])
}

fn merged(facts: &[Fact]) -> Strew {
    let mut strew = replica(&me(), []);
    facts.iter().for_each(|fact| _ = strew.merge_fact(fact.clone()));
    strew
}

/// A peer that has the records whole sends those that are lacking, as it does when indexes differ.
fn completed(mut strew: Strew, facts: &[Fact]) -> Strew {
    for fact in facts.iter().filter(|it| it.kind() == Kind::RECORD) {
        if strew.lacks(Kind::RECORD, &fact.key(), &fact.id()) {
            strew.merge_fact(fact.clone());
        }
    }
    strew
}

/// All that a replica holds and shows.
#[derive(Debug, PartialEq)]
struct View {
    said: rule::View,
    digest: Digest,
    indexes: [Vec<(Digest, Digest)>; 2],
    shown: Vec<(Digest, bool)>,
    held: Vec<(Digest, bool)>,
    acts: Vec<Digest>,
    footprints: Vec<usize>,
    membership: crux_crdt::strew::Membership,
}

fn view(strew: &Strew) -> View {
    let indexes = [strew.registers_index(), strew.acts_index()];
    let of = |record: &Arc<Record>| (record.id(), record.is_stripped());
    View {
        said: rule::said(strew),
        digest: strew.digest(),
        indexes: indexes.map(|index| index.items(Bounds::ALL).collect()),
        shown: strew.shown().map(of).collect(),
        held: strew.records().map(of).collect(),
        acts: strew.acts().map(|act| act.id()).collect(),
        footprints: keys().iter().map(|it| strew.footprint_of(it)).collect(),
        membership: strew.membership().clone(),
    }
}

/// A history, and the same one in another order with repetitions.
fn rearranged() -> impl Strategy<Value = (Vec<Fact>, Vec<Fact>, usize)> {
    histories().prop_flat_map(|facts| {
        let again = subsequence(facts.clone(), 0..=facts.len());
        (Just(facts), again, 1..8_usize).prop_flat_map(|(facts, again, batch)| {
            let other = [facts.clone(), again].concat();
            (Just(facts), Just(other).prop_shuffle(), Just(batch))
        })
    })
}

/// The records that are shown, by the definitions.
fn shown(facts: &[Fact]) -> BTreeSet<Digest> {
    let strew = merged(facts);
    let newest = |of: &Principal| {
        let records = facts.iter().filter_map(|fact| match fact {
            Fact::Record(record) if record.author() == *of => Some(record),
            _ => None,
        });
        records.max_by_key(|record| record.total())
    };
    let members = members(&strew);
    let records = members.iter().filter_map(newest).filter(|record| {
        let departure = strew.membership().departure(&record.author());
        departure.is_none_or(|it| record.marker().incarnation > it.incarnation)
    });
    records.map(|record| record.id()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(768))]

    /// After every act, what was kept step by step is what the definitions say, and what comes of the same acts in
    /// another order.
    #[test]
    fn after_every_act_it_is_as_from_nothing(acts in acts()) {
        let mut strew = replica(&me(), []);
        for (at, act) in acts.iter().enumerate() {
            let before = rule::said(&strew);
            let outcome = strew.merge_act(act.clone());
            rule::check(&me(), &strew);
            let backwards = replica(&me(), acts[..=at].iter().rev());
            prop_assert_eq!(strew.membership(), backwards.membership());
            prop_assert_eq!(shared(&strew), shared(&backwards));
            // Whatever changed for somebody is reported.
            if let crux_crdt::strew::ActOutcome::New(changed) = outcome {
                let after = rule::said(&strew);
                for it in keys() {
                    prop_assert!(changed.contains(&it) || before.of(&it) == after.of(&it));
                }
            }
        }
    }

    #[test]
    fn order_repetition_and_batching_do_not_matter((facts, other, batch) in rearranged()) {
        let expected = view(&completed(merged(&facts), &facts));
        prop_assert_eq!(&view(&completed(merged(&other), &facts)), &expected);
        let mut batched = merged(&[]);
        for part in other.chunks(batch) {
            batched.merge(&merged(part));
        }
        prop_assert_eq!(&view(&completed(batched, &facts)), &expected);
        let restored = Strew::restore(me(), Some(operator()), other);
        prop_assert_eq!(&view(&completed(restored, &facts)), &expected);
    }

    #[test]
    fn keeps_the_laws(a in acts(), b in acts(), c in acts()) {
        let of = |acts: &Vec<SignedAct>| replica(&me(), acts);
        check_merge(&of(&a), &of(&b), &of(&c), view);
    }

    #[test]
    fn shows_what_the_rules_say(facts in histories()) {
        let strew = completed(merged(&facts), &facts);
        let ids: BTreeSet<_> = strew.shown().map(|record| record.id()).collect();
        prop_assert_eq!(&ids, &shown(&facts));
        prop_assert!(strew.shown().all(|record| !record.is_stripped()));
        let index: BTreeSet<_> =
            strew.registers_index().items(Bounds::ALL).map(|(_, id)| id).collect();
        prop_assert_eq!(index, ids);
        let sum: usize = keys().iter().map(|it| strew.footprint_of(it)).sum();
        prop_assert_eq!(sum, strew.footprint());
    }

    /// Of one admission both ways between all that hold the same acts, whose replica it is makes no difference.
    #[test]
    fn members_agree(acts in acts(), generation in 0..9_u64) {
        let nodes = &keys()[..5];
        let joins = nodes.iter().flat_map(|it| join(&nodes[0], it, generation));
        let acts: Vec<_> = acts.into_iter().chain(joins).collect();
        let all: Vec<_> = nodes.iter().map(|it| (it, replica(it, &acts))).collect();
        for (one, a) in &all {
            for (other, b) in &all {
                // An admission of one that is not given back makes a view that has more.
                if a.membership().contains(other) && b.membership().contains(one) {
                    prop_assert_eq!(members(a), members(b));
                    prop_assert_eq!(a.digest(), b.digest());
                }
            }
        }
    }
}
