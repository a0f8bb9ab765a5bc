//! The children of the picket.
//!
//! The picket is a subreaper: if a keeper is killed, what its program had started becomes a child of the
//! picket. No one is responsible for that, so it is killed. The picket's own children are its keepers,
//! and what it says is its own: the fulcrum, checks that run.
//!
//! Keepers that were adopted have another parent: theirs was an earlier picket. Their orphans fall to
//! that parent, and only the program itself is certain to die with them.

use std::collections::BTreeSet;
use std::io;

use rustix::process::{Pid, WaitOptions, getpid, set_child_subreaper, waitpid};

use crate::tree::{self, Process, Snapshot, Stat};

/// How many rounds one sweep takes at most: processes that are being killed leave others behind, which
/// the next round finds. A guess.
const ROUNDS_MAX: u32 = 20;

/// Makes this process a picket: orphans fall to it, and what it inherited open is passed to no child.
/// Call it before anything is started or opened for a child.
///
/// # Errors
/// If the system refuses.
pub fn prepare() -> io::Result<()> {
    set_child_subreaper(Some(getpid()))?;
    close_fds::set_fds_cloexec(3, &[]);
    Ok(())
}

/// The children that this process knows.
#[derive(Debug, Default)]
pub struct Children {
    keepers: BTreeSet<Process>,
    others: BTreeSet<Process>,
}

/// What a sweep did.
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

    /// Another child that is no orphan. Who started it waits for it. Add it before the next sweep.
    pub fn other(&mut self, process: Process) {
        self.others.insert(process);
    }

    /// Reaps keepers that have ended, and kills and reaps every child that is not known. Call it when a
    /// child has ended, and after a keeper did.
    pub fn sweep(&mut self) -> Swept {
        let mut swept = Swept::default();
        for _ in 0..ROUNDS_MAX {
            let children = tree::own_children();
            self.others.retain(|other| children.iter().any(|child| child.process == *other));
            swept.keepers.extend(self.reap(&children));
            let unknown = |child: &Stat| child.is_alive() && !self.knows(child);
            if !children.iter().any(unknown) {
                swept.left = 0;
                break;
            }
            swept.killed += tree::stop_and_kill(|| self.orphans());
            swept.left = u32::try_from(self.orphans().len()).unwrap_or(u32::MAX);
        }
        swept
    }

    fn knows(&self, child: &Stat) -> bool {
        self.keepers.contains(&child.process) || self.others.contains(&child.process)
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

    /// What is alive below an unknown child, and the child.
    fn orphans(&self) -> Vec<Process> {
        let snapshot = Snapshot::take();
        let mut orphans = Vec::new();
        for child in snapshot.children(tree::this_pid()).filter(|child| !self.knows(child)) {
            orphans.extend(child.is_alive().then_some(child.process));
            orphans.extend(snapshot.below(child.process.pid).into_iter().map(|stat| stat.process));
        }
        orphans
    }
}
