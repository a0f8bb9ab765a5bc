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

pub(super) fn run(args: Args, ui: &mut Ui) -> Result<(), Error> {
    let checks = block_on(async { ui.connect(args.wait.timeout).await?.doctor().await })?;
    ui.answer(&checks, || text(&checks))?;
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
