//! `doctor`

use super::output::block_on;
use super::{Ui, Wait, table};
use crate::error::{Error, Kind};
use crate::fulcrum::request::{Check, CheckResult};

/// Check what commonly goes wrong, and say what to do
///
/// Each line is ok, warn or fail. Fails when a check does.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let (checks, result) =
        match block_on(async { ui.connect(args.wait.timeout).await?.doctor().await }) {
            Ok(checks) => {
                let socket = check(CheckResult::Ok, "the node answers".to_owned(), None);
                let checks: Vec<_> = std::iter::once(socket).chain(checks).collect();
                let result = verdict(&checks);
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

/// Fails when a check did.
fn verdict(checks: &[Check]) -> Result<(), Error> {
    let failed = |check: &&Check| check.result == CheckResult::Fail;
    match checks.iter().filter(failed).count() {
        0 => Ok(()),
        1 => Err(Error::new(Kind::CheckFailed, "one check failed")),
        count => Err(Error::new(Kind::CheckFailed, format!("{count} checks failed"))),
    }
}

pub(super) fn text(checks: &[Check]) -> String {
    let row = |check: &Check| {
        let detail = match &check.hint {
            Some(hint) => format!("{}\n→ {hint}", check.detail),
            None => check.detail.clone(),
        };
        [check.result.as_str().to_owned(), check.name.clone(), detail]
    };
    table::render(["RESULT", "CHECK", "DETAIL"], checks.iter().map(row).collect())
}
