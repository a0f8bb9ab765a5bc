//! Of one node, a later acceptance is never of a smaller claim.
//!
//! A node forgets the fence of one who was retired or left; but the next leader claims above all that it saw.
//! So no smaller claim is accepted in a run without a liar, and the check makes no exception.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::history::{Asked, Claim, Fate, History};
use super::Violation;

/// An acceptance: within these times, of this claim.
type Acceptance<'a> = (Duration, Duration, &'a Claim);

pub(super) fn check(history: &History, found: &mut Vec<Violation>) {
    let mut of: BTreeMap<&str, Vec<Acceptance<'_>>> = BTreeMap::new();
    for call in &history.calls {
        let Asked::Ping(Some((claim, accepted))) = &call.asked else { continue };
        for principal in accepted {
            of.entry(principal).or_default().push((call.from, call.to, claim));
        }
    }
    // A fence that was on a disk is gone with it. The history does not say which disk it was;
    // such losses are few.
    let lost: Vec<Duration> = history
        .fates
        .iter()
        .filter(|(_, _, fate)| matches!(fate, Fate::Wiped | Fate::Rekeyed))
        .map(|(at, _, _)| *at)
        .collect();
    for (principal, accepted) in of {
        judge(principal, accepted, &lost, found);
    }
}

fn judge(
    principal: &str,
    mut accepted: Vec<Acceptance<'_>>,
    lost: &[Duration],
    found: &mut Vec<Violation>,
) {
    accepted.sort_by_key(|(_, to, _)| *to);
    for (at, (from, _, claim)) in accepted.iter().enumerate() {
        let since = lost.iter().filter(|lost| *lost <= from).max();
        // Only what had ended when this one was asked for is certain to be before it.
        let before = accepted[..at]
            .iter()
            .filter(|(began, ended, _)| ended < from && since.is_none_or(|since| began > since));
        if let Some((_, _, greater)) = before.max_by_key(|(_, _, claim)| *claim)
            && greater > claim
        {
            found.push(Violation::FenceWentBack {
                principal: principal.to_owned(),
                before: greater.to_string(),
                after: claim.to_string(),
                at: *from,
            });
        }
    }
}
