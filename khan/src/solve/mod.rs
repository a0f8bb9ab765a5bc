//! Where instances are to run: the placement nearest to what runs.
//!
//! **Least change.** Among all placements that keep the rules of a program, the best has the fewest picks without a
//! solution, then the fewest instances missing, then the fewest starts ([`Cost`]). Ties go to what runs longest, to the
//! evener load, then by name.
//!
//! ```text
//!   Checked, World ──▶ Model ──▶ rounds ──▶ the best Outcome ──▶ Solution
//!                        ▲                        │
//!                        └── solved again from where it leads, until nothing moves
//! ```
//!
//! * **Picks that rest on no other.** One round is the whole search. If instances take equal room it is *exact*: it
//!   begins with the placement that keeps the most, and adds instances along cheapest paths (`round::room`).
//! * **Picks that rest on each other** are NP-hard. Over two nodes with the labels `A` and `B` let
//!   `xi := pick(vi, 1, ALL)`: it is on `A` (true) or on `B` (false). The clause x1 ∨ ¬x2 ∨ x3 is
//!   `pick(c, 1, LABEL(A) & (x1 | !x2 | x3))`, so a program is an instance of 3-SAT. For those, twelve rounds by
//!   different strategies are made at most, and the best counts. A round that nothing can beat ends the search.
//!
//! **Invariants**
//!
//! * *Fixed point.* A solution is what the solver finds from where the solution leads (`stable`). So a program that
//!   is satisfied changes nothing, whatever the solver would choose from nothing.
//! * *A satisfied pick is not given up*: no round counts that leaves a pick without a solution of which all that runs
//!   could be kept at first.
//! * *Equal views, equal solutions.* No clock, no random source, no hash map; nodes by name. The search is bounded by
//!   steps, never by time.
//! * *Left alone.* A pick without a value, and all that rest on it, stay exactly as they run, and a [`Problem`] says so.
//! * *No pick is left short so that another can be solved*, and nothing that runs is stopped for a higher priority.

mod budget;
mod cost;
mod explain;
mod floor;
mod grouped;
mod guess;
mod labels;
mod model;
mod placement;
mod problem;
mod reason;
mod round;
mod running;
mod solution;
mod stable;
mod strategy;
mod values;

use crate::Checked;
use crate::world::World;

use budget::Budget;
use floor::starts_at_least;
use model::Model;
use round::{Hungry, Outcome, round, stay};
use running::Running;
use stable::{Found, stable};
use strategy::{ROUNDS, Strategy};

pub use cost::Cost;
pub use placement::{Placement, Rules};
pub use problem::Problem;
pub use reason::Reason;
pub use solution::Solution;

pub(crate) use explain::{reasons, value_of};

/// Finds where the instances of a program are to run: see the [module](self).
pub fn solve(checked: &Checked, world: &World) -> Solution {
    let model = Model::new(checked, world);
    let present = Running::present(&model);
    let Found { outcome: mut best, whole } = stable(&model, &present);
    best.cost.starts = best.starts(&present);
    let least = Cost { starts: starts_at_least(&model, &present, &best), ..Cost::default() };
    let exact = (model.is_plain() && whole) || best.cost <= least;
    solution(&model, best, exact)
}

/// The best of all rounds. To stay is one of them, if that can be.
fn search(model: &Model<'_>, running: &Running, budget: &mut Budget) -> Outcome {
    let plain = |budget| round(model, running, ROUNDS[0], &Hungry::none(model), budget);
    if model.bound.is_empty() {
        return plain(budget);
    }
    let stay = stay(model, running, budget);
    let stays = stay.is_some();
    let mut best = stay.unwrap_or_else(|| plain(budget));
    let (rounds, satisfied) =
        if stays { (&ROUNDS[..], best.solved()) } else { (&ROUNDS[1..], best.satisfied(running)) };
    for strategy in rounds {
        let least = Cost { starts: starts_at_least(model, running, &best), ..Cost::default() };
        let hungry =
            if strategy.hungry { Hungry::after(model, &best) } else { Hungry::none(model) };
        if best.cost <= least || !budget.allows(0) {
            break;
        }
        if is_worth_it(model, running, strategy, &hungry) {
            let next = round(model, running, *strategy, &hungry, budget);
            let gives_up = satisfied.iter().any(|pick| next.placements[*pick].rules.is_none());
            let counts = next.cost < best.cost && !gives_up && !next.has_late_room();
            best = if counts { next } else { best };
        }
    }
    best
}

/// Whether a round could differ from those before it.
fn is_worth_it(model: &Model<'_>, running: &Running, strategy: &Strategy, hungry: &Hungry) -> bool {
    let runs = |user: &usize| !running.nodes[*user].is_empty();
    let looks_at = || model.users.iter().flatten().any(runs);
    hungry.any || !strategy.look || strategy.turn > 0 || (!strategy.hungry && looks_at())
}

fn solution(model: &Model<'_>, outcome: Outcome, exact: bool) -> Solution {
    let mut problems = outcome.problems;
    problems.sort_by_key(|(pick, _)| model.picks[*pick].span.start);
    let problems = problems.into_iter().map(|(_, problem)| problem).collect();
    Solution { placements: outcome.placements, problems, cost: outcome.cost, exact }
}
