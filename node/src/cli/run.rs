//! `run`

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::Ui;
use crate::config::{self, Layer, Source};
use crate::error::{Error, Kind};
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
/// second one, a second or more later, ends it at once. SIGHUP has it read the configuration file and
/// the secret file again: what is logged changes at once, and the log names each other setting that
/// changed, which takes a restart. SIGUSR1 and SIGUSR2 do nothing.
///
/// Settings come from flags, then the environment, then the file, then defaults. The flag
/// `--some-key` is `CRUX_SOME_KEY` in the environment, with commas between entries, and `some_key`
/// in the file; `--label` is `CRUX_LABELS` and the table `labels`, `--blob-dir` is
/// `CRUX_BLOB_DIRS`. The secret itself may be in `CRUX_SECRET`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// File with more settings, in TOML
    #[arg(long, value_name = "F")]
    config: Option<PathBuf>,
    /// File with the flock's secret
    #[arg(long, value_name = "F")]
    secret_file: Option<PathBuf>,
    /// Address to listen at; port 0 picks one. The next two ports are the node's, too
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<String>,
    /// Where others reach this node, if that differs (can be repeated)
    #[arg(long, value_name = "HOST:PORT")]
    advertise: Vec<String>,
    /// Name to claim: at most 55 lower-case letters, digits and `-`
    #[arg(long, value_name = "N")]
    name: Option<String>,
    /// Node to call until it answers (can be repeated)
    #[arg(long, value_name = "HOST:PORT")]
    join: Vec<String>,
    /// What to tell others about this node (can be repeated)
    #[arg(long, value_name = "K=V")]
    label: Vec<String>,
    /// Look for nodes on the link
    #[arg(long, value_name = "on|off", value_parser = switch)]
    mdns: Option<bool>,
    /// Directory on another disk to keep blobs in, too; it has to be there (can be repeated)
    #[arg(long, value_name = "D")]
    blob_dir: Vec<PathBuf>,
    /// Directory whose files are made blobs where they are, at each start
    #[arg(long, value_name = "D")]
    preload: Option<PathBuf>,
    /// How many bytes blobs may take, as in 20GiB; by default what the disk holds
    #[arg(long, value_name = "SIZE")]
    blob_quota: Option<String>,
    /// How many bytes of blobs to send a second at most, as in 20MiB
    #[arg(long, value_name = "RATE")]
    blob_up_rate: Option<String>,
    /// How many bytes of blobs to fetch a second at most
    #[arg(long, value_name = "RATE")]
    blob_down_rate: Option<String>,
    /// How many bytes the replica may take in memory, at least 16MiB; a full node takes in no
    /// further members
    #[arg(long, value_name = "SIZE")]
    replica_max: Option<String>,
    /// What to log, as in `warn,crux_node=debug`
    #[arg(long, value_name = "DIRECTIVES")]
    log: Option<String>,
    /// How to log: `text` or `json`; JSON with `--json`
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Stop when standard input closes
    #[arg(long)]
    stop_with_stdin: bool,
}

pub(super) fn run(args: Args, ui: &mut Ui) -> Result<(), Error> {
    if ui.env().is_own() {
        private::keep_memory_private()?;
        private::take_all_descriptors();
        arena::have_one();
    }
    let flags = layer(args, ui)?;
    let config = config::load(flags.clone(), ui.env())?;
    let log = telemetry::init(&config)?;
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
        tokio::spawn(reload.at_each(shutdown::hangups()?));
        let last_words = outlet.clone();
        let stop = shutdown::requested(config.stop_with_stdin, move || last_words.flush())?;
        startup::run(config, stop).await
    });
    runtime.shutdown_timeout(GRACE);
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

/// What the flags say.
fn layer(args: Args, ui: &Ui) -> Result<Layer, Error> {
    let some = |list: Vec<String>| Some(list).filter(|list| !list.is_empty());
    let json = ui.json().then(|| "json".to_owned());
    Ok(Layer {
        source: Source::Flags,
        config: args.config,
        secret_file: args.secret_file,
        listen: args.listen,
        data_dir: ui.data_dir_flag(),
        advertise: some(args.advertise),
        name: args.name,
        join: some(args.join),
        labels: labels(&args.label)?,
        stop_with_stdin: args.stop_with_stdin.then_some(true),
        mdns: args.mdns,
        blob_dirs: Some(args.blob_dir).filter(|dirs| !dirs.is_empty()),
        preload: args.preload,
        blob_quota: args.blob_quota,
        blob_up_rate: args.blob_up_rate,
        blob_down_rate: args.blob_down_rate,
        replica_max: args.replica_max,
        log: args.log,
        log_format: args.log_format.or(json),
    })
}

fn labels(all: &[String]) -> Result<Option<BTreeMap<String, String>>, Error> {
    let mut labels = BTreeMap::new();
    for label in all {
        let wrong = |why: &str| {
            let message = format!("--label {label}: {why}");
            Error::new(Kind::InvalidConfig, message).with_field("key", "--label")
        };
        let (key, value) = label.split_once('=').ok_or_else(|| wrong("there is no `=` in it"))?;
        if labels.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(wrong("the key is given twice"));
        }
    }
    Ok(Some(labels).filter(|labels| !labels.is_empty()))
}

fn switch(s: &str) -> Result<bool, &'static str> {
    match s {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("it is neither on nor off"),
    }
}
