//! A solution that stays: what the solver finds from where the solution leads is the solution itself.
//!
//! A search ends with an outcome. If the same search, begun where the outcome leads, finds it again, the outcome is
//! **stable**: a caller that carries it out and asks again is told to change nothing. Otherwise the next outcome takes
//! its place, until one is stable. Most are at once; the strategies look at what runs, so from elsewhere they may see a
//! better way.
//!
//! **It ends, and what has no solution is left where it runs.** Call an outcome *closed* if no pick is short that has
//! room in the end. From where a closed outcome leads, to stay is a candidate, and it costs what the outcome leaves
//! open. Another counts only if it is closed too, solves what was solved, and has fewer picks unsolved, fewer instances
//! missing or, without a start, smaller crowds. So each outcome on the way is better than the one before, and a pick
//! that the last one leaves alone is where all before it left it, which is where it runs.
//!
//! **Outcomes that are not closed.** Only the first round may have one, and only if making it again (`way`) does not
//! help: a pick `a` is short because `b` runs where `a` could be; `b` goes; but with `a` there `b` has no solution and
//! would have to stay. No plan keeps every rule then and is stable. This one lets `b` go, and says
//! [`Reason::Later`](super::Reason::Later); the next plan places `a`. If the outcome after it leaves alone something
//! that moved on the way, the one before it is the solution.
//!
//! At most [`SEARCHES_MAX`] searches are made, each bounded by steps. Then the last outcome counts: all rules hold in
//! it, and only the promise that it stays is lost.

use super::budget::{Budget, STEPS_MAX};
use super::model::Model;
use super::round::Outcome;
use super::running::Running;
use super::search;

/// How many searches a solution takes at most. Two are usual: one, and one that finds the same.
const SEARCHES_MAX: usize = 8;

/// An outcome, and whether all searches that led to it went to their end.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) outcome: Outcome,
    pub(super) whole: bool,
}

/// Finds an outcome from what is present that stays.
pub(super) fn stable(model: &Model<'_>, present: &Running) -> Found {
    let mut found = bounded(model, present);
    for _ in 1..SEARCHES_MAX {
        let there = Running::of(model, found.outcome.wanted());
        let next = bounded(model, &there);
        if next.outcome.placements == found.outcome.placements
            || !next.outcome.leaves_alone(present)
        {
            break;
        }
        found = Found { whole: found.whole && next.whole, ..next };
    }
    found
}

fn bounded(model: &Model<'_>, running: &Running) -> Found {
    let mut budget = Budget::of(STEPS_MAX);
    let outcome = search(model, running, &mut budget);
    Found { outcome, whole: !budget.refused() }
}
