//! SIGHUP: the node reads its settings again, and continues.
//!
//! The flags and the environment are those of the start; the files may have changed. What is logged
//! changes at once. Of any other setting that differs the log says that it takes a restart, and of a
//! secret file that now holds another flock's secret, too. When something is wrong with the settings,
//! the log says what, and nothing changes. A secret that came through a pipe is not read again, as little as
//! one in the environment: nobody waits for a pipe in which nothing comes. There is no log file to reopen: the log goes to standard
//! error.
//!
//! The flock's `setting/log`, if there is one, goes before the node's own, from when the node knows of it.

mod flock_log;

pub(crate) use flock_log::FlockLog;

use std::sync::Arc;

use tokio::signal::unix::Signal;
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use crate::config::{self, Config, Env, Layer};
use crate::error::Error;
use crate::secret::FlockKeys;
use crate::telemetry::Log;

/// What has the settings read again.
#[derive(Debug)]
pub(crate) enum Hangups {
    /// SIGHUP.
    Signals(Signal),
    /// The picket, to which it was sent.
    Picket(mpsc::Receiver<()>),
}

impl Hangups {
    /// Waits for the next; none: there are no more.
    pub(crate) async fn next(&mut self) -> Option<()> {
        match self {
            Self::Signals(signals) => signals.recv().await,
            Self::Picket(told) => told.recv().await,
        }
    }
}

/// What is needed to read the settings again.
#[derive(Debug)]
pub(crate) struct Reload {
    /// The flags of the start.
    pub(crate) flags: Layer,
    /// The environment of the start.
    pub(crate) env: Env,
    /// The settings that the node runs with.
    pub(crate) running: Config,
    /// Where it logs.
    pub(crate) log: Log,
    /// The flock's `setting/log`, if there is one.
    pub(crate) flock_log: Option<String>,
}

impl Reload {
    /// Reads the settings again each time, and follows those of the flock, for ever.
    pub(crate) async fn at_each(mut self, mut hangups: Hangups, mut flock: FlockLog) {
        let keys = self.running.keys.clone();
        let source = Arc::new((self.flags.clone(), self.env.clone(), keys));
        loop {
            tokio::select! {
                hangup = hangups.next() => {
                    if hangup.is_none() {
                        return;
                    }
                    self.read(source.clone()).await;
                }
                log = flock.changed() => self.follow(log),
            }
        }
    }

    async fn read(&mut self, source: Arc<(Layer, Env, FlockKeys)>) {
        // Not in the loop's thread: a disk may be slow.
        let read = move || config::reload(&source.0, &source.1, &source.2);
        match tokio::task::spawn_blocking(read).await {
            Ok(Ok(new)) => self.adopt(new),
            Ok(Err(err)) => refuse(&err),
            Err(err) => error!(%err, "SIGHUP: the settings were not read"),
        }
    }

    /// The flock's `setting/log` is this one now: it goes before the node's own.
    fn follow(&mut self, log: Option<String>) {
        let filter = log.as_deref().unwrap_or(&self.running.log);
        if let Err(err) = self.log.set_filter(filter) {
            let hint = "The operator sets it again with `setting set log`; until then this node logs as before.";
            error!(%err, hint, "the flock's setting/log is wrong");
            return;
        }
        match &log {
            Some(log) => info!(log, "logging as the flock's setting/log says"),
            None => {
                info!(
                    log = self.running.log,
                    "the flock has no setting/log; logging as configured"
                );
            }
        }
        self.flock_log = log;
    }

    fn adopt(&mut self, new: Config) {
        if new.keys.genesis != self.running.keys.genesis {
            warn!("SIGHUP: the secret is another flock's now; this node stays in its flock");
        }
        for setting in self.running.differences(&new) {
            warn!(setting, "SIGHUP: the setting changed, which takes a restart");
        }
        if new.log != self.running.log {
            if let Err(err) = self.log.set_filter(&new.log) {
                return refuse(&err);
            }
            self.running.log = new.log;
            // The flock's goes before.
            if let Some(Err(err)) = self.flock_log.as_deref().map(|log| self.log.set_filter(log)) {
                return refuse(&err);
            }
        }
        info!(log = self.running.log, "SIGHUP: read the settings again");
    }
}

fn refuse(err: &Error) {
    let hint = err.hint().unwrap_or_default();
    error!(%err, hint, "SIGHUP: the settings are wrong; the node keeps its present ones");
}
