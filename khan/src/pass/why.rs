//! Why a service runs on a node, or does not.

use core::fmt;

use crate::Checked;
use crate::checked::PickId;
use crate::solve::{Problem, Reason, Solution, reasons};
use crate::world::World;

/// Why a service runs on a node, or does not.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Why {
    /// How many instances are present there.
    pub present: u32,
    /// How many are wanted there.
    pub wanted: u32,
    /// Why there are not more: each rule that would have to change. Empty: there could be one, and others were chosen.
    pub reasons: Vec<Reason>,
    /// The instances left open of the service.
    pub problem: Option<Problem>,
    /// How many the program wants in all, if that number has a value.
    pub count: Option<u32>,
}

/// Explains a service and a node, given by its place in [`World::nodes`].
pub fn why(
    checked: &Checked,
    world: &World,
    solution: &Solution,
    pick: PickId,
    node: usize,
) -> Why {
    let service = &checked.pick(pick).service;
    let placement = solution.of(pick);
    let named = |problem: &&Problem| problem.service() == service.as_str();
    Why {
        present: world.present(service, node).map_or(0, |present| present.count),
        wanted: placement.wanted[node],
        reasons: reasons(checked, world, solution, pick, node),
        problem: solution.problems.iter().find(named).cloned(),
        count: placement.count,
    }
}

impl fmt::Display for Why {
    /// As a line: `0 wanted here, 0 present; no room: memory`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} wanted here, {} present; ", self.wanted, self.present)?;
        match (&self.problem, self.count) {
            (Some(problem), _) if !matches!(problem, Problem::Short { .. }) => {
                write!(f, "{problem}")
            }
            (_, Some(count)) if self.reasons.is_empty() => {
                write!(f, "{count} wanted in all, and they are where less has to change")
            }
            _ => {
                let reasons: Vec<String> = self.reasons.iter().map(ToString::to_string).collect();
                f.write_str(&reasons.join(", "))
            }
        }
    }
}
