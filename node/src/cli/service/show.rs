//! `service check`, `service show`

use std::path::PathBuf;

use crux_client::op::{ShowService, Shown};
use serde_json::json;

use super::{Ui, Wait, config, named};
use crate::error::Error;
use crate::services;

/// Check the config in a file, without a node
///
/// Says what is wrong, with line and column, and runs nothing.
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// The file, or `-` for standard input
    file: PathBuf,
}

/// Print the config of a service, as `service add` reads it back
///
/// TOML, and with --json JSON; both read back to the same.
#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// Name of the service
    name: String,
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn check(args: &Check, ui: &mut Ui) -> Result<(), Error> {
    let draft = config::read(&args.file)?;
    let (service, rev) = (draft.name.to_string(), draft.rev.to_string());
    let answer = json!({ "service": service, "rev": rev });
    ui.answer(&answer, || format!("{service} {rev}: the config is valid"))
}

pub(super) fn show(args: &Show, ui: &mut Ui) -> Result<(), Error> {
    let Shown { config, .. } = ui.call(&ShowService { service: named(&args.name)? }, args.wait)?;
    let text = services::print(&config)?;
    ui.answer(&config, || text)
}
