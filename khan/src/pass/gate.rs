//! Whether a service may start.

use crate::Checked;
use crate::checked::{Amount, Cond, PickId};
use crate::ratio::Ratio;
use crate::solve::{Solution, value_of};
use crate::world::World;

use super::Stages;

/// Whether instances of a service may start now, by its `start … after …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// Whether all conditions hold.
    pub open: bool,
    /// Each condition, as `good[db.ready: actual(2) >= target(2)]`; without any, `no constraints`.
    pub why: String,
}

/// The gate of a service. In amounts, the name of a pick is the set of nodes that the solution gives it. A share counts
/// against what the program wants of a service in all; of one whose number has no value no share is met.
pub fn gate(
    checked: &Checked,
    world: &World,
    solution: &Solution,
    pick: PickId,
    stages: &Stages,
) -> Gate {
    let afters = checked.afters().iter().filter(|after| after.pick == pick);
    let verdict = |cond: &Cond| {
        let (Amount::Count(number) | Amount::Percent(number)) = &cond.amount;
        let target = value_of(checked, world, solution, number);
        let actual = stages.count(&checked.pick(cond.pick).service, cond.stage);
        let compared = target.and_then(|target| compare(cond, actual, target, solution));
        compared.unwrap_or_else(|why| (false, why))
    };
    let mut gate = Gate { open: true, why: String::new() };
    for cond in afters.flat_map(|after| &after.conds) {
        let (good, text) = verdict(cond);
        gate.open &= good;
        let space = if gate.why.is_empty() { "" } else { " " };
        let word = if good { "good" } else { "bad" };
        let (service, stage) = (&checked.pick(cond.pick).service, cond.stage.word());
        gate.why += &format!("{space}{word}[{service}.{stage}: {text}]");
    }
    if gate.why.is_empty() {
        gate.why = "no constraints".to_owned();
    }
    gate
}

/// Whether so many are enough, and the sentence that says so.
fn compare(
    cond: &Cond,
    actual: u32,
    target: Ratio,
    of: &Solution,
) -> Result<(bool, String), String> {
    let now = Ratio::integer(actual.into());
    match cond.amount {
        Amount::Count(_) => Ok(compared(now >= target, &actual.to_string(), &target.to_string())),
        Amount::Percent(_) => {
            let wanted = of.of(cond.pick).count.ok_or("the number wanted has no value")?;
            let share = share(actual, wanted);
            Ok(compared(share >= target, &percent(share), &percent(target)))
        }
    }
}

fn compared(good: bool, actual: &str, target: &str) -> (bool, String) {
    let sign = if good { ">=" } else { "<" };
    (good, format!("actual({actual}) {sign} target({target})"))
}

/// The share in percent. Of nothing, all is there.
fn share(actual: u32, wanted: u32) -> Ratio {
    let share = Ratio::new(i128::from(actual) * 100, wanted.into());
    share.unwrap_or_else(|| Ratio::integer(100))
}

/// With one decimal place, rounded half up.
fn percent(share: Ratio) -> String {
    let Some(twice) = share.checked_mul(Ratio::integer(20)) else { return format!("{share}%") };
    let tenths = (twice.numerator().div_euclid(twice.denominator()) + 1).div_euclid(2);
    let (sign, tenths) = (if tenths < 0 { "-" } else { "" }, tenths.unsigned_abs());
    format!("{sign}{}.{}%", tenths / 10, tenths % 10)
}
