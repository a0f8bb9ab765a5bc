//! How few starts are possible.

use super::model::Model;
use super::round::Outcome;
use super::running::Running;
use crate::world::Usage;

/// A number of starts that no solution without a problem goes below: of each pick, as many as are wanted and cannot be
/// among those that run. Whatever may stay of a pick that rests on no other is known; of another, all of it might.
///
/// The count of a pick may itself rest on another. It is the same in each solution if that other rests on none and has
/// at most one instance on a node, because its size is then its count; otherwise nothing is assumed of it.
pub(super) fn starts_at_least(model: &Model<'_>, running: &Running, outcome: &Outcome) -> u32 {
    let picks = (0..model.picks.len()).filter(|pick| is_firm(model, outcome, *pick));
    picks.map(|pick| missing_at_least(model, running, outcome, pick)).sum()
}

fn is_firm(model: &Model<'_>, outcome: &Outcome, pick: usize) -> bool {
    let pick = &model.picks[pick];
    let mut in_numbers = pick.needs.iter().filter(|on| !pick.set_needs.contains(on));
    in_numbers.all(|on| {
        let rules = &outcome.placements[on.index()].rules;
        model.is_free(on.index()) && rules.as_ref().is_some_and(|rules| rules.cap <= 1)
    })
}

fn missing_at_least(model: &Model<'_>, running: &Running, outcome: &Outcome, pick: usize) -> u32 {
    let Some(rules) = &outcome.placements[pick].rules else { return 0 };
    let stays = |node: usize| {
        let here = running.count[pick][node];
        match model.usage(node) {
            Usage::Out => 0,
            Usage::Open | Usage::Keep if !model.is_free(pick) => here,
            Usage::Open | Usage::Keep if rules.set.contains(node) => here.min(rules.cap),
            Usage::Open | Usage::Keep => 0,
        }
    };
    let stay: u32 = running.nodes[pick].iter().map(stays).sum();
    rules.count.saturating_sub(stay)
}
