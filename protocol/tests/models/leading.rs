//! The leader, and obedience to it.

use stateright::{Checker, HasDiscoveries, Model};

use crate::rules::{Mistake, Rules};
use crate::step::{Begin, Leading};
use crate::world::Faults;

const NONE: Faults = Faults { crashes: 0, cuts: 0, retirements: 0, returns: 0, doubts: 0 };

/// Follows everything that can happen. Says how much that was.
fn check(model: Leading) {
    let checker = model.checker().threads(2).spawn_bfs().join();
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    println!("{:?}, {:?}: {states} states, {depth} steps", model.begin, model.faults);
    checker.assert_properties();
}

const fn leading(begin: Begin, claims: u64, faults: Faults) -> Leading {
    Leading { begin, claims, faults, rules: Rules { slow_fences: false, mistake: None } }
}

#[test]
fn three_that_start_at_once_find_one_leader() {
    check(leading(Begin::Fresh, 1, NONE));
}

#[test]
fn crashes() {
    check(leading(Begin::Led, 3, Faults { crashes: 2, ..NONE }));
    check(leading(Begin::Crashed, 3, Faults { crashes: 1, returns: 1, ..NONE }));
}

#[test]
fn a_leader_that_comes_back_while_others_follow_it() {
    check(leading(Begin::Vacant, 2, Faults { returns: 1, ..NONE }));
}

#[test]
fn cuts_and_heals() {
    check(leading(Begin::Led, 2, Faults { cuts: 1, ..NONE }));
    check(leading(Begin::Cut, 2, Faults { returns: 1, ..NONE }));
}

/// The one that crashed is retired, and its fence forgotten.
#[test]
fn a_retirement() {
    check(leading(Begin::Crashed, 3, Faults { retirements: 1, ..NONE }));
}

/// In either order, whoever is hit: a crash while one is cut off, and a cut while one is down. Three
/// claims are what it takes: the one at first, and one for each fault.
#[test]
fn a_crash_and_a_cut() {
    check(leading(Begin::Led, 3, Faults { crashes: 1, cuts: 1, ..NONE }));
}

#[test]
fn wrong_verdicts() {
    check(leading(Begin::Led, 2, Faults { doubts: 1, ..NONE }));
}

#[test]
fn a_slow_disk() {
    let model = leading(Begin::Led, 3, Faults { crashes: 1, ..NONE });
    check(Leading { rules: Rules { slow_fences: true, mistake: None }, ..model });
}

/// Each mistake breaks this law within a few steps.
#[test]
fn mistakes_are_noticed() {
    use Mistake::{ClaimForgotten, FenceByNumber, FenceForgotten, FenceUnspoken, FenceWhenDurable};
    let fences = "fences never decrease";
    let leader = "at rest each component has one leader whom all obey";
    let numbers = "nobody leads twice under one number";
    let fresh = leading(Begin::Fresh, 1, NONE);
    let vacant = leading(Begin::Vacant, 2, Faults { crashes: 1, returns: 1, ..NONE });
    let crashed = leading(Begin::Crashed, 3, Faults { crashes: 1, returns: 1, ..NONE });
    for (mistake, model, law) in [
        (FenceByNumber, fresh, fences),
        (FenceWhenDurable, fresh, fences),
        (FenceForgotten, crashed, fences),
        (FenceUnspoken, vacant, leader),
        (ClaimForgotten, vacant, numbers),
    ] {
        let slow_fences = mistake == FenceWhenDurable;
        let model = Leading { rules: Rules { slow_fences, mistake: Some(mistake) }, ..model };
        let found = HasDiscoveries::AnyOf([law].into());
        let checker = model.checker().threads(2).finish_when(found).spawn_bfs().join();
        assert!(checker.discovery(law).is_some(), "{mistake:?} does not break: {law}");
    }
}
