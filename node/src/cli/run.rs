//! `run`

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::Ui;
use crate::config::{self, Layer};
use crate::error::Error;
use crate::parts::{Part, Stop, Supervisor};
use crate::reload::Reload;
use crate::{arena, private, shutdown, startup, telemetry};

/// How long to wait, after everything stopped in order, for work that cannot be stopped.
const GRACE: Duration = Duration::from_secs(1);
/// After how many polls of tasks it is looked for events while there is always something to do. While
/// blobs move a poll may take a millisecond, and at tokio's 61 others would wait for that long each.
const EVENT_INTERVAL: u32 = 4;
/// How much nicer work on blobs is than the rest of the node: its share of a busy core is a third.
const NICER: i32 = 5;

/// Run a node
///
/// Makes the data directory if there is none.
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

pub(super) fn run(args: Args, ui: &mut Ui) -> Result<(), Error> {
    if ui.env().is_own() {
        private::keep_memory_private()?;
        private::take_all_descriptors();
        arena::have_one();
    }
    let mut flags = args.settings;
    flags.log_format = flags.log_format.or_else(|| ui.json().then(|| "json".to_owned()));
    let mut config = config::load(flags.clone(), ui.env())?;
    config.rejoin = args.rejoin;
    let parts = Supervisor::default();
    let log = telemetry::init(&config, ui.colours_errors(), &parts)?;
    let outlet = log.outlet();
    if ui.env().is_own() {
        // The error that ends the node waits for nobody either.
        ui.set_err(Box::new(outlet.clone()));
    }
    let reload = Reload { flags, env: ui.env().clone(), running: config.clone(), log };
    // One thread: a node mostly waits, and waking workers across threads would double what it costs
    // when idle. The database has a thread of its own, so nothing here waits for the disk.
    // What does wait for it, or hashes, runs on threads that step back for everybody else.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .on_thread_start(step_back)
        .event_interval(EVENT_INTERVAL)
        .build();
    let runtime = runtime.map_err(|err| Error::io("starting the runtime", &err))?;
    let result = runtime.block_on(async {
        shutdown::outlive_others()?;
        parts.task(Part::Reload, Stop::Drop, reload.at_each(shutdown::hangups()?));
        let last_words = outlet.clone();
        let give_up = move || last_words.flush();
        let stop = shutdown::requested(&parts, config.stop_with_stdin, give_up)?;
        startup::run(config, &parts, stop).await
    });
    runtime.shutdown_timeout(GRACE);
    outlet.mend(&parts);
    outlet.flush();
    result
}

/// Lets this thread run when nothing more urgent does.
fn step_back() {
    // Of the calling thread only, on Linux. Where it is refused, things only wait longer.
    if let Ok(nice) = rustix::process::getpriority_process(None) {
        rustix::process::setpriority_process(None, nice + NICER).ok();
    }
}
