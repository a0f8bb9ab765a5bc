//! The changes that this node needs to run what the target wants of it.

use crux_client::model::{CheckedGoals, GoalCount, RunningInstances, ServicePeriod};
use crux_client::op::CheckGoals;
use crux_crdt::record::{First, Stage};
use crux_protocol::proctor::{Counts, OwnedRow, check_goals};

use crate::error::{Error, Kind};
use crate::view::Enacted;

/// Compares what runs with the goals.
///
/// # Errors
/// [`Kind::NotFound`]: there are no goals.
pub(super) fn check(enacted: &Enacted, op: &CheckGoals) -> Result<CheckedGoals, Error> {
    let goals = enacted.goals.as_ref().ok_or_else(|| {
        Error::new(Kind::NotFound, "no plan of a target names this node's horde yet").with_hint(
            "`status --target` shows how far the target is. A node without services has no goals.",
        )
    })?;
    let given = op.running.as_ref();
    let given: Option<Vec<OwnedRow>> = given.map(|all| all.iter().flat_map(rows).collect());
    let checked = check_goals(given.as_ref().unwrap_or(&enacted.rows), goals);
    let periods = checked.periods.into_iter();
    Ok(CheckedGoals {
        generation: checked.order.target.generation,
        pass: checked.order.pass.pass,
        fence: checked.order.pass.term,
        add: counts(checked.add),
        deprecate: counts(checked.deprecate),
        delete: counts(checked.delete),
        periods: periods.map(|(service, period)| ServicePeriod { service, period }).collect(),
    })
}

/// Those that are ready, and the others.
fn rows(running: &RunningInstances) -> [OwnedRow; 2] {
    let row = |stage, count| {
        let (service, spec) = (running.service.clone(), running.version);
        OwnedRow { service, spec, stage, first: First::default(), count }
    };
    let started = running.count.saturating_sub(running.ready);
    [row(Stage::Ready, running.ready), row(Stage::Starting, started)]
}

fn counts(counts: Counts) -> Vec<GoalCount> {
    let count = |((service, version), count)| GoalCount { service, version, count };
    counts.into_iter().map(count).collect()
}
