//! Ctrl-C, SIGTERM and a closed terminal, all the same to us.

use std::future::Future;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::Error;

/// The signals that ask this program to stop.
#[derive(Debug)]
pub(super) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl StopSignals {
    /// Listens from now on, so that a signal during start-up is not lost.
    pub(super) fn listen() -> Result<Self, Error> {
        let to = |kind| signal(kind).map_err(Error::io("listen to signals"));
        Ok(Self {
            interrupt: to(SignalKind::interrupt())?,
            terminate: to(SignalKind::terminate())?,
            hangup: to(SignalKind::hangup())?,
        })
    }

    /// Returns at the first of them.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

/// Runs `work`, or gives it up when this program is asked to stop; its processes are then killed
/// as their owners are dropped.
pub(super) async fn or_stopped(work: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let mut stop = StopSignals::listen()?;
    tokio::select! {
        done = work => done,
        () = stop.next() => Err(Error::Broken("stopped by a signal; all its processes are killed".to_owned())),
    }
}
