//! `doctor`

use crux_client::model::{Check, CheckResult};
use crux_client::op::Doctor;

use super::table::Cell;
use super::{Ui, Wait, table};
use crate::error::{Error, Kind};

/// Check what commonly goes wrong, and say what to do
///
/// Each line is ok, warn or fail. Fails when a check does; with `--strict` also when one warns.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Fail on a warning, too
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let (checks, result) = match ui.call(&Doctor, args.wait) {
        Ok(checks) => {
            let socket = check(CheckResult::Ok, "the node answers".to_owned(), None);
            let checks: Vec<_> = std::iter::once(socket).chain(checks).collect();
            let result = verdict(&checks, args.strict);
            (checks, result)
        }
        Err(err) if matches!(err.kind(), Kind::NoNode | Kind::TimedOut) => {
            (vec![check(CheckResult::Fail, err.to_string(), err.hint())], Err(err))
        }
        Err(err) => return Err(err),
    };
    ui.answer(&checks, || text(&checks))?;
    result
}

/// The line about the control socket, which only this side of it can write.
fn check(result: CheckResult, detail: String, hint: Option<&str>) -> Check {
    Check { name: "socket".to_owned(), result, detail, hint: hint.map(str::to_owned) }
}

/// Fails when a check did, or warned where that counts.
fn verdict(checks: &[Check], strict: bool) -> Result<(), Error> {
    let count = |result| checks.iter().filter(|check| check.result == result).count();
    let failed = |what: String| Err(Error::new(Kind::CheckFailed, what));
    match (count(CheckResult::Fail), count(CheckResult::Warn)) {
        (0, warned) if strict && warned > 0 => match warned {
            1 => failed("one check warned".to_owned()),
            _ => failed(format!("{warned} checks warned")),
        },
        (0, _) => Ok(()),
        (1, _) => failed("one check failed".to_owned()),
        (count, _) => failed(format!("{count} checks failed")),
    }
}

pub(super) fn text(checks: &[Check]) -> String {
    let mut rows = Vec::new();
    for check in checks {
        let result = Cell::painted(check.result, check.result.as_str());
        rows.push([result, check.name.as_str().into(), check.detail.as_str().into()]);
        let hint = check.hint.iter().map(|hint| ["".into(), "".into(), format!("→ {hint}").into()]);
        rows.extend(hint);
    }
    table::render(["RESULT", "CHECK", "DETAIL"], rows)
}
