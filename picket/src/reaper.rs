//! Children of this process that ended.
//!
//! The picket is the parent of the fulcrum and of the keepers, and the one to which orphans fall: of a keeper
//! that was killed, and in a container, where it is process 1, of everything. A process that is not reaped stays
//! in the system's table for ever, so all of them are, in one place: other code that waits for a child of
//! this process would find that it is gone.

use rustix::process::{Pid, WaitOptions, WaitStatus, getpid, set_child_subreaper, wait};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How many are reaped before anything else gets its turn: more than a node starts.
const AT_ONCE: usize = 256;

/// Reaps the children of this process.
#[derive(Debug)]
pub struct Reaper {
    signals: Signal,
    /// More may have ended than were reaped.
    has_more: bool,
}

/// A child that ended and was reaped: its number may be another process's from now on.
#[derive(Debug, Clone, Copy)]
pub struct Reaped {
    /// The number that it had.
    pub pid: Pid,
    /// How it ended.
    pub status: WaitStatus,
}

impl Reaper {
    /// Has orphans below this process fall to it, and notices from now on who ends.
    ///
    /// # Errors
    /// Those of the system.
    pub fn start() -> std::io::Result<Self> {
        set_child_subreaper(Some(getpid()))?;
        // Those that ended before are found at the first look.
        Ok(Self { signals: signal(SignalKind::child())?, has_more: true })
    }

    /// Those that ended since the last time; not empty. May be dropped at any time and called again: nobody is
    /// reaped before this returns.
    pub async fn next(&mut self) -> Vec<Reaped> {
        loop {
            if !self.has_more {
                self.signals.recv().await;
            }
            let reaped: Vec<_> = std::iter::from_fn(reap).take(AT_ONCE).collect();
            self.has_more = reaped.len() == AT_ONCE;
            if !reaped.is_empty() {
                return reaped;
            }
        }
    }
}

/// One that ended; none: nobody did, or there are no children.
fn reap() -> Option<Reaped> {
    let (pid, status) = wait(WaitOptions::NOHANG).ok().flatten()?;
    Some(Reaped { pid, status })
}
