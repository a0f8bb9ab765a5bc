//! A host: a process that comes and goes, and a disk that stays.

mod disk;
mod keys;
mod pool;

use core::time::Duration;
use std::sync::Arc;

use crux_crdt::Principal;
use crux_crdt::sign::Identity;
use crux_protocol::flock;
use crux_protocol::time::Instant;

use super::net::Socket;
use super::queue::Happening;
use super::site::Machine;
pub(super) use disk::{Disk, Stock};
pub(super) use keys::{Keys, derive};
use pool::Pool;

/// One life of a process. What was meant for an earlier one is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Process {
    /// On which host.
    pub(super) host: usize,
    /// The how manieth there.
    pub(super) boot: u64,
}

/// A process that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) state: flock::State,
    pub(super) socket: Socket,
    /// The number of the newest timer, and when it goes off.
    pub(super) timer: (u64, Instant),
    /// When the last wake was, and how many there were at that instant.
    pub(super) wakes: (Instant, u32),
}

/// A host.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) identity: Arc<Identity>,
    pub(super) config: flock::Config,
    /// What its clock shows at the beginning of the run.
    pub(super) clock: Duration,
    pub(super) boot: u64,
    /// How often it got another key.
    pub(super) lives: u64,
    /// Whether a process was started under its key before.
    pub(super) known_key: bool,
    pub(super) running: Option<Running>,
    pub(super) disk: Disk,
    /// A copy of the disk.
    pub(super) saved: Disk,
    /// What waits for a stopped process.
    pub(super) inbox: Option<Vec<Happening>>,
    /// When its process began to run or ceased to.
    pub(super) changed_at: Instant,
    /// Whether it was started then, or that never; otherwise it was resumed.
    pub(super) fresh: bool,
    /// The part of it that targets run on; none: the scenario has none.
    pub(super) machine: Option<Box<Machine>>,
}

impl Host {
    pub(super) fn principal(&self) -> Principal {
        self.identity.principal()
    }

    /// Its own clock.
    pub(super) fn time(&self, now: Instant) -> Instant {
        now + self.clock
    }
}
