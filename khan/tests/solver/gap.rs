//! Picks that rest on each other: how often, and by how much, the solver misses what trying everything finds.
//!
//! The problem is NP-hard, so there is a gap. The design says how wide it may be: of 4,000 random programs a solution
//! missed in 8 at most, and a start too many in 3 %. It says nothing of instances that find no room though there is
//! some; of those a prototype missed 35 in 4,000 programs with two places, and 0 without limits.

use crux_khan::solve::solve;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::case::{Shape, cases};
use crate::exact::{least, price};
use crate::rules;

/// How wide a gap is.
#[derive(Debug, Default)]
struct Gap {
    programs: u32,
    /// A pick unsolved that has a solution without an instance missing more.
    unsolved: u32,
    /// The same, but others would be short on purpose, which the solver never does.
    bought: u32,
    /// Instances missing that have room.
    missing: u32,
    /// More starts than needed, and how many more in all.
    starts: u32,
    starts_in_all: u32,
    /// `exact` was claimed.
    proved: u32,
}

fn measure(places: Option<u64>, programs: u32) -> Gap {
    let shape = Shape { nodes: 4, picks: 3, bound: true, places, usages: false };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut gap = Gap::default();
    while gap.programs < programs {
        let case = cases(shape).new_tree(&mut runner).unwrap().current();
        if case.checked.picks().iter().all(|pick| pick.needs.is_empty()) {
            continue;
        }
        let solution = solve(&case.checked, &case.world);
        rules::check(&case.checked, &case.world, &solution);
        let (found, least) = (price(&case, &solution), least(&case));
        assert!(found >= least, "{case:?}: {found:?} is less than {least:?}");
        assert!(!solution.exact || found == least, "{case:?}: {found:?}, {least:?}");
        gap.proved += u32::from(solution.exact);
        gap.count((found.0, found.1, found.3), (least.0, least.1, least.3));
    }
    gap
}

impl Gap {
    fn count(&mut self, found: (u32, u32, u32), least: (u32, u32, u32)) {
        self.programs += 1;
        match () {
            () if found.0 > least.0 && least.1 > found.1 => self.bought += 1,
            () if found.0 > least.0 => self.unsolved += 1,
            () if found.1 > least.1 => self.missing += 1,
            () if found.2 > least.2 => {
                self.starts += 1;
                self.starts_in_all += found.2 - least.2;
            }
            () => {}
        }
    }
}

/// As many as proptest is told to try, and 4,000 at least: with fewer one more or less would decide.
fn programs() -> u32 {
    Config::default().cases.max(4_000)
}

/// Measures a gap, and checks that it is no wider than stated: instances missing of 4,000 programs.
#[expect(clippy::print_stdout, reason = "the gap is worth reading")]
fn check(places: Option<u64>, missing: u32) {
    let programs = programs();
    let gap = measure(places, programs);
    println!("places {places:?}: {gap:?}");
    assert!(gap.unsolved * 4_000 <= 8 * programs, "{gap:?}");
    assert!(gap.missing * 4_000 <= missing * programs, "{gap:?}");
    assert!(gap.starts * 100 <= 3 * programs, "{gap:?}");
}

#[test]
fn the_gap_without_limits() {
    check(None, 0);
}

#[test]
fn the_gap_with_two_places() {
    check(Some(2), 35);
}
