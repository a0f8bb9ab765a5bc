//! `status --target`, and the wait for it.

use std::time::Duration;

use crux_client::model::{ServiceProgress, TargetState, TargetStatus};
use crux_client::op::GetTargetStatus;
use crux_client::socket::Door;
use tokio::time::{Instant, sleep_until};

use super::{Ui, Wait};
use crate::cli::live::{self, Live};
use crate::cli::output::{block_on, to_json};
use crate::cli::paint::Colour;
use crate::cli::table::{self, Cell};
use crate::error::{Error, Kind, StateChanged};

/// How often to ask while waiting: as often as lists that continue.
const EVERY: Duration = Duration::from_millis(500);

/// Shows how far the target is.
pub(in crate::cli) fn status(wait: Wait, live: Live, ui: &mut Ui) -> Result<(), Error> {
    let json = |status: &TargetStatus| to_json(status);
    live::list(&GetTargetStatus, (wait, live), ui, &(json, text)).map(drop)
}

/// Waits until the node says that a generation is settled.
///
/// # Errors
/// [`Kind::TimedOut`], with what is missing; [`Kind::RolledBack`] if a version of it failed; [`Kind::Conflict`] if another
/// generation replaced it.
pub(super) fn until_settled(
    generation: u64,
    patience: Duration,
    wait: Wait,
    ui: &Ui,
) -> Result<(), Error> {
    block_on(async {
        let client = ui.connect_at(Door::Control, wait.timeout).await?;
        let deadline = Instant::now() + patience;
        loop {
            let asked = Instant::now();
            let status = client.call(&GetTargetStatus).await?;
            if let Some(outcome) = outcome(generation, &status) {
                return outcome;
            }
            if asked >= deadline {
                return Err(late(generation, &status));
            }
            sleep_until((asked + EVERY).min(deadline)).await;
        }
    })
}

/// How the wait ends; none: it goes on.
fn outcome(generation: u64, status: &TargetStatus) -> Option<Result<(), Error>> {
    let fails =
        |kind, message: String| Some(Err(Error::new(kind, message).with_state(StateChanged::Yes)));
    if status.generation > generation {
        let message = format!("generation {} replaced generation {generation}", status.generation);
        return fails(Kind::Conflict, message);
    }
    match status.state {
        _ if status.generation < generation => None,
        TargetState::Settled => Some(Ok(())),
        TargetState::Failed => {
            let failed = |it: &ServiceProgress| {
                it.failed.as_ref().map(|why| format!("{}: {why}", it.service))
            };
            let failed: Vec<_> = status.services.iter().filter_map(failed).collect();
            fails(
                Kind::RolledBack,
                format!("generation {generation} failed: {}", failed.join("; ")),
            )
        }
        TargetState::Changing | TargetState::Held => None,
    }
}

fn late(generation: u64, status: &TargetStatus) -> Error {
    let missing = match status.generation < generation {
        true => format!("the node shows generation {}", status.generation),
        false => missing(status),
    };
    let message = format!("generation {generation} is applied and not settled yet: {missing}");
    Error::new(Kind::TimedOut, message)
        .with_state(StateChanged::Yes)
        .with_hint("The flock goes on with it: `status --target --watch` shows how far it is.")
}

/// What is missing until a target is settled.
fn missing(status: &TargetStatus) -> String {
    let mut missing = Vec::new();
    if status.leader.is_none() {
        missing.push("no member leads".to_owned());
    }
    let open = status.services.iter().filter(|it| it.state != TargetState::Settled);
    missing.extend(open.map(|it| {
        let holds = it.holds.iter().map(|why| format!(", {why}")).collect::<String>();
        format!("{} {}: {} of {} ready{holds}", it.service, it.state, it.ready, it.wanted)
    }));
    if status.leaving > 0 {
        missing.push(format!("{} instances of earlier services still run", status.leaving));
    }
    if missing.is_empty() { "no plan for it yet".to_owned() } else { missing.join("; ") }
}

fn colour(state: TargetState) -> Colour {
    match state {
        TargetState::Settled => Colour::Good,
        TargetState::Changing | TargetState::Held => Colour::Doubtful,
        TargetState::Failed => Colour::Bad,
    }
}

fn text(status: &TargetStatus) -> String {
    let rows: Vec<_> = status.services.iter().map(row).collect();
    let header = ["SERVICE", "STATE", "WANTED", "RUNNING", "READY", "VERSIONS", "WHY"];
    let table = table::render(header, rows);
    format!("{table}\n\n{}", summary(status))
}

fn row(it: &ServiceProgress) -> [Cell; 7] {
    let version = |it: &crux_client::model::VersionProgress| {
        let name = it.rev.as_ref().map_or_else(
            || it.version.to_string().chars().take(8).collect::<String>(),
            ToString::to_string,
        );
        format!("{name} {}/{}", it.ready, it.running)
    };
    let versions: Vec<_> = it.versions.iter().map(version).collect();
    let why: Vec<_> = it.failed.iter().chain(&it.holds).map(String::as_str).collect();
    [
        it.service.as_str().into(),
        Cell::painted(colour(it.state), it.state.as_str()),
        it.wanted.to_string().into(),
        it.running.to_string().into(),
        it.ready.to_string().into(),
        versions.join(", ").into(),
        why.join("; ").into(),
    ]
}

fn summary(status: &TargetStatus) -> String {
    let TargetStatus { generation, pass, fence, state, leaving, leader, .. } = status;
    let plan = match (pass, fence) {
        (Some(pass), Some(fence)) => format!("plan {pass} of term {fence}"),
        _ => "no plan yet".to_owned(),
    };
    let leaving = match leaving {
        0 => String::new(),
        count => format!(", {count} instances of earlier services still run"),
    };
    let leader = match leader {
        Some(leader) => format!(", {leader} leads"),
        None => ", no member leads".to_owned(),
    };
    format!("Generation {generation} is {state}: {plan}{leader}{leaving}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(generation: u64, state: TargetState) -> TargetStatus {
        let failed = (state == TargetState::Failed).then(|| "late".to_owned());
        let service = ServiceProgress {
            service: "web".parse().unwrap(),
            state,
            wanted: 3,
            running: 2,
            ready: 1,
            versions: Vec::new(),
            failed,
            holds: vec!["n3 is away with 1".to_owned()],
        };
        let (pass, fence, leader) = (None, None, None);
        TargetStatus { generation, pass, fence, state, services: vec![service], leaving: 2, leader }
    }

    #[test]
    fn a_wait_ends_when_its_generation_is_settled_failed_or_replaced() {
        use TargetState::{Changing, Failed, Held, Settled};
        let ends = |generation, state| {
            outcome(2, &status(generation, state)).map(|it| it.map_err(|err| err.kind()))
        };
        assert_eq!(ends(2, Settled), Some(Ok(())));
        assert_eq!(ends(2, Failed), Some(Err(Kind::RolledBack)));
        assert_eq!([ends(2, Changing), ends(2, Held)], [None, None]);
        // The node does not show it yet.
        assert_eq!([ends(1, Settled), ends(1, Failed)], [None, None]);
        assert_eq!(ends(3, Settled), Some(Err(Kind::Conflict)));
    }

    #[test]
    fn a_wait_that_is_over_says_what_is_missing() {
        let late = late(2, &status(2, TargetState::Held));
        let expected = "generation 2 is applied and not settled yet: no member leads; web held: 1 of 3 ready, \
                        n3 is away with 1; 2 instances of earlier services still run";
        assert_eq!((late.kind(), late.message()), (Kind::TimedOut, expected));
    }
}
