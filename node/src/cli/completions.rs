//! `completions`

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, Ui};
use crate::error::{Error, Kind};

/// Print a completion script for a shell
///
/// As in `crux-node completions bash > ~/.local/share/bash-completion/completions/crux-node`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which shell
    shell: Shell,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "crux-node", &mut script);
    let script = String::from_utf8(script)
        .map_err(|err| Error::new(Kind::Internal, err.to_string()).augment("the script"))?;
    ui.answer(&script, || script.clone())
}
