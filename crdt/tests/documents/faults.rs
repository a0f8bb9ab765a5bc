//! Each seeded fault breaks a law.

use std::sync::Arc;

use crux_crdt::document::{DOCUMENTS_MAX, Document, Documents, Limit, Refused};
use crux_crdt::planted::{Bug, plant};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::laws::{is_what_the_definitions_say, order_does_not_matter, rearranged};
use crate::world::*;

/// Whether the law is broken while a fault is planted; and that it holds without.
fn breaks<S: Strategy>(
    bug: Bug,
    values: S,
    law: impl Fn(S::Value) -> Result<(), TestCaseError>,
) -> bool {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) };
    let seed = TestRunner::deterministic().rng().clone();
    let run = |bug| {
        plant(bug);
        let found = TestRunner::new_with_rng(config.clone(), seed.clone()).run(&values, &law);
        plant(None);
        found.is_err()
    };
    assert!(!run(None), "the law does not hold");
    run(Some(bug))
}

fn order(bug: Bug, items: impl Strategy<Value = Vec<Arc<Document>>>) -> bool {
    breaks(bug, rearranged(items), order_does_not_matter)
}

fn definitions(bug: Bug, items: impl Strategy<Value = Vec<Arc<Document>>>) -> bool {
    breaks(bug, items, |items| is_what_the_definitions_say(&items))
}

#[test]
fn rival_by_marker() {
    assert!(order(Bug::RivalByMarker, crowded()), "order");
    assert!(definitions(Bug::RivalByMarker, crowded()), "definitions");
}

#[test]
fn granted_at_merge() {
    assert!(order(Bug::GrantedAtMerge, constant()), "order");
    assert!(definitions(Bug::GrantedAtMerge, constant()), "definitions");
}

/// A function of the set it is still, and another one.
#[test]
fn revoked_wins() {
    assert!(definitions(Bug::RevokedWins, crowded()));
}

#[test]
fn deletion_forgets_generation() {
    let bug = Bug::DeletionForgetsGeneration;
    assert!(order(bug, crowded()), "order");
    assert!(definitions(bug, crowded()), "definitions");
}

/// Writes that a node takes stay within what all grants may allow together.
#[test]
fn bound_in_all() {
    let sum_is_bounded = || {
        let mut set = Documents::default();
        let mut refused = None;
        for n in 0..3 {
            let grant = grant(n, 1, 1, &granted(n, 8_000, &["rules"]));
            match set.may_add(&grant) {
                Ok(()) => _ = merge(&mut set, &grant),
                Err(error) => refused = Some(error),
            }
        }
        let granted = set.grants().filter_map(|(_, it)| it.granted());
        let sum: usize = granted.map(|it| it.documents as usize).sum();
        (sum <= DOCUMENTS_MAX, refused)
    };
    let limit = Refused::Limit { what: Limit::Granted, most: DOCUMENTS_MAX };
    assert_eq!(sum_is_bounded(), (true, Some(limit)));
    plant(Some(Bug::BoundInAll));
    let found = sum_is_bounded();
    plant(None);
    assert_eq!(found, (false, None));
}
