//! The bounds of a config, and its defaults, each with its reason.
//!
//! A config comes from people and, later, from other nodes. The work that it can cause is bounded here.

use core::ops::RangeInclusive;
use core::time::Duration;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const HOUR: Duration = secs(3600);
const DAY: Duration = secs(24 * 3600);

/// How many services a node runs. Each has a keeper, so this bounds processes too. From the design: a
/// machine has tens of services, seldom a hundred.
pub const SERVICES_MAX: usize = 128;

/// How many bytes a config has: its text, and all texts in it together. The arguments and the environment
/// then fit what Linux passes to a program (a quarter of the stack's 8 MiB).
pub const CONFIG_BYTES_MAX: usize = 256 * 1024;

/// How many ports a service has. The node hands out 800 in all.
pub const PORTS_MAX: usize = 32;

/// How many checks a service has. Each is a connection or a process in every period.
pub const CHECKS_MAX: usize = 16;

/// How many names a service is registered under. All services of a node have 256 together.
pub const REGISTER_MAX: usize = 32;

/// How many instances of a service a node runs. A guess: more are better spread over nodes.
pub const COUNT_MAX: u16 = 64;

/// How many arguments a program gets. A guess, far beyond what people write.
pub const ARGS_MAX: usize = 512;

/// How many variables a config sets. A guess, far beyond what people write.
pub const ENV_MAX: usize = 256;

/// How many bytes an argument or the value of a variable has. Linux passes 128 KiB in one string, its name
/// and what is put in for placeholders included.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;

/// How many bytes the name of a variable has. A guess.
pub const ENV_NAME_BYTES_MAX: usize = 255;

/// How many placeholders a config has, so that what is put in for them is bounded as well: with directories
/// of 4,096 bytes, 1 MiB.
pub const PLACEHOLDERS_MAX: usize = 256;

/// How many words the command of a check has. A guess.
pub const EXEC_WORDS_MAX: usize = 64;

/// How many bytes the path of an HTTP check has. A guess; servers take 4 KiB to 8 KiB.
pub const HTTP_PATH_BYTES_MAX: usize = 2048;

/// How many bytes the name of a user has: what `useradd` allows.
pub const USER_BYTES_MAX: usize = 32;

/// How many bytes a path has: `PATH_MAX` of Linux.
pub const PATH_BYTES_MAX: usize = 4096;

/// How often checks run, and what a program is told as its period. A guess: below it, checks are a load.
pub const PERIOD: RangeInclusive<Duration> = Duration::from_millis(100)..=HOUR;
/// How long failures of checks do not count.
pub const START_PERIOD: RangeInclusive<Duration> = Duration::ZERO..=DAY;
/// How long a program may take until it is up.
pub const START_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=DAY;
/// How long callers have to turn elsewhere before a program is told to quit.
pub const DRAIN: RangeInclusive<Duration> = Duration::ZERO..=HOUR;
/// How long a program may take to quit.
pub const QUIT_TIMEOUT: RangeInclusive<Duration> = Duration::ZERO..=HOUR;
/// The longest wait before the next start. The shortest one of the engine is 250 ms.
pub const BACKOFF_MAX: RangeInclusive<Duration> = Duration::from_millis(250)..=HOUR;
/// How often a failed service is tried.
pub const RETRY_FAILED: RangeInclusive<Duration> = secs(1)..=secs(7 * 24 * 3600);
/// How long a check may take.
pub const CHECK_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(10)..=secs(600);
/// How many bytes of output are kept. They are in five files, and a line has up to 16 KiB.
pub const LOG_BYTES: RangeInclusive<u64> = 128 << 10..=1 << 40;
/// How many descriptors an instance may have open; the greatest is Linux's default for `fs.nr_open`.
pub const NOFILE: RangeInclusive<u64> = 16..=1 << 20;
/// How many bytes of memory an instance may be limited to. Below 1 MiB hardly any program starts.
pub const MEMORY: RangeInclusive<u64> = 1 << 20..=1 << 50;
/// How many processes and threads an instance may be limited to; the greatest is Linux's `PID_MAX_LIMIT`.
pub const PIDS: RangeInclusive<u32> = 1..=1 << 22;
/// Where a service is placed before others: the greater number first. A guess, far beyond the ranks that people tell
/// apart.
pub const PRIORITY: RangeInclusive<i32> = -1000..=1000;
/// On how many nodes a version changes at a time. The greatest is beyond every flock.
pub const STEP_NODES: RangeInclusive<u16> = 1..=u16::MAX;
/// Of how many hundredths of the nodes a version changes at a time.
pub const STEP_PERCENT: RangeInclusive<u8> = 1..=100;
/// How long a new version may take until it is ready: as [`START_TIMEOUT`].
pub const ROLLOUT_DEADLINE: RangeInclusive<Duration> = Duration::from_millis(100)..=DAY;
/// How long a node may be dead until its instances run elsewhere. The longest is as long as a machine is away for
/// repair; beyond it there is `never`.
pub const REPLACE_AFTER: RangeInclusive<Duration> = Duration::ZERO..=secs(30 * 24 * 3600);
// Durations are signed as milliseconds in 32 bits, and none is longer than this one.
const _: () = assert!(REPLACE_AFTER.end().as_millis() <= u32::MAX as u128);
const _: () = assert!(REPLACE_AFTER.end().as_nanos() >= RETRY_FAILED.end().as_nanos());
/// Thousandths of a processor that an instance may be limited to: 0.01 to 4,096 processors.
pub const CPU_MILLI: RangeInclusive<u32> = 10..=4096 * 1000;

/// The defaults of a config, each with where it comes from.
pub mod default {
    use super::{Duration, secs};
    use crate::service::Step;

    /// The revision. From issue 15: a first one.
    pub const REV: &str = "v1";
    /// From the design: Docker has 30 s, Kubernetes and Consul 10 s.
    pub const PERIOD: Duration = secs(10);
    /// From the design: three failures of Kubernetes's default period.
    pub const START_PERIOD: Duration = secs(30);
    /// From the design: a guess; systemd has 90 s.
    pub const START_TIMEOUT: Duration = secs(60);
    /// From the design: what gossip takes to tell all callers, many times over.
    pub const DRAIN: Duration = secs(2);
    /// As long as `docker stop` waits.
    pub const QUIT_TIMEOUT: Duration = secs(10);
    /// From the design: a guess. Supervisors that wait longer are restarted by hand.
    pub const BACKOFF_MAX: Duration = secs(30);
    /// As long as Kubernetes waits at most between starts.
    pub const RETRY_FAILED: Duration = secs(5 * 60);
    /// A guess, between Kubernetes's 1 s and Docker's 30 s.
    pub const CHECK_TIMEOUT: Duration = secs(5);
    /// From the design: five files of 8 MiB.
    pub const LOG_BYTES: u64 = 40 << 20;
    /// The hard limit with which Linux starts the first process, so that no node needs a right for it.
    pub const NOFILE: u64 = 4096;
    /// From the design: a guess. Three quarters serve throughout.
    pub const STEP: Step = Step::Percent(25);
    /// From the design: as long as a failed service waits for its next try.
    pub const ROLLOUT_DEADLINE: Duration = secs(5 * 60);
    /// From the design: a guess, longer than a machine takes to start again in place.
    pub const REPLACE_AFTER: Duration = secs(30);
    /// Where a service finds programs: what Debian and Alpine give to root and to others, together.
    pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}
