//! The times and bounds of the supervisor, each with where it comes from.

use core::time::Duration;

/// How many instances a node runs in all. A guess: each has a keeper and a program.
pub const INSTANCES_MAX: usize = 512;
/// How many registrations a node has: as many slots of that kind as one author has.
pub const REGISTRATIONS_MAX: usize = 256;
/// How many requests wait for the disk. A guess: beyond it somebody's script is at fault.
pub const QUEUE_MAX: usize = 64;
/// How many callers wait for services. A guess: a few for each service.
pub const WAITERS_MAX: usize = 512;
/// How many ends of instances are kept for each ordinal, for `inspect`. A guess.
pub const EXITS_MAX: usize = 10;
/// How much of a reason or the text of a check is kept, in bytes. A guess: a screen's line, twice.
pub const TEXT_BYTES_MAX: usize = 200;

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// How long to wait for the fulcrum's word that a registration is withdrawn. From the design.
pub(super) const WITHDRAW_MAX: Duration = secs(2);
/// How long a caller waits for the fulcrum's word that a service that is up is registered. A guess: a registration takes
/// the time of one flush of the disk; a fulcrum that takes longer is stopped, or its disk is.
pub(super) const REGISTER_MAX: Duration = secs(5);
/// From SIGTERM to the tree until the kill. From the design.
pub(super) const TREE_TIMEOUT: Duration = secs(5);
/// When a kill that nothing answered is said again. A guess: a process in the kernel's hands.
pub(super) const KILL_AGAIN: Duration = secs(10);
/// While the node stops, how long an instance that is done waits until that is written. A guess: many times what a
/// flush of a disk takes, and little of the time that a stop has.
pub(super) const WRITE_MAX: Duration = secs(1);
/// `drain` and `quit_timeout` of what no config is known for: the config's defaults.
pub(super) const STRAY_DRAIN: Duration = secs(2);
pub(super) const STRAY_QUIT: Duration = secs(10);

/// Without checks and ports, how long an instance has to live to be up. From the design.
pub(super) const ALIVE: Duration = secs(1);
/// The second check of a starting instance; then twice as long, up to [`CHECK_LAST`]. A connection to a
/// port of the own machine takes a tenth of a millisecond.
pub(super) const CHECK_FIRST: Duration = millis(10);
/// The longest time between checks in the start period, if the config's period is not shorter.
pub(super) const CHECK_LAST: Duration = secs(1);
/// How many failures in a row end an instance. From the design.
pub(super) const FAILURES: u32 = 3;
/// After a gap of this length in the engine's own time, failures do not count for a period. From the
/// design: a machine that slept.
pub(super) const GAP: Duration = secs(2);
/// While the engine is called that late, failures do not count either. From the design.
pub(super) const LAG: Duration = millis(500);
/// How often a status is passed on to the others at most. From the design.
pub(super) const UNWELL_EVERY: Duration = secs(1);

/// An instance that was up for so long is started again at once. From the design.
pub(super) const UP_ENOUGH: Duration = secs(10);
/// An instance that is up for so long has proved itself. From the design.
pub(super) const PROVEN: Duration = secs(60);
/// The first wait after a failure; then twice as long. From the design.
pub(super) const BACKOFF_FIRST: Duration = millis(250);
/// How far a wait is from its nominal length: ±20 %. From the design.
pub(super) const JITTER: f64 = 0.2;
/// [`LOOP_FAILURES`] failures in this time are a crash loop. From the design.
pub(super) const LOOP_WINDOW: Duration = secs(600);
/// See [`LOOP_WINDOW`].
pub(super) const LOOP_FAILURES: usize = 5;
/// At most [`STARTS`] restarts in this time. From the design.
pub(super) const START_WINDOW: Duration = secs(60);
/// See [`START_WINDOW`].
pub(super) const STARTS: usize = 10;
/// How often other ports are tried because somebody else took the chosen ones. From the design.
pub(super) const PORT_TRIES: u32 = 3;

/// How long the new instance of an overlap is up before it takes over. From the design.
pub(super) const OVERLAP: Duration = secs(5);
/// How many failures of a new content bring the previous one back. From the design.
pub(super) const TRIAL_FAILURES: u32 = 3;
/// When a service config that could not be written is tried again, and a record that could not be
/// deleted. A guess.
pub(super) const DISK_AGAIN: Duration = secs(5);
