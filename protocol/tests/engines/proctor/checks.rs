//! `check_goals`: what has to change.

use std::collections::BTreeMap;
use std::time::Duration;

use crux_crdt::name::ServiceName;
use crux_crdt::record::Stage;
use crux_crdt::service::SpecTag;
use crux_protocol::proctor::{Counts, Goal, Goals, OwnedRow, check_goals};
use proptest::prelude::*;

use super::rig::*;

fn counts(all: &[(&str, u8, u32)]) -> Counts {
    all.iter().map(|(text, number, count)| ((name(text), spec(text, *number)), *count)).collect()
}

#[test]
fn what_is_missing_is_added_and_what_is_too_much_is_deleted() {
    let rows = [
        row("web", 1, Stage::Ready, 1),
        row("web", 1, Stage::Starting, 1),
        row("web", 1, Stage::Stopping, 5),
        row("api", 1, Stage::Failed, 3),
        row("old", 1, Stage::Ready, 2),
        row("kept", 1, Stage::Ready, 2),
        row("mine", 1, Stage::Blocked, 1),
    ];
    let all = vec![
        run("web", 1, &[(1, 3)]),
        had("api", 1, &[(1, 1)]),
        (name("kept"), Goal::Keep),
        run("mine", 1, &[(1, 1)]),
    ];
    let check = check_goals(&rows, &goals(order(4, 2), all));
    assert_eq!(check.order, order(4, 2));
    assert_eq!(check.add, counts(&[("web", 1, 1), ("mine", 1, 1)]));
    assert_eq!(check.delete, counts(&[("api", 1, 2), ("old", 1, 2)]));
    assert_eq!(check.deprecate, Counts::new());
    let period = Duration::from_secs(10);
    assert_eq!(check.periods, [(name("web"), period), (name("mine"), period)].into());
}

#[test]
fn the_version_before_is_deprecated_until_its_successor_is_ready() {
    let old = row("web", 1, Stage::Ready, 2);
    let check =
        |rows: &[OwnedRow]| check_goals(rows, &goals(order(4, 1), vec![run("web", 2, &[(1, 2)])]));
    let first = check(std::slice::from_ref(&old));
    assert_eq!((first.add, first.delete), (counts(&[("web", 2, 2)]), Counts::new()));
    assert_eq!(first.deprecate, counts(&[("web", 1, 2)]));
    let half = [old.clone(), row("web", 2, Stage::Ready, 1), row("web", 2, Stage::Starting, 1)];
    let half = check(&half);
    assert_eq!((half.add, half.delete), (Counts::new(), Counts::new()));
    assert_eq!(half.deprecate, counts(&[("web", 1, 2)]));
    let ready = [old, row("web", 2, Stage::Ready, 1), row("web", 2, Stage::Done, 1)];
    let ready = check(&ready);
    assert_eq!((ready.add, ready.deprecate), (Counts::new(), Counts::new()));
    assert_eq!(ready.delete, counts(&[("web", 1, 2)]));
}

fn stage() -> impl Strategy<Value = Stage> {
    prop::sample::select(vec![
        Stage::Starting,
        Stage::Ready,
        Stage::Done,
        Stage::Failed,
        Stage::Wedged,
        Stage::Stopping,
        Stage::Blocked,
    ])
}

const NAMES: [&str; 3] = ["a", "b", "c"];

prop_compose! {
    fn rows()(all in prop::collection::vec((0..3_usize, 1..3_u8, stage(), 1..4_u16), 0..8)) -> Vec<OwnedRow> {
        all.into_iter().map(|(at, number, stage, count)| row(NAMES[at], number, stage, count)).collect()
    }
}

prop_compose! {
    fn any_goals()(all in prop::collection::btree_map(0..3_usize, (0..3_u8, 1..3_u8, 1..4_u16), 0..4)) -> Goals {
        let goal = |(at, (kind, number, count)): (usize, (u8, u8, u16))| match kind {
            0 => (name(NAMES[at]), Goal::Keep),
            1 => had(NAMES[at], number, &[(1, count)]),
            _ => run(NAMES[at], number, &[(1, count)]),
        };
        goals(order(4, 1), all.into_iter().map(goal).collect())
    }
}

/// How many there are of each version, but for those that are stopping or blocked.
fn there(rows: &[OwnedRow]) -> BTreeMap<(ServiceName, SpecTag), i64> {
    let mut there = BTreeMap::new();
    for row in rows.iter().filter(|row| !matches!(row.stage, Stage::Stopping | Stage::Blocked)) {
        *there.entry((row.service.clone(), row.spec)).or_default() += i64::from(row.count);
    }
    there
}

proptest! {
    #[test]
    fn what_is_done_leads_to_the_goals_and_then_there_is_nothing_to_do(
        rows in rows(), goals in any_goals(),
    ) {
        let check = check_goals(&rows, &goals);
        let mut after = there(&rows);
        for (counts, sign) in [(&check.add, 1), (&check.deprecate, -1), (&check.delete, -1)] {
            for (key, count) in counts {
                prop_assert!(*count > 0);
                *after.entry(key.clone()).or_default() += sign * i64::from(*count);
            }
        }
        after.retain(|_, count| *count != 0);
        let mut expected = BTreeMap::new();
        for (name, goal) in goals.services() {
            match goal {
                Goal::Run(it) => _ = expected.insert((name.clone(), it.spec()), i64::from(it.batches().count())),
                Goal::Had { spec, batches } => _ = expected.insert((name.clone(), *spec), i64::from(batches.count())),
                Goal::Keep => expected.extend(there(&rows).into_iter().filter(|(key, _)| key.0 == *name)),
            }
        }
        prop_assert_eq!(&after, &expected);
        let settled: Vec<_> = after.iter().map(|((service, spec), count)| OwnedRow {
            service: service.clone(),
            spec: *spec,
            stage: Stage::Ready,
            first: first(1),
            count: u16::try_from(*count).unwrap(),
        }).collect();
        let check = check_goals(&settled, &goals);
        prop_assert!(check.add.is_empty() && check.deprecate.is_empty() && check.delete.is_empty());
    }
}
