//! The keeper's loop, once its launch step runs.

use std::io::Read as _;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, WaitStatus, pidfd_send_signal};

use super::memory::OomWatch;
use super::message::{Ended, Exit, Order, Report, Request};
use super::visitors::Visitors;
use crate::launch;
use crate::tree::{self, Process, Snapshot};
use crate::{crash, fds};

/// How long one attempt to kill the tree takes at most, before requests are read again.
const KILL_WITHIN: Duration = Duration::from_secs(2);
/// How long until the next attempt, if the kernel holds a process. A guess.
const KILL_AGAIN: Duration = Duration::from_secs(1);

/// The program and its launch step: one process, which executes the other.
#[derive(Debug)]
pub(super) struct Launching {
    pub(super) program: Process,
    /// Signals go to it through this.
    pub(super) handle: OwnedFd,
    /// The step's reports; none when it has executed the program or ended.
    pub(super) report: Option<OwnedFd>,
    /// Whether the step said that it executes now.
    pub(super) ready: bool,
    /// Why the program was not executed.
    pub(super) text: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// The tree was asked to end, and is killed then.
    Ending {
        kill_at: Instant,
    },
    /// The next attempt is then.
    Killing {
        at: Instant,
    },
}

#[derive(Debug)]
pub(super) struct Keeper {
    order: Order,
    /// Readable when a child has ended.
    children: UnixStream,
    visitors: Visitors,
    picket: Option<OwnedFd>,
    /// Since when there is no picket.
    alone: Option<Instant>,
    launching: Launching,
    output: [OwnedFd; 2],
    oom: Option<OomWatch>,
    exit: Option<Exit>,
    /// Asked for while the program was not executed yet.
    term_later: bool,
    phase: Phase,
    /// No child is left.
    childless: bool,
    /// The facts that the picket was told.
    told_started: bool,
    told_exit: bool,
    told_stuck: u32,
}

/// Sends a report if it can be sent at once: the picket that does not read is as good as none, and
/// learns all of it when it adopts.
pub(super) fn send(to: &OwnedFd, report: &Report, descriptors: &[BorrowedFd<'_>]) -> bool {
    serde_json::to_vec(report).is_ok_and(|bytes| fds::send(to, &bytes, descriptors).is_ok())
}

impl Keeper {
    pub(super) fn new(
        order: Order,
        picket: OwnedFd,
        children: UnixStream,
        visitors: Visitors,
        launching: Launching,
        output: [OwnedFd; 2],
    ) -> Self {
        let oom = OomWatch::of(launching.program.pid);
        Self {
            order,
            children,
            visitors,
            picket: Some(picket),
            alone: None,
            launching,
            output,
            oom,
            exit: None,
            term_later: false,
            phase: Phase::Running,
            childless: false,
            told_started: false,
            told_exit: false,
            told_stuck: 0,
        }
    }

    pub(super) fn run(mut self) -> ExitCode {
        loop {
            self.wait();
            let now = Instant::now();
            self.reap();
            self.follow_launch();
            self.admit(now);
            self.serve(now);
            self.tell();
            if let Some(code) = self.step(now) {
                return code;
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let phase = match self.phase {
            Phase::Running => self.alone.map(|since| since + self.orphan_time()),
            Phase::Ending { kill_at } => Some(kill_at),
            Phase::Killing { at } => Some(at),
        };
        phase.into_iter().chain(self.visitors.deadline()).min()
    }

    const fn orphan_time(&self) -> Duration {
        Duration::from_millis(self.order.orphan_ms)
    }

    /// Waits until something is to be done. Everything is tried then, because all of it is cheap.
    fn wait(&self) {
        let left = self.deadline().map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        let own = [Some(self.children.as_fd())].into_iter();
        let others =
            [&self.picket, &self.launching.report].map(|of| of.as_ref().map(|fd| fd.as_fd()));
        let all = own.chain(others).flatten().chain(self.visitors.descriptors());
        let mut all: Vec<PollFd<'_>> =
            all.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        // Interrupted by a signal: the loop goes round once more.
        let _ = poll(&mut all, timeout.as_ref());
    }

    /// Takes the status of the program, and whatever else of its tree has ended.
    fn reap(&mut self) {
        let mut drained = [0; 64];
        while (&self.children).read(&mut drained).is_ok_and(|read| read == drained.len()) {}
        let mut ended = None;
        let program = self.launching.program.pid;
        self.childless = tree::reap(|pid, status| {
            if pid == program {
                ended = Some(status);
            }
        });
        self.note_exit(ended);
    }

    /// The id of the program may belong to another process from here on.
    fn note_exit(&mut self, status: Option<WaitStatus>) {
        let (None, Some(status)) = (self.exit, status) else { return };
        let ended = status.exit_status().map_or_else(
            || Ended::Signal(status.terminating_signal().unwrap_or_default()),
            Ended::Code,
        );
        let killed = ended == Ended::Signal(Signal::KILL.as_raw());
        // This keeper's own kill is none of the system's.
        let own = matches!(self.phase, Phase::Killing { .. });
        let oom = killed && !own && self.oom.as_ref().is_some_and(OomWatch::saw_one);
        self.exit = Some(Exit { ended, oom });
    }

    /// Reads the launch step's reports to their end, which is the execution of the program.
    fn follow_launch(&mut self) {
        let launching = &mut self.launching;
        while let Some(report) = &launching.report {
            match fds::try_receive(report) {
                Ok(None) => return,
                Ok(Some(received)) if received.bytes == launch::READY => launching.ready = true,
                Ok(Some(received)) if !received.is_end() => {
                    launching.text = Some(String::from_utf8_lossy(&received.bytes).into_owned());
                }
                Ok(Some(_)) | Err(_) => launching.report = None,
            }
        }
        if !launching.ready && launching.text.is_none() {
            launching.text =
                Some("the launch step ended before it executed the program".to_owned());
        }
        if self.launching.text.is_some() && self.phase == Phase::Running {
            self.phase = Phase::Killing { at: Instant::now() };
        }
        if std::mem::take(&mut self.term_later) {
            self.term();
        }
    }

    /// Whether the program itself was executed.
    const fn is_started(&self) -> bool {
        self.launching.report.is_none() && self.launching.text.is_none()
    }

    /// A new picket takes the place of the one before, which may be stopped.
    fn admit(&mut self, now: Instant) {
        let Some(picket) = self.visitors.admit(&self.order.token, now) else { return };
        let Ok(keeper) = Process::this() else { return };
        let report = Report::Adopted {
            keeper,
            program: Some(self.launching.program),
            started: self.is_started(),
            ending: self.phase != Phase::Running,
            exit: self.exit,
        };
        let [out, err] = &self.output;
        if send(&picket, &report, &[out.as_fd(), err.as_fd()]) {
            (self.picket, self.alone) = (Some(picket), None);
            self.told_started = self.is_started();
            self.told_exit = self.exit.is_some();
            self.told_stuck = 0;
        }
    }

    fn serve(&mut self, now: Instant) {
        while let Some(picket) = &self.picket {
            let request = match fds::try_receive(picket) {
                Ok(None) => return,
                Ok(Some(received)) if !received.is_end() => {
                    serde_json::from_slice(&received.bytes).unwrap_or(Request::Unknown)
                }
                Ok(Some(_)) | Err(_) => {
                    (self.picket, self.alone) = (None, Some(now));
                    return;
                }
            };
            match request {
                Request::Term => self.term(),
                Request::TermTree => self.term_tree(),
                Request::Kill if !matches!(self.phase, Phase::Killing { .. }) => {
                    self.phase = Phase::Killing { at: now };
                }
                Request::Kill | Request::Unknown => {}
            }
        }
    }

    fn term(&mut self) {
        if self.launching.report.is_some() {
            // The launch step would swallow it.
            self.term_later = true;
        } else if self.exit.is_none() {
            let _ = pidfd_send_signal(&self.launching.handle, Signal::TERM);
        }
    }

    fn term_tree(&mut self) {
        self.term();
        for stat in Snapshot::take().below(tree::this_pid()) {
            if stat.process != self.launching.program {
                stat.process.signal(Signal::TERM);
            }
        }
    }

    /// Tells the picket what it does not know. In order: the start before the exit.
    fn tell(&mut self) {
        let Some(picket) = &self.picket else { return };
        if self.is_started() && !self.told_started {
            crash::point("keeper.started.before");
            let [out, err] = &self.output;
            let started = Report::Started { program: self.launching.program };
            self.told_started = send(picket, &started, &[out.as_fd(), err.as_fd()]);
        }
        if let (true, false, Some(exit)) = (self.told_started, self.told_exit, self.exit) {
            crash::point("keeper.exited.before");
            self.told_exit = send(picket, &Report::Exited { exit }, &[]);
        }
    }

    /// Takes the next step of the phase. A code: the keeper ends.
    fn step(&mut self, now: Instant) -> Option<ExitCode> {
        match self.phase {
            Phase::Running => {
                let over = self.alone.is_some_and(|since| now - since >= self.orphan_time());
                if over {
                    self.term_tree();
                    let kill_at = now + Duration::from_millis(self.order.grace_ms);
                    self.phase = Phase::Ending { kill_at };
                }
                None
            }
            Phase::Ending { kill_at } => {
                if now < kill_at && !self.childless {
                    return None;
                }
                self.kill()
            }
            Phase::Killing { at } if now >= at => self.kill(),
            Phase::Killing { .. } => None,
        }
    }

    fn kill(&mut self) -> Option<ExitCode> {
        crash::point("keeper.kill.before");
        self.phase = Phase::Killing { at: Instant::now() + KILL_AGAIN };
        let mut ended = None;
        let program = self.launching.program.pid;
        let killed = tree::kill_children(KILL_WITHIN, |pid, status| {
            if pid == program {
                ended = Some(status);
            }
        });
        self.note_exit(ended);
        self.follow_launch();
        self.tell();
        if killed.left > 0 {
            if let Some(picket) = self.picket.as_ref().filter(|_| killed.left != self.told_stuck) {
                send(picket, &Report::Stuck { left: killed.left }, &[]);
                self.told_stuck = killed.left;
            }
            return None;
        }
        crash::point("keeper.gone.before");
        if let Some(picket) = &self.picket {
            if let Some(text) = &self.launching.text {
                send(picket, &Report::Failed { text: text.clone() }, &[]);
            }
            send(picket, &Report::Gone { killed: killed.processes }, &[]);
        }
        Some(ExitCode::SUCCESS)
    }
}
