//! The children of the picket.
//!
//! The picket is a subreaper: if a keeper is killed, what its program had started becomes a child of the
//! picket. No one is responsible for that, so it is killed. Not killed are the processes that the picket starts
//! with [`spawn`]: keepers, the fulcrum, and those that it had before it was a picket ([`prepare`]): a shell that
//! executes the node may have started others.
//!
//! Keepers that were adopted have another parent: theirs was an earlier picket. Their orphans fall to
//! that parent, and are found by [`crate::tree::kill_marked`].

use std::collections::BTreeSet;
use std::io;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitOptions, getpid, set_child_subreaper, waitpid};

use crate::crash::{self, Spawn};
use crate::tree::{self, Process, Snapshot, Stat};

/// How many rounds one sweep takes at most: processes that are being killed leave others behind, which
/// the next round finds. A guess.
const ROUNDS_MAX: u32 = 20;

/// After how many starts those that have ended are forgotten: they cost nothing but memory.
const FORGET_EVERY: usize = 256;
/// How long a sweep waits at most for what it killed. They need some 0.1 ms each.
const SWEEP_MAX: Duration = Duration::from_secs(2);
/// How often it looks.
const PAUSE: Duration = Duration::from_micros(500);

/// The children of this process that are no orphans. Locked while one is started and while children are listed, so
/// that none is listed before it is known.
static KNOWN: Mutex<BTreeSet<Process>> = Mutex::new(BTreeSet::new());

fn known() -> MutexGuard<'static, BTreeSet<Process>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes this process a picket: orphans fall to it, and what it inherited open is passed to no child.
/// The children that it has already are no orphans. Call it before anything is started or opened for a child.
///
/// # Errors
/// If the system refuses.
pub fn prepare() -> io::Result<()> {
    known().extend(tree::own_children().into_iter().map(|child| child.process));
    set_child_subreaper(Some(getpid()))?;
    close_fds::set_fds_cloexec(3, &[]);
    Ok(())
}

/// Starts a child that is not an orphan. The caller reaps it.
///
/// # Errors
/// Those of the system; or it ended at once.
pub fn spawn(of: Spawn, command: &mut Command) -> io::Result<(Child, Process)> {
    let mut known = known();
    let child = crash::spawn(of, command)?;
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    let process = Process::now(pid);
    let process = process.ok_or_else(|| {
        io::Error::other("it ended at once, or this process may not see it in /proc (hidepid)")
    })?;
    if known.len() % FORGET_EVERY == FORGET_EVERY - 1 {
        known.retain(|one| Process::now(one.pid) == Some(*one));
    }
    known.insert(process);
    Ok((child, process))
}

/// Kills what fell to this process, and all below it. Reaps nothing: [`crate::reaper`] does. How many were killed, and
/// how many are left after `SWEEP_MAX`.
pub fn kill_orphans() -> Swept {
    let end = Instant::now() + SWEEP_MAX;
    let nobody = Children::default();
    let mut swept = Swept::default();
    loop {
        let orphans = nobody.orphans();
        swept.left = u32::try_from(orphans.len()).unwrap_or(u32::MAX);
        if orphans.is_empty() || Instant::now() >= end {
            return swept;
        }
        swept.killed += tree::count(&tree::stop_and_kill(|| nobody.orphans()));
        std::thread::sleep(PAUSE);
    }
}

/// The children that this process knows.
#[derive(Debug, Default)]
pub struct Children {
    keepers: BTreeSet<Process>,
    others: BTreeSet<Process>,
}

/// The outcome of a sweep.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Keepers that ended and were reaped.
    pub keepers: Vec<Process>,
    /// How many orphans were killed.
    pub killed: u32,
    /// How many orphans are left all the same; sweep again.
    pub left: u32,
}

impl Children {
    /// A keeper that was started: reaped by [`Children::sweep`].
    pub fn keeper(&mut self, process: Process) {
        self.keepers.insert(process);
    }

    /// Another child that is no orphan. The part that started it waits for it. Add it before the next sweep.
    pub fn other(&mut self, process: Process) {
        self.others.insert(process);
    }

    /// Reaps keepers that have ended, and kills and reaps every child that is not known. Call it when a
    /// child has ended, and after a keeper did.
    pub fn sweep(&mut self) -> Swept {
        let mut swept = Swept::default();
        for _ in 0..ROUNDS_MAX {
            let children = {
                let mut known = known();
                let children = tree::own_children();
                known.retain(|one| children.iter().any(|child| child.process == *one));
                children
            };
            self.others.retain(|other| children.iter().any(|child| child.process == *other));
            swept.keepers.extend(self.reap(&children));
            let unknown = |child: &Stat| child.is_alive() && !self.knows(child);
            if !children.iter().any(unknown) {
                swept.left = 0;
                break;
            }
            swept.killed += tree::count(&tree::stop_and_kill(|| self.orphans()));
            swept.left = u32::try_from(self.orphans().len()).unwrap_or(u32::MAX);
        }
        swept
    }

    fn knows(&self, child: &Stat) -> bool {
        let mine = self.keepers.contains(&child.process) || self.others.contains(&child.process);
        mine || known().contains(&child.process)
    }

    /// Reaps what has ended and is not another's to wait for. The keepers among it.
    fn reap(&mut self, children: &[Stat]) -> Vec<Process> {
        let mut keepers = Vec::new();
        for child in children {
            let process = child.process;
            if child.is_alive() || self.others.contains(&process) {
                continue;
            }
            let reaped = Pid::from_raw(process.pid)
                .is_some_and(|pid| matches!(waitpid(Some(pid), WaitOptions::NOHANG), Ok(Some(_))));
            if reaped && self.keepers.remove(&process) {
                keepers.push(process);
            }
        }
        keepers
    }

    /// All that is alive below an unknown child, and the child.
    fn orphans(&self) -> Vec<Process> {
        let (snapshot, known) = {
            let known = known();
            (Snapshot::take(), known.clone())
        };
        let is_mine = |process: &Process| {
            self.keepers.contains(process)
                || self.others.contains(process)
                || known.contains(process)
        };
        let mut orphans = Vec::new();
        let children = snapshot.children(tree::this_pid());
        for child in children.filter(|child| !is_mine(&child.process)) {
            orphans.extend(child.is_alive().then_some(child.process));
            orphans.extend(snapshot.below(child.process.pid).into_iter().map(|stat| stat.process));
        }
        orphans
    }
}
