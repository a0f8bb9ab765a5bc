//! `run`
//!
//! ```text
//!   run ──▶ settings ─┬─ services = true ───▶ `picket`: locks the directory, starts `fulcrum`, watches it
//!                     └─ services = false ──▶ `node`, here
//!   fulcrum ──▶ settings from the picket ───▶ `node`, with the link to the picket
//! ```

pub(super) mod handed;
pub(super) mod node;
mod picket;
#[cfg(test)]
mod tests;

use super::Ui;
use crate::config::{self, Layer};
use crate::error::{Error, Exit};
use crate::{arena, private};

/// Run a node
///
/// Makes the data directory if there is none.
///
/// It is two processes: this one, the picket, starts the other one, the fulcrum, and starts it again if it ends
/// without a reason to. Signals go to this one. With --services off it is one process.
///
/// SIGTERM, SIGINT (Ctrl-C) and SIGQUIT stop the node without leaving the flock; `leave` leaves. A
/// second one, a second or more later, ends it at once. A node that left refuses to start, with exit code 5,
/// until it is started once with --rejoin, so that a supervisor does not undo `leave`. SIGHUP has it read the configuration file and
/// the secret file again: what is logged changes at once, and the log names each other setting that
/// changed, which takes a restart. SIGUSR1 and SIGUSR2 do nothing.
///
/// Settings come from flags, then the environment, then the file, then defaults. The flag
/// `--some-key` is `CRUX_SOME_KEY` in the environment, with commas between entries, and `some_key`
/// in the file; `--label` is `CRUX_LABELS` and the table `labels`, `--blob-dir` is
/// `CRUX_BLOB_DIRS`. The secret itself may be in `CRUX_SECRET`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    settings: Layer,
    /// Start a node that left, too: it is a member again
    #[arg(long)]
    rejoin: bool,
}

impl Args {
    /// The settings that the flags give.
    pub(super) fn flags(&self, ui: &Ui) -> Layer {
        let mut flags = self.settings.clone();
        flags.log_format = flags.log_format.or_else(|| ui.json().then(|| "json".to_owned()));
        flags
    }
}

/// Keeps this process to itself, before it has anything that others may want.
pub(super) fn begin() -> Result<(), Error> {
    private::keep_memory_private()?;
    private::take_all_descriptors();
    Ok(())
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, Error> {
    if ui.env().is_own() {
        begin()?;
        // The programs that it starts inherit the setting.
        arena::have_one();
    }
    let flags = args.flags(ui);
    let (mut config, given) = config::load(flags.clone(), ui.env())?;
    config.rejoin = args.rejoin;
    // Where the environment is made up, this process is not the node's own.
    if config.services && ui.env().is_own() {
        return picket::run(&config, given, flags, ui);
    }
    node::run(config, flags, None, ui).map(|()| Exit::Done)
}
