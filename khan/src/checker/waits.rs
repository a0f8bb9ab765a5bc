//! The order of starts: every service in it is picked, and none waits for itself.

use std::collections::{BTreeMap, BTreeSet};

use super::path;
use super::sort::sort;
use super::values::Values;
use crate::checked::{After, Amount, Cond, Number};
use crate::diagnostic::{Diagnostic, Found, Kind, quoted};
use crate::ratio::Ratio;
use crate::similar::similar;
use crate::syntax::{self, Program, State};

/// The order of starts of a program.
pub(super) fn check(program: &Program, values: &mut Values<'_>, errors: &mut Found) -> Vec<After> {
    let afters = program.afters.iter().filter_map(|after| value(after, values, errors)).collect();
    circles(&program.afters, errors);
    afters
}

fn value(after: &syntax::After, values: &mut Values<'_>, errors: &mut Found) -> Option<After> {
    let pick = values.pick_of(&after.what.service.text);
    if pick.is_none() {
        errors.push(not_picked(&after.what, "has no start to hold back", values));
    }
    let conds: Vec<_> = after.conds.iter().map(|it| cond(it, values, errors)).collect();
    let conds: Option<Vec<Cond>> = conds.into_iter().collect();
    Some(After { pick: pick?, conds: conds? })
}

fn cond(cond: &syntax::Cond, values: &mut Values<'_>, errors: &mut Found) -> Option<Cond> {
    let pick = values.pick_of(&cond.state.service.text);
    if pick.is_none() {
        errors.push(not_picked(&cond.state, "never gets there", values));
    }
    let amount = match &cond.amount {
        syntax::Amount::Whole => Some(Amount::Percent(Number::Literal(Ratio::integer(100)))),
        syntax::Amount::Count(it) => values.number(it, "a condition", errors).map(Amount::Count),
        syntax::Amount::Percent(it) => {
            values.number(it, "a condition", errors).map(Amount::Percent)
        }
    };
    Some(Cond { amount: amount?, pick: pick?, stage: cond.state.stage })
}

fn not_picked(state: &State, label: &str, values: &Values<'_>) -> Diagnostic {
    let service = &state.service.text;
    let message = format!("nothing picks the service {}", quoted(service));
    let error = Diagnostic::new(Kind::NotPicked, state.span, message).with_label(label);
    match similar(service, values.services()) {
        Some(near) => error.with_help(format!("did you mean `{near}`?")),
        None => error.with_help("pick it, or remove the condition"),
    }
}

/// Reports services that wait for themselves.
fn circles(afters: &[syntax::After], errors: &mut Found) {
    let services = afters.iter().map(|it| it.what.service.text.as_str());
    let services: BTreeSet<&str> = services.collect();
    let services: Vec<&str> = services.into_iter().collect();
    let mut waits = vec![BTreeSet::new(); services.len()];
    let mut places = BTreeMap::new();
    for after in afters {
        let Ok(what) = services.binary_search(&after.what.service.text.as_str()) else { continue };
        for cond in &after.conds {
            // A service without a rule of its own waits for nothing.
            if let Ok(on) = services.binary_search(&cond.state.service.text.as_str()) {
                waits[what].insert(on);
                places.entry((what, on)).or_insert(cond.state.span);
            }
        }
    }
    for circle in sort(&waits).circles {
        let names: Vec<&str> = circle.iter().map(|&at| services[at]).collect();
        let next = circle.iter().cycle().skip(1);
        let mut spans = circle.iter().zip(next).filter_map(|(&what, &on)| places.get(&(what, on)));
        let span = spans.next().copied().unwrap_or_default();
        let message = format!("{} waits for itself: {}", quoted(names[0]), path(&names));
        let error = Diagnostic::new(Kind::WaitCircle, span, message).with_label("waits for this");
        let error =
            spans.take(3).fold(error, |it, span| it.with_context(*span, "which waits for this"));
        errors.push(error);
    }
}
