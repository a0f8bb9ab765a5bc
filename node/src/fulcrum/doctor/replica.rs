//! How full the replica is, and who filled it.

use crux_protocol::flock::{Brought, State};

use super::super::request::{Check, CheckResult};
use super::{line, ok};

/// From here on, in percent of the limit, it is worth a warning.
const WARN_PERCENT: usize = 75;
/// How many members of a chain of admissions are named; longer ones are cut short in the middle.
const CHAIN_MAX: usize = 4;

/// Fails when the replica is full: then it may lack what other members show.
pub(super) fn check(state: &State) -> Check {
    let (held, limit) = (state.strew().footprint(), state.replica_max());
    let detail = format!("{} of {} MiB", held >> 20, limit >> 20);
    let full = state.is_replica_full();
    if !full && held < limit / 100 * WARN_PERCENT {
        return ok("replica", detail);
    }
    let brought: Vec<_> = state.brought_most().iter().map(|it| describe(state, it)).collect();
    let most = format!("most came by {}", brought.join("; "));
    if full {
        return line(
            "replica",
            CheckResult::Fail,
            format!(
                "full, {detail}: no further members are taken in, and this node may show less than others; {most}"
            ),
            "`forget` members that should not be there, on every node that is full, or start the \
             nodes with a greater --replica-max.",
        );
    }
    let hint = "Find out who admits so many members, before the replica is full.";
    line("replica", CheckResult::Warn, format!("{detail}; {most}"), hint)
}

fn describe(state: &State, brought: &Brought) -> String {
    let name = |who| state.names().of(who).to_string();
    let Brought { member, through, authors, bytes } = brought;
    let mut text = format!("{} ({authors} members, {} MiB", name(member), bytes >> 20);
    if !through.is_empty() {
        let mut chain: Vec<_> = through.iter().map(name).collect();
        if chain.len() > CHAIN_MAX {
            let left_out = chain.len() - CHAIN_MAX;
            chain.splice(2..2 + left_out, [format!("{left_out} more")]);
        }
        text += &format!(", admitted through {}", chain.join(" > "));
    }
    text + ")"
}
