//! Processes, by identity, and what is below one of them.
//!
//! The system uses a process id again as soon as its process was reaped. A [`Process`] is the id with
//! the time at which the process started, so it names one process until the machine restarts. A signal
//! goes through a descriptor that pins a process, after its start time was compared: a stranger with a
//! recycled id is never signalled.

mod kill;
mod marked;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

pub use kill::{Killed, kill_below, kill_children};
pub(crate) use kill::{count, reap, stop_and_kill};
pub(crate) use marked::INSTANCE;
pub use marked::{Mark, kill_marked};

/// One process of this boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// When it started, in clock ticks since the boot.
    pub started: u64,
}

/// The system's facts about a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Which process.
    pub process: Process,
    /// The id of its parent.
    pub parent: i32,
    /// The id of its session: that of the process which began it, also after that one ended.
    pub session: i32,
    /// Its state as a letter: `R` runs, `S` and `D` wait, `T` is stopped, `t` traced, `Z` is a zombie.
    pub state: char,
    /// How many threads it has.
    pub threads: u32,
    /// Processor time of it and of the children that it waited for, in clock ticks.
    pub ticks: u64,
    /// Its memory that is not swapped out, in pages; shared pages are counted too.
    pub pages: u64,
}

impl Stat {
    /// Whether any of it still runs. A zombie whose other threads run on is alive.
    #[must_use]
    pub const fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X') || self.threads > 1
    }
}

/// The system's facts about the process that has an id now; nothing if there is none.
#[must_use]
pub fn stat(pid: i32) -> Option<Stat> {
    parse(pid, &fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// The line of `/proc/PID/stat`. The name is in parentheses, and may hold any bytes, these too.
fn parse(pid: i32, line: &[u8]) -> Option<Stat> {
    let end = line.iter().rposition(|&byte| byte == b')')?;
    let rest = std::str::from_utf8(line.get(end + 2..)?).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // Field 3 of the manual is the first here.
    let field = |number: usize| fields.get(number - 3).copied();
    let number = |at: usize| field(at)?.parse::<u64>().ok();
    Some(Stat {
        process: Process { pid, started: number(22)? },
        parent: field(4)?.parse().ok()?,
        session: field(6)?.parse().ok()?,
        state: field(3)?.chars().next()?,
        threads: field(20)?.parse().ok()?,
        ticks: (14..=17).map(number).sum::<Option<u64>>()?,
        pages: number(24)?,
    })
}

impl Process {
    /// The process with an id now, alive or a zombie.
    #[must_use]
    pub fn now(pid: i32) -> Option<Self> {
        stat(pid).map(|stat| stat.process)
    }

    /// This process.
    ///
    /// # Errors
    /// If there is no `/proc`.
    pub fn this() -> std::io::Result<Self> {
        Self::now(this_pid()).ok_or_else(|| std::io::Error::other("this process is not in /proc"))
    }

    /// Whether it still runs.
    #[must_use]
    pub fn is_alive(self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.process == self && stat.is_alive())
    }

    /// Sends a signal to exactly this process. Whether it was sent: not if the process is no longer
    /// there, nor if its id belongs to another by now.
    pub fn signal(self, signal: Signal) -> bool {
        let Some(pid) = Pid::from_raw(self.pid) else { return false };
        let Ok(descriptor) = pidfd_open(pid, PidfdFlags::empty()) else { return false };
        Self::now(self.pid) == Some(self) && pidfd_send_signal(&descriptor, signal).is_ok()
    }
}

/// The id of this process.
pub(crate) fn this_pid() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

/// The direct children of this process, zombies too. It asks the kernel for them where that keeps a
/// list, and reads all processes where it does not. A child may be missed while another one ends.
pub(crate) fn own_children() -> Vec<Stat> {
    match own_child_pids() {
        Some(pids) => pids.into_iter().filter_map(stat).collect(),
        None => Snapshot::take().children(this_pid()).cloned().collect(),
    }
}

/// The ids of the direct children by the kernel's list; none where it keeps no such list.
fn own_child_pids() -> Option<Vec<i32>> {
    let of_thread = |entry: fs::DirEntry| fs::read_to_string(entry.path().join("children")).ok();
    let threads = fs::read_dir("/proc/self/task").ok()?.flatten();
    let lists: Vec<String> = threads.map(of_thread).collect::<Option<_>>()?;
    let pids = lists.iter().flat_map(|list| list.split_ascii_whitespace());
    Some(pids.filter_map(|pid| pid.parse().ok()).collect())
}

/// All processes at one time, as far as this process may see them.
#[derive(Debug, Default)]
pub struct Snapshot {
    all: BTreeMap<i32, Stat>,
    children: BTreeMap<i32, Vec<i32>>,
}

/// The usage of a tree of processes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// How many processes are alive.
    pub processes: u32,
    /// How many of them are stopped, frozen by a signal, or traced.
    pub stopped: u32,
    /// Their memory in bytes; what several share is counted for each.
    pub memory: u64,
    /// Their processor time in milliseconds, with that of children that they waited for.
    pub cpu_ms: u64,
}

impl Snapshot {
    /// Reads `/proc`. Processes that end meanwhile are left out.
    #[must_use]
    pub fn take() -> Self {
        let mut snapshot = Self::default();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
            let Some(stat) = pid.and_then(stat) else { continue };
            snapshot.children.entry(stat.parent).or_default().push(stat.process.pid);
            snapshot.all.insert(stat.process.pid, stat);
        }
        snapshot
    }

    /// The direct children of a process, zombies too.
    pub fn children(&self, pid: i32) -> impl Iterator<Item = &Stat> {
        let of = self.children.get(&pid).into_iter().flatten();
        of.filter_map(|child| self.all.get(child))
    }

    /// All that is alive.
    pub fn alive(&self) -> impl Iterator<Item = &Stat> {
        self.all.values().filter(|stat| stat.is_alive())
    }

    /// The process with an id.
    #[must_use]
    pub fn get(&self, pid: i32) -> Option<&Stat> {
        self.all.get(&pid)
    }

    /// The processes that are alive below one, without itself. Parents come before their children.
    #[must_use]
    pub fn below(&self, pid: i32) -> Vec<&Stat> {
        // Ids were read one after another, so a recycled one might close a circle.
        let mut seen = BTreeSet::from([pid]);
        let (mut found, mut at) = (Vec::new(), 0);
        let mut from = pid;
        loop {
            found.extend(self.children(from).filter(|child| seen.insert(child.process.pid)));
            let Some(next): Option<&&Stat> = found.get(at) else { break };
            (from, at) = (next.process.pid, at + 1);
        }
        found.retain(|stat| stat.is_alive());
        found
    }

    /// The usage of a process and all below it.
    #[must_use]
    pub fn usage(&self, pid: i32) -> Usage {
        let own = self.all.get(&pid).filter(|stat| stat.is_alive());
        Usage::of(own.into_iter().chain(self.below(pid)))
    }

    /// The usage of all below a process, without itself; none if that process is not there.
    #[must_use]
    pub fn usage_below(&self, process: Process) -> Option<Usage> {
        self.all.get(&process.pid).filter(|stat| stat.process == process)?;
        Some(Usage::of(self.below(process.pid).into_iter()))
    }
}

impl Usage {
    fn of<'a>(all: impl Iterator<Item = &'a Stat>) -> Self {
        let tick_ms = 1000 / rustix::param::clock_ticks_per_second().max(1);
        let page = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
        let mut usage = Self::default();
        for stat in all {
            usage.processes += 1;
            usage.stopped += u32::from(matches!(stat.state, 'T' | 't'));
            usage.memory += stat.pages * page;
            usage.cpu_ms += stat.ticks * tick_ms;
        }
        usage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_confuses_nobody() {
        let line = b"77 (a) R 1 (b\xff) S 42 77 77 0 -1 4194304 100 0 0 0 5 6 7 8 20 0 3 0 12345 1000 250 1 2";
        let stat = parse(77, line).expect("a line of the system");
        assert_eq!(stat.process, Process { pid: 77, started: 12345 });
        assert_eq!((stat.parent, stat.session, stat.state, stat.threads), (42, 77, 'S', 3));
        assert_eq!((stat.ticks, stat.pages), (26, 250));
        assert_eq!(parse(77, b"77 (cut) S 42"), None);
    }

    #[test]
    fn a_zombie_with_threads_is_alive() {
        let mut stat = stat(this_pid()).expect("this process");
        assert!(stat.is_alive());
        stat.state = 'Z';
        stat.threads = 1;
        assert!(!stat.is_alive());
        stat.threads = 2;
        assert!(stat.is_alive());
    }

    #[test]
    fn another_start_time_is_another_process() {
        let me = Process::this().expect("there is /proc");
        assert!(me.is_alive());
        let other = Process { started: me.started + 1, ..me };
        assert!(!other.is_alive());
        // The signal would end the test.
        assert!(!other.signal(Signal::KILL));
    }

    #[test]
    fn usage_counts_this_process() {
        let usage = Snapshot::take().usage(this_pid());
        assert!(usage.processes >= 1 && usage.memory > 100_000, "{usage:?}");
    }
}
