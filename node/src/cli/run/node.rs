//! The process that is the node.

use std::os::unix::net::UnixStream;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::cli::Ui;
use crate::config::{Config, Layer};
use crate::error::Error;
use crate::lock::DataDir;
use crate::parts::{Part, Stop, Supervisor};
use crate::reload::{FlockLog, Hangups, Reload};
use crate::shutdown;
use crate::startup::{self, Tie};
use crate::telemetry::{self, Outlet};

/// How long to wait, after everything stopped in order, for work that cannot be stopped.
pub(super) const GRACE: Duration = Duration::from_secs(1);
/// After how many polls of tasks it is looked for events while there is always something to do. While
/// blobs move a poll may take a millisecond, and at tokio's 61 others would wait for that long each.
const EVENT_INTERVAL: u32 = 4;
/// How much nicer work on blobs is than the rest of the node: its share of a busy core is a third.
const NICER: i32 = 5;

/// The link to the picket, and its process.
pub(in crate::cli) type Picket = (UnixStream, u32);

/// Runs the node until it is stopped: by signals, or by the picket where there is one.
pub(in crate::cli) fn run(
    config: Config,
    flags: Layer,
    picket: Option<Picket>,
    ui: &mut Ui,
) -> Result<(), Error> {
    let parts = Supervisor::default();
    let log = telemetry::init(&config, ui.colours_errors(), &parts)?;
    let outlet = log.outlet();
    if ui.env().is_own() {
        // The error that ends the node waits for nobody either.
        ui.set_err(Box::new(outlet.clone()));
    }
    let reload =
        Reload { flags, env: ui.env().clone(), running: config.clone(), log, flock_log: None };
    // One thread: a node mostly waits, and waking workers across threads would double what it costs
    // when idle. The database has a thread of its own, so nothing here waits for the disk.
    // Tasks that do wait for it, or hash, run on threads that step back for everybody else.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .on_thread_start(step_back)
        .event_interval(EVENT_INTERVAL)
        .build();
    let runtime = runtime.map_err(|err| Error::io("starting the runtime", &err))?;
    let result = runtime.block_on(async {
        shutdown::outlive_others()?;
        match picket {
            None => alone(config, &parts, reload, &outlet).await,
            Some(picket) => below(picket, config, &parts, reload).await,
        }
    });
    runtime.shutdown_timeout(GRACE);
    outlet.mend(&parts);
    outlet.flush();
    result
}

/// The node as the only process.
async fn alone(
    config: Config,
    parts: &Supervisor,
    reload: Reload,
    outlet: &Outlet,
) -> Result<(), Error> {
    let hangups = Hangups::Signals(shutdown::hangups()?);
    let (started, views) = oneshot::channel();
    parts.task(Part::Reload, Stop::Drop, reload.at_each(hangups, FlockLog::of(views)));
    let last_words = outlet.clone();
    let give_up = move || last_words.flush();
    let stop = shutdown::requested(parts, config.stop_with_stdin, give_up)?;
    let _dir = own(&config)?;
    startup::run(config, parts, stop, None, started).await
}

/// The node as the child of a picket.
async fn below(
    (stream, picket): Picket,
    config: Config,
    parts: &Supervisor,
    reload: Reload,
) -> Result<(), Error> {
    shutdown::leave_to_picket()?;
    // One that waits reads what is there when its turn comes.
    let (tell, told) = mpsc::channel(1);
    let (started, views) = oneshot::channel();
    let hangups = Hangups::Picket(told);
    parts.task(Part::Reload, Stop::Drop, reload.at_each(hangups, FlockLog::of(views)));
    let (stop, stopped) = oneshot::channel();
    let tie = Tie { stream, picket, stop, reload: tell, addresses: Vec::new() };
    startup::run(config, parts, async { drop(stopped.await) }, Some(tie), started).await
}

/// Makes the data directory this node's, and nobody else's.
pub(super) fn own(config: &Config) -> Result<DataDir, Error> {
    // Before anything is made.
    crux_client::socket::path_in(&config.data_dir)?;
    DataDir::lock(&config.data_dir)
}

/// Lets this thread run when nothing more urgent does.
fn step_back() {
    // Of the calling thread only, on Linux. Where it is refused, things only wait longer.
    if let Ok(nice) = rustix::process::getpriority_process(None) {
        rustix::process::setpriority_process(None, nice + NICER).ok();
    }
}
