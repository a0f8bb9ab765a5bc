//! At the end: one state, one leader, whose claim everybody stores.

use std::collections::BTreeSet;
use std::fmt::Debug;

use super::super::history::History;
use super::{Finale, Violation};

pub(super) fn check(history: &History, finale: &Finale, found: &mut Vec<Violation>) {
    let digests: Vec<_> = finale.digests.iter().flatten().collect();
    let names: Vec<_> = finale.hosts.iter().map(|host| history.hosts[*host].as_str()).collect();
    one(&names, "digest", &digests, found);
    let leaders: Vec<_> = finale.leaders.iter().collect();
    one(&names, "leader", &leaders, found);
    for (name, principal) in names.iter().zip(&finale.principals) {
        let stored = principal.as_ref().is_some_and(|known| finale.accepted.contains(known));
        if !stored {
            found.push(Violation::Disagreed(format!("{name} did not store the leader's claim")));
        }
    }
}

/// Everybody says something, and the same.
fn one(names: &[&str], what: &str, said: &[&Option<impl Ord + Debug>], found: &mut Vec<Violation>) {
    let all: BTreeSet<_> = said.iter().collect();
    let silent = said.iter().position(|said| said.is_none());
    if let Some(silent) = silent {
        let name = names[silent % names.len()];
        found.push(Violation::Disagreed(format!("{name} says no {what}")));
    } else if all.len() != 1 {
        found.push(Violation::Disagreed(format!("more than one {what}: {all:?}")));
    }
}
