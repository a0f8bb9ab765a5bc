//! A node shows what it acknowledged itself, at once and after a crash.

use super::super::history::{Asked, Call, Fate, History, KeyId, Outcome, Value};
use super::Violation;
use super::possible::{May, show, tracks};

pub(super) fn check(history: &History, found: &mut Vec<Violation>) {
    let tracks = tracks(history);
    for call in &history.calls {
        // A node that lost its disk knows only what others tell it, until they have.
        let lost = history.fates.iter().any(|(at, host, fate)| {
            *host == call.host && *at < call.to && matches!(fate, Fate::Wiped | Fate::Rekeyed)
        });
        if lost {
            continue;
        }
        if call.outcome == Outcome::Absent
            && let Asked::Deregister(key) = &call.asked
        {
            let may = tracks.get(key).map(|track| track.during(call.from, call.to));
            judge(history, *key, call, None, &may.unwrap_or_default(), found);
        }
        let (Asked::Query(shown), Outcome::Done) = (&call.asked, &call.outcome) else { continue };
        let own = tracks.iter().filter(|(key, _)| history.key_of(**key).host == call.host);
        for (key, track) in own {
            let there = shown.iter().find(|(shown, _)| shown == key).map(|(_, value)| *value);
            let may = track.during(call.from, call.to);
            judge(history, *key, call, there, &may, found);
        }
    }
}

fn judge(
    history: &History,
    key: KeyId,
    call: &Call,
    there: Option<Value>,
    may: &May,
    found: &mut Vec<Violation>,
) {
    if !may.contains(&there) {
        let because = format!("{} instead of {}", show(&May::from([there])), show(may));
        found.push(Violation::Denied { key: history.show(key), at: call.to, because });
    }
}
