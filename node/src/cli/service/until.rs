//! For what a command waits, and how its answer reads.

use std::time::Duration;

use crux_client::model::{Change, Settled};
use crux_client::op::{Goal, Until};

use super::{Ui, Wait, duration};
use crate::cli::paint::paint;
use crate::cli::table;
use crate::error::Error;

/// How much longer the command waits than the node, so that the node's own error arrives. Wild guess.
const ANSWER_MARGIN: Duration = Duration::from_secs(5);

/// For what a command waits that starts something.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Waiting {
    /// Wait until every instance is up and registered, until every program was started, or for none of that;
    /// while the fulcrum is away, up is enough
    #[arg(long, value_name = "up|started|none", default_value = "up", hide_possible_values = true)]
    wait: What,
    /// How long to wait; then the exit code is 6, and the node continues to try
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration::parse)]
    timeout: Duration,
}

/// How long a command waits that stops something.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Stopping {
    /// How long to wait until it is stopped; then the exit code is 6, and the node continues to stop it
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration::parse)]
    timeout: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    // Every instance is up, and registered unless the fulcrum is away.
    Up,
    // Every program was executed.
    Started,
    // The node knows.
    None,
}

impl Waiting {
    /// The same, as the node reads it.
    pub(super) fn until(self) -> Until {
        let goal = match self.wait {
            What::Up => Goal::Up,
            What::Started => Goal::Started,
            What::None => Goal::None,
        };
        Until { goal, within: self.timeout, generation: None }
    }

    /// How long the command itself waits.
    pub(super) fn wait(self) -> Wait {
        longer_than(self.timeout)
    }
}

impl Stopping {
    /// The same, as the node reads it.
    pub(super) fn until(self) -> Until {
        Until { within: self.timeout, ..Until::default() }
    }

    /// How long the command itself waits.
    pub(super) fn wait(self) -> Wait {
        longer_than(self.timeout)
    }
}

fn longer_than(timeout: Duration) -> Wait {
    Wait { timeout: timeout.saturating_add(ANSWER_MARGIN) }
}

/// Says what became of a service.
pub(super) fn answer(settled: &Settled, ui: &mut Ui) -> Result<(), Error> {
    ui.answer(settled, || text(settled))?;
    for note in &settled.notes {
        ui.note(&format!("Note: {note}"));
    }
    Ok(())
}

fn text(settled: &Settled) -> String {
    let Settled { service, rev, state, .. } = settled;
    let done = match settled.change {
        Change::Added => "Added",
        Change::Updated => "Updated",
        Change::Unchanged => "Unchanged:",
        Change::Started => "Started",
        Change::Stopped => "Stopped",
        Change::Restarted => "Restarted",
        Change::RolledBack => "Rolled back",
        Change::Removed => "Removed",
    };
    if settled.change == Change::Removed {
        return format!("{done} {service} {rev}");
    }
    let state = paint((*state).into(), state.as_str());
    let pid = settled.pid.map(|pid| format!("pid {pid}"));
    let ports = Some(table::ports(&settled.ports)).filter(|ports| !ports.is_empty());
    let rest = [Some(state), pid, ports].into_iter().flatten().collect::<Vec<_>>().join(", ");
    format!("{done} {service} {rev}: {rest}")
}
