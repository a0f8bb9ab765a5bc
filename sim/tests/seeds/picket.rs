//! The supervisor of services: crash points, power loss, and programs of every kind.

use std::collections::BTreeSet;

use crux_sim::scenario::{Scenario, by_name};
use crux_sim::{Options, run};

use super::hold;

fn scenario() -> Scenario {
    by_name("picket").expect("a known name")
}

#[test]
fn services_outlive_every_crash_point() {
    for seed in 0..200 {
        hold(&scenario(), Options { seed, nodes: None, log: false });
    }
}

#[test]
#[ignore = "long: the gate lives through 200 seeds, the nightly run through 1,000"]
fn services_outlive_every_crash_point_of_a_thousand_seeds() {
    for seed in 200..1000 {
        hold(&scenario(), Options { seed, nodes: None, log: false });
    }
}

/// The picket dies at each point, alone and with the power; otherwise nothing is shown.
#[test]
fn every_crash_point_is_reached_in_both_ways() {
    const POINTS: [&str; 14] = [
        "desired.write.before",
        "desired.rename.before",
        "desired.rename.after",
        "desired.write.after",
        "record.write.before",
        "record.rename.before",
        "record.rename.after",
        "record.write.after",
        "spawn.before",
        "spawn.after",
        "forget.before",
        "forget.after",
        "kill.before",
        "kill.after",
    ];
    let mut reached = BTreeSet::new();
    for seed in 0..84 {
        let log = run(&scenario(), Options { seed, nodes: None, log: true }).log;
        let at = log.lines().filter_map(|line| line.split_once("** at "));
        reached.extend(at.map(|(_, what)| what.to_owned()));
    }
    for point in POINTS {
        for power in [false, true] {
            let what = format!("{point}, power {power}");
            assert!(reached.contains(&what), "{what} is not among {reached:?}");
        }
    }
}

#[test]
fn a_seed_of_the_supervisor_gives_the_same_bytes() {
    let log = |seed| run(&scenario(), Options { seed, nodes: None, log: true }).log;
    assert!(log(5).len() > 10_000);
    assert_eq!(log(5), log(5));
    assert_ne!(log(5), log(6));
}
