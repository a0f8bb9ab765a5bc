//! Nobody ever shows what nobody registered.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::history::{Asked, History, KeyId, Outcome, Value};
use super::{Finale, Violation};

pub(super) fn check(history: &History, finale: &Finale, found: &mut Vec<Violation>) {
    let first_asked = first_asked(history);
    let mut judge = |by: usize, at: Duration, key: KeyId, value: Value| {
        let asked = first_asked.get(&(key, value)).is_some_and(|asked| *asked <= at);
        if !asked {
            let key = format!("{} at {}", history.show(key), value.address());
            found.push(Violation::Invented { key, by: history.hosts[by].clone(), at });
        }
    };
    for call in &history.calls {
        if let Asked::Query(shown) = &call.asked {
            shown.iter().for_each(|(key, value)| judge(call.host, call.to, *key, *value));
        }
    }
    for (host, shown) in finale.hosts.iter().zip(&finale.shown) {
        let shown = shown.iter().flatten();
        shown.for_each(|(key, value)| judge(*host, history.end(), *key, *value));
    }
}

/// When each value was asked for, unless the node said that it refused.
fn first_asked(history: &History) -> BTreeMap<(KeyId, Value), Duration> {
    let asked = history.calls.iter().filter_map(|call| match (&call.asked, &call.outcome) {
        (_, Outcome::Failed(_) | Outcome::Absent) => None,
        (Asked::Register(key, value) | Asked::RegisterSynced(key, value), _) => {
            Some(((*key, *value), call.from))
        }
        _ => None,
    });
    asked.collect()
}
