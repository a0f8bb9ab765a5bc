//! Ends everything below a process.
//!
//! A program may start children faster than they are found, let them leave its session and its group,
//! and have their parents end so that their origin is forgotten. Three things hold all the same:
//!
//! 1. Below a subreaper nothing gets out: an orphan becomes the subreaper's own child.
//! 2. A stopped process starts nothing. So everything found is stopped first, until a search finds
//!    nothing that runs; only then all of it is killed. Killing one by one, a pair that starts each
//!    other again would outrun it.
//! 3. The system says when no child is left (`ECHILD`): that, not a search, is the end.
//!
//! It cannot end a process that the kernel itself holds, on a dead disk for example. The search
//! then gives up after its time, and says how many are left; call it again later.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, pidfd_open, pidfd_send_signal, wait,
};

use super::{Process, Snapshot, this_pid};

/// How long one search and kill lasts in a round before the next begins: longer than processes need
/// to die. A guess.
const ROUND: Duration = Duration::from_millis(200);
/// How often the end of killed processes is checked. They need some 0.1 ms each.
const PAUSE: Duration = Duration::from_micros(500);
/// How often a round searches for processes that still run. Each search of a bomb at full speed finds
/// fewer; the next round takes care of what is left. A guess.
const SEARCHES_MAX: u32 = 50;

/// How a kill ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Killed {
    /// How many rounds it took. 0: there was nothing.
    pub rounds: u32,
    /// How many processes were sent the signal.
    pub processes: u32,
    /// How many are left because the time was over.
    pub left: u32,
}

/// Kills everything below this process and reaps it; `reaped` hears of each child. This process has
/// to be a subreaper, and must not have another thread that starts or waits for children.
///
/// Returns when no child is left, or after `within`.
pub fn kill_children(within: Duration, mut reaped: impl FnMut(i32, WaitStatus)) -> Killed {
    let end = Instant::now() + within;
    let mut killed = Killed::default();
    while !reap(&mut reaped) {
        if Instant::now() >= end && killed.rounds > 0 {
            // The system says that there are children, whatever the search finds.
            killed.left = u32::try_from(alive(this_pid()).len()).unwrap_or(u32::MAX).max(1);
            return killed;
        }
        killed.rounds += 1;
        killed.processes += count(&stop_and_kill(|| alive(this_pid())));
        kill_hidden();
        let round = Instant::now() + ROUND;
        while !reap(&mut reaped) {
            if Instant::now() >= round {
                break;
            }
            std::thread::sleep(PAUSE);
        }
    }
    killed
}

/// Kills everything below another process, and the process itself last. For a keeper that does not
/// answer: stopped first, it starts nothing more.
///
/// Returns when nothing that was below it is alive, or after `within`.
pub fn kill_below(root: Process, within: Duration) -> Killed {
    let end = Instant::now() + within;
    let mut killed = Killed::default();
    let (mut seen, mut sent) = (BTreeSet::new(), BTreeSet::new());
    // Its id might belong to another process: then nothing is touched.
    if !root.signal(Signal::STOP) {
        return killed;
    }
    while Instant::now() < end {
        killed.rounds += 1;
        let below = alive(root.pid);
        if below.is_empty() {
            break;
        }
        seen.extend(below);
        // One that dies slowly is found in the next round, too.
        sent.extend(stop_and_kill(|| alive(root.pid)));
        std::thread::sleep(PAUSE);
    }
    killed.processes = count(&sent) + u32::from(root.signal(Signal::KILL));
    seen.insert(root);
    loop {
        seen.retain(|process| process.is_alive());
        killed.left = u32::try_from(seen.len()).unwrap_or(u32::MAX);
        if seen.is_empty() || Instant::now() >= end {
            return killed;
        }
        std::thread::sleep(PAUSE);
    }
}

/// Kills the direct children without their start times. A mount of `/proc` may hide them (`hidepid`), and
/// the id of a child that was not reaped belongs to no other process.
fn kill_hidden() {
    for pid in super::own_child_pids().into_iter().flatten().filter_map(Pid::from_raw) {
        if let Ok(child) = pidfd_open(pid, PidfdFlags::empty()) {
            let _ = pidfd_send_signal(child, Signal::KILL);
        }
    }
}

/// One round: stops what runs until nothing new is found, then kills what was stopped. Returns those that were killed.
///
/// The ids of a search are read one after another, so that while processes come and go a stranger may once look as if
/// it were below. So nothing is killed that was found only once, and what is not found again runs on.
pub(crate) fn stop_and_kill(alive: impl Fn() -> Vec<Process>) -> BTreeSet<Process> {
    let mut stopped = BTreeSet::new();
    for _ in 0..SEARCHES_MAX {
        let new: Vec<_> = alive().into_iter().filter(|one| !stopped.contains(one)).collect();
        if new.is_empty() {
            break;
        }
        for process in new {
            process.signal(Signal::STOP);
            stopped.insert(process);
        }
    }
    let last: BTreeSet<Process> = alive().into_iter().collect();
    for stranger in stopped.difference(&last) {
        stranger.signal(Signal::CONT);
    }
    stopped.retain(|process| last.contains(process) && process.signal(Signal::KILL));
    stopped
}

/// How many processes these are.
pub(crate) fn count(processes: &BTreeSet<Process>) -> u32 {
    u32::try_from(processes.len()).unwrap_or(u32::MAX)
}

fn alive(root: i32) -> Vec<Process> {
    Snapshot::take().below(root).into_iter().map(|stat| stat.process).collect()
}

/// Reaps every child that has ended. Whether no child is left at all.
pub(crate) fn reap(mut reaped: impl FnMut(i32, WaitStatus)) -> bool {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => reaped(pid.as_raw_nonzero().get(), status),
            Ok(None) => return false,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return true,
        }
    }
}
