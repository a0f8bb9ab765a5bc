//! Targets that are planned and enacted in a flock.

use crux_sim::scenario::{Scenario, by_name};
use crux_sim::{Options, run};

use super::{hold, hold_named};

/// Every scenario of targets.
const ALL: [&str; 9] =
    ["churn", "orphans", "two-targets", "parted", "moved", "drains", "way-back", "power", "chains"];

#[test]
fn targets_hold_whatever_happens() {
    for name in ALL {
        hold_named(name, 0..6);
    }
}

#[test]
#[ignore = "long: the gate lives through 6 seeds of each, the nightly run through 200"]
fn targets_hold_over_hundreds_of_seeds() {
    for name in ALL {
        let scenario = by_name(name).expect("a known name");
        for seed in 6..200 {
            let sizes = scenario.sizes.1 - scenario.sizes.0 + 1;
            let nodes = scenario.sizes.0 + usize::try_from(seed).expect("a small number") % sizes;
            hold(&scenario, Options { seed, nodes: Some(nodes), log: false });
        }
    }
}

#[test]
fn a_seed_of_targets_gives_the_same_bytes() {
    let scenario = by_name("churn").expect("a known name");
    let log = |seed| run(&scenario, Options { seed, nodes: None, log: true }).log;
    assert!(log(3).contains(" plans "));
    assert_eq!(log(3), log(3));
    assert_ne!(log(3), log(4));
}

/// Otherwise the laws would hold of nothing.
#[test]
fn everything_that_targets_can_come_to_happens() {
    let log = |(name, seed)| {
        let scenario = by_name(name).expect("a known name");
        run(&scenario, Options { seed, nodes: None, log: true }).log
    };
    let runs = ALL.iter().flat_map(|name| (0..6).map(move |seed| (*name, seed)));
    let all: String = runs.map(log).collect();
    for what in [
        "loses its power: true",
        "loses its power: false",
        "nodes in sight",
        "is drained",
        "Short",
        "Empty",
        "actual(",
        "; failed [\"",
        " had ×",
        " keep",
    ] {
        assert!(all.contains(what), "{what} never happens");
    }
}

fn violation_of(text: &str) -> String {
    let scenario = Scenario::parse("wrong", text).expect("it reads");
    let report = run(&scenario, Options { seed: 1, nodes: None, log: false });
    report.violation.expect("it does not hold").to_string()
}

#[test]
fn what_is_not_there_yet_is_not_placed_or_drained() {
    let begin = "nodes 3\ntargets\nform\nask n0 apply plain v1\n";
    let placed = violation_of(&format!("{begin}expect placed all within 1ms"));
    assert!(placed.contains("not within 1ms: placed n0 n1 n2"), "{placed}");
    let text = format!("{begin}expect placed all within 30s\nexpect drained all within 1s");
    let drained = violation_of(&text);
    assert!(drained.contains("something runs on n"), "{drained}");
}
