//! A target beside the people of one machine.

use crux_sim::scenario::by_name;
use crux_sim::{Options, run};

use super::hold_named;

#[test]
fn goals_hold_beside_people_over_every_crash_point() {
    hold_named("goals", 0..200);
}

#[test]
#[ignore = "long: the gate lives through 200 seeds, the nightly run through 1,000"]
fn goals_hold_over_a_thousand_seeds() {
    hold_named("goals", 200..1000);
}

/// Otherwise the laws would hold of nothing.
#[test]
fn everything_that_goals_can_come_to_happens() {
    let goals = by_name("goals").expect("a known name");
    let log = |seed| run(&goals, Options { seed, nodes: None, log: true }).log;
    let all: String = (0..40).map(log).collect();
    for what in [
        "Refused(OldOrder",
        "Refused(OfTarget",
        "kind: Blocked",
        "kind: RolledBack",
        " Ready ",
        " Done ",
        " Failed ",
        " Stopping ",
        " Blocked ",
        " keep",
        " had ",
        "Refused(Disk",
        "** at desired.rename.after, power true",
    ] {
        assert!(all.contains(what), "{what} never happens");
    }
}

/// A set dropped a service and the next one brought it back before the first was on the disk: the target wanted it anew.
#[test]
fn what_is_dropped_and_wanted_again_at_once_is_started_anew() {
    for seed in [1143, 2146] {
        hold_named("goals", seed..seed + 1);
    }
}
