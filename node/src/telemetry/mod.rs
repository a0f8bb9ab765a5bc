//! The log: lines go to standard error, so that standard output has answers only.
//!
//! | module | what it does |
//! |---|---|
//! | `outlet` | a queue and a thread: the node never waits for the reader of its log |
//! | `flood` | a rate limit for each place in the program that logs |

mod flood;
mod outlet;

use std::sync::OnceLock;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt, reload};

use crate::config::{Config, LogFormat};
use crate::error::{Error, Kind};
use crate::parts::Supervisor;
pub(crate) use flood::{NOTICES, leave_out, left_out};
pub(crate) use outlet::{Health, Outlet};

/// The log of this process, once there is one.
static LOG: OnceLock<Outlet> = OnceLock::new();

/// How the log of this process fares; none where it has none.
pub(crate) fn health() -> Option<Health> {
    LOG.get().map(Outlet::health)
}

/// A running log.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    outlet: Outlet,
    filter: reload::Handle<EnvFilter, Registry>,
}

impl Log {
    /// Changes what is logged.
    ///
    /// # Errors
    /// [`Kind::InvalidConfig`] when these are no directives.
    pub(crate) fn set_filter(&self, directives: &str) -> Result<(), Error> {
        let wrong = |err: String| Error::new(Kind::InvalidConfig, err).with_field("key", "log");
        let filter: EnvFilter = directives.parse().map_err(|err| wrong(format!("{err}")))?;
        // Fails where this log is not the process's, as in tests.
        self.filter.reload(filter).map_err(|err| wrong(err.to_string()))
    }

    /// Where lines go that are no log lines, such as the error that ends the node.
    pub(crate) fn outlet(&self) -> Outlet {
        self.outlet.clone()
    }
}

/// Starts logging as configured, coloured or not, and logs panics. Where somebody already did, as in tests, what this
/// process logs goes where it went.
///
/// # Errors
/// What the system says when there is no thread for it.
pub(crate) fn init(config: &Config, colours: bool, parts: &Supervisor) -> Result<Log, Error> {
    let outlet = Outlet::to_stderr(config.log_format, parts);
    let outlet = outlet.map_err(|err| Error::io("starting the log", &err))?;
    let (filter, handle) = reload::Layer::new(EnvFilter::new(&config.log));
    let lines = fmt::layer()
        .with_writer(outlet.clone())
        // Told to standard error as well, which may be what failed.
        .log_internal_errors(false);
    let lines = match config.log_format {
        LogFormat::Text => lines.fmt_fields(crate::plain::fields()).with_ansi(colours).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let flood = flood::Flood::new(outlet.clone());
    let log = tracing_subscriber::registry().with(filter).with(flood).with(lines);
    if log.try_init().is_ok() {
        LOG.get_or_init(|| outlet.clone());
        std::panic::set_hook(Box::new(log_panic));
    }
    Ok(Log { outlet, filter: handle })
}

/// By default a panic is written to standard error by the thread that panics, which then waits for
/// whoever reads it.
fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("no message");
    let at = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let backtrace = std::backtrace::Backtrace::capture();
    match backtrace.status() {
        std::backtrace::BacktraceStatus::Captured => {
            tracing::error!(at, thread, %backtrace, "a bug, the thread panicked: {message}");
        }
        _ => tracing::error!(at, thread, "a bug, the thread panicked: {message}"),
    }
}
