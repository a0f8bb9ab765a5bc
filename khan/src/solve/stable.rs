//! A solution that stays: what the solver finds from where the solution leads is the solution itself.
//!
//! A search ends with an outcome. If the same search, begun where the outcome leads, finds it again, the outcome is
//! **stable**: a caller that carries it out and asks again is told to change nothing. Otherwise the next outcome takes
//! its place, until one is stable. Most are at once. Two things lead on:
//!
//! * *Late room.* A pick was short; then one that is decided later gave up instances, and left room for it.
//! * *A better one in reach.* The strategies look at what runs, and from elsewhere they see other ways.
//!
//! **What is left alone stays as it runs at the beginning, not where an outcome on the way had it.** Say that `p` moves
//! in the first outcome; the room that became free then serves another pick, on which `p` rests, and now `p` has no
//! solution: it would be left where it never ran. So `p` is **held** from then on, that is left alone in all searches,
//! and the search begins again from what is present. Its place is reserved throughout, because what runs of a pick has
//! its room until the pick is decided. An outcome with picks that are held counts only if a search without any finds it
//! from where it leads; that search says why `p` has no solution.
//!
//! **It ends.** At most [`SEARCHES_MAX`] searches, each bounded by steps. Then the outcome of the first search counts:
//! all rules hold in it, and only the promise that it stays is lost.

use super::budget::{Budget, STEPS_MAX};
use super::model::Model;
use super::round::Outcome;
use super::running::Running;
use super::search;

/// How many searches a solution takes at most. Two are usual: one, and one that finds the same.
const SEARCHES_MAX: usize = 8;

/// An outcome, and whether all searches that led to it went to their end.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) outcome: Outcome,
    pub(super) whole: bool,
}

/// The searches for a solution that stays.
struct Searches<'a> {
    model: &'a Model<'a>,
    present: &'a Running,
    /// How many may still be made.
    left: usize,
    /// The picks that are held.
    held: Vec<bool>,
}

/// Finds an outcome from what is present, and one that stays if there is one within the bound.
pub(super) fn stable(model: &Model<'_>, present: &Running) -> Found {
    let held = vec![false; model.picks.len()];
    let mut searches = Searches { model, present, left: SEARCHES_MAX, held };
    let first = searches.search(present);
    searches.settle(first.clone()).unwrap_or(first)
}

impl Searches<'_> {
    /// Searches from where an outcome leads, until that is where it is already.
    fn settle(&mut self, mut at: Found) -> Option<Found> {
        while self.left > 0 {
            let there = Running::of(self.model, at.outcome.wanted());
            let mut next = self.search(&there.clone().holding(self.held.clone()));
            if self.held.contains(&true) && next.outcome.leads_where(&at.outcome) {
                next = self.search(&there);
            }
            next.whole &= at.whole;
            let displaced = next.outcome.displaced(self.present);
            if !displaced.is_empty() {
                at = self.restart(&displaced)?;
            } else if next.outcome.leads_where(&at.outcome) {
                return Some(next);
            } else {
                at = next;
            }
        }
        None
    }

    /// Holds more picks, and begins again; `None`: all of them are held already.
    fn restart(&mut self, displaced: &[usize]) -> Option<Found> {
        if displaced.iter().all(|pick| self.held[*pick]) {
            return None;
        }
        displaced.iter().for_each(|pick| self.held[*pick] = true);
        Some(self.search(&self.present.clone().holding(self.held.clone())))
    }

    fn search(&mut self, running: &Running) -> Found {
        self.left = self.left.saturating_sub(1);
        let mut budget = Budget::of(STEPS_MAX);
        let outcome = search(self.model, running, &mut budget);
        Found { outcome, whole: !budget.refused() }
    }
}
