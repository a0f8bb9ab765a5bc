//! One instance, as the shell has it: its keeper, and the facts that are known about it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crux_protocol::picket::{Exit, Record, Version};
use rustix::process::Signal;
use tokio::sync::watch;

use crate::handle::{self, Ended, Keeper, Message, Polled};
use crate::tree::{self, Process};

/// One instance of which something may run.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) record: Record,
    /// None: it is being started.
    keeper: Option<Polled>,
    /// The content it was made from, as far as that is known.
    pub(super) version: Option<Arc<Version>>,
    pub(super) program: Option<Process>,
    /// The last one that ran: its session may outlive it.
    pub(super) leader: Option<Process>,
    /// The engine knows that it runs.
    pub(super) told: bool,
    /// Why its program was not executed.
    pub(super) failed: Option<String>,
    /// It is to be killed as soon as there is a keeper.
    kill: bool,
    /// Somebody stopped its program.
    pub(super) paused: bool,
    /// The texts of its checks when they passed last.
    pub(super) passes: BTreeMap<usize, String>,
    /// Ends the reading of its output once nothing of it is left.
    pub(super) stop_output: Option<watch::Sender<()>>,
    /// Dropped with it: its checks that could not be made are tried while it is there.
    pub(super) here: Arc<()>,
}

impl Instance {
    /// One whose keeper is being started.
    pub(super) fn new(record: Record, version: Option<Arc<Version>>) -> Self {
        Self {
            record,
            keeper: None,
            version,
            program: None,
            leader: None,
            told: false,
            failed: None,
            kill: false,
            paused: false,
            passes: BTreeMap::new(),
            stop_output: None,
            here: Arc::default(),
        }
    }

    /// Its keeper was started, or answers.
    ///
    /// # Errors
    /// The runtime cannot wait for it. It is to be ended by the caller.
    pub(super) fn attach(&mut self, keeper: Keeper) -> Result<(), (Keeper, std::io::Error)> {
        if self.kill {
            keeper.kill();
        }
        self.keeper = Some(Polled::new(keeper)?);
        Ok(())
    }

    fn keeper(&self) -> Option<&Keeper> {
        self.keeper.as_ref().map(Polled::keeper)
    }

    /// The keeper's process, as far as it is known.
    pub(super) fn process(&self) -> Option<Process> {
        self.keeper().and_then(Keeper::process)
    }

    /// SIGTERM, to the program or to all of it.
    pub(super) fn terminate(&self, tree: bool) {
        match self.keeper() {
            Some(keeper) if tree => keeper.term_tree(),
            Some(keeper) => keeper.term(),
            // The engine terminates only what was started.
            None => {}
        }
    }

    /// Kills all of it; if it is being started, then. A keeper that somebody stopped is let go on, because nobody else
    /// can end all that is below it.
    pub(super) fn kill(&mut self) {
        self.kill = true;
        if let Some(keeper) = self.keeper() {
            keeper.kill();
        }
        self.wake_keeper();
    }

    /// Lets a keeper go on that somebody stopped. Whether one was stopped.
    pub(super) fn wake_keeper(&self) -> bool {
        let Some(process) = self.process() else { return false };
        let is_stopped =
            tree::stat(process.pid).is_some_and(|it| it.process == process && it.state == 'T');
        is_stopped && process.signal(Signal::CONT)
    }

    /// The next message of its keeper.
    pub(super) fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Message> {
        loop {
            let Some(keeper) = &mut self.keeper else { return Poll::Pending };
            match ready!(keeper.poll_message(cx)) {
                Ok(message) => return Poll::Ready(message),
                Err(error) => {
                    tracing::warn!(instance = %self.record.instance, %error, "a message of a keeper is lost");
                }
            }
        }
    }

    /// Whether its program is stopped or traced by somebody at this moment.
    pub(super) fn is_stopped(&self) -> bool {
        let stat = self.program.and_then(|program| tree::stat(program.pid));
        stat.is_some_and(|stat| {
            Some(stat.process) == self.program && matches!(stat.state, 'T' | 't')
        })
    }
}

/// How a program ended, in the engine's words.
pub(super) const fn exit(exit: handle::Exit) -> Exit {
    match exit.ended {
        _ if exit.oom => Exit::OutOfMemory,
        Ended::Code(code) => Exit::Code(code),
        Ended::Signal(signal) => Exit::Signal(signal),
    }
}
