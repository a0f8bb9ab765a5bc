//! Whether an identity of the flock, or this node's own, runs twice.

use std::collections::BTreeSet;

use crux_protocol::flock::{Notice, State};

use super::{Check, CheckResult, line, ok};
use crate::clock;

/// How many services that came from copies of this node, or were lost with them, are named.
const NAMED_MAX: usize = 64;

/// What copies of this node left behind since it started.
#[derive(Debug, Default)]
pub struct Copies {
    took: BTreeSet<String>,
    lost: BTreeSet<String>,
    /// What a copy had, or this node's own disk, and this node says no more: removed or lost, nobody knows.
    doubtful: BTreeSet<String>,
    /// How many more were lost than are named.
    unnamed: usize,
}

impl Copies {
    /// Remembers what a notice says of a copy.
    pub(in crate::fulcrum) fn note(&mut self, notice: &Notice) {
        let (services, into) = match notice {
            Notice::TookOver { services, .. } => (services, &mut self.took),
            Notice::LostWithTwin { services, .. } => (services, &mut self.lost),
            Notice::NotTakenOver { services, .. } => (services, &mut self.doubtful),
            Notice::Recovered { lost, .. } => (lost, &mut self.doubtful),
            _ => return,
        };
        for service in services {
            if into.len() < NAMED_MAX {
                into.insert(service.clone());
            } else {
                self.unnamed += 1;
            }
        }
    }
}

/// Fails for what was lost, warns of members that run twice and of what was taken over.
pub(super) fn check(state: &State, copies: &Copies) -> Check {
    let list = |of: &BTreeSet<String>| of.iter().cloned().collect::<Vec<_>>().join(", ");
    let twins = state.twins(clock::now());
    let names: Vec<_> = twins.iter().map(|who| state.names().of(who).to_string()).collect();
    let more =
        if copies.unnamed > 0 { format!(" and {} more", copies.unnamed) } else { String::new() };
    if !copies.lost.is_empty() {
        return line(
            "copies",
            CheckResult::Fail,
            format!("lost with a copy of this node: {}{more}", list(&copies.lost)),
            "Register them again; then start this node again. Give each machine a data directory of its own.",
        );
    }
    if !names.is_empty() {
        return line(
            "copies",
            CheckResult::Warn,
            format!("two nodes beacon with the key of {}", super::listed(names)),
            "One of the two stops within half a minute. Delete the data directory of the copy.",
        );
    }
    if !copies.doubtful.is_empty() {
        return line(
            "copies",
            CheckResult::Warn,
            format!("said by a copy of this node, or before: {}{more}", list(&copies.doubtful)),
            "Register again what is missed. Give each machine a data directory of its own.",
        );
    }
    if !copies.took.is_empty() {
        return line(
            "copies",
            CheckResult::Warn,
            format!(
                "taken over from a copy of this node that stopped: {}{more}",
                list(&copies.took)
            ),
            "Deregister those that do not run. Give each machine a data directory of its own.",
        );
    }
    ok("copies", "each node's key is in use once")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_bounded_and_the_rest_counted() {
        let mut copies = Copies::default();
        let services = (0..NAMED_MAX + 3).map(|n| format!("main/s{n}/v1")).collect();
        copies.note(&Notice::LostWithTwin { services, from: Vec::new() });
        copies.note(&Notice::Writable);
        assert_eq!((copies.lost.len(), copies.unnamed, copies.took.len()), (NAMED_MAX, 3, 0));
    }
}
