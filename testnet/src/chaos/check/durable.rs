//! Nothing acknowledged is lost, nothing removed is back.

use super::super::history::{Call, History};
use super::possible::{May, show, tracks};
use super::{Finale, Violation};

pub(super) fn check(history: &History, finale: &Finale, found: &mut Vec<Violation>) {
    for (key, track) in tracks(history) {
        let may = track.at_the_end();
        for (host, shown) in finale.hosts.iter().zip(&finale.shown) {
            let Some(shown) = shown else { continue };
            let there = shown.get(&key).copied();
            if may.contains(&there) {
                continue;
            }
            let (key, by) = (history.show(key), history.hosts[*host].clone());
            let is = show(&May::from([there]));
            let because =
                format!("{is} instead of {}; {}", show(&may), last(track.last_acknowledged()));
            found.push(match there {
                None => Violation::Lost { key, by, because },
                Some(_) => Violation::Resurrected { key, by, because },
            });
        }
    }
}

fn last(call: Option<&Call>) -> String {
    call.map_or_else(
        || "nothing was acknowledged".to_owned(),
        |call| format!("acknowledged last at {:.3?}: {:?}", call.to, call.asked),
    )
}
