//! The picket's side of a keeper.
//!
//! A [`Keeper`] is a socket, and whatever has happened is a message on it: poll [`Keeper::as_fd`] for
//! reading, then call [`Keeper::receive`] until it has nothing more; or have a [`Polled`] do so. Nothing here waits for a keeper,
//! which may be stopped; only [`adopt`] and [`end_by_force`] wait, and those have a deadline.
//!
//! ```text
//! start  ─▶ Started ─▶ Exited ─▶ (kill) ─▶ Gone
//!        └▶ Failed ─────────────────────▶ Gone
//! adopt  ─▶ Adopted ─▶ (Started) ─▶ (Exited) ─▶ (kill) ─▶ Gone
//! ```
//!
//! `Gone` is the last message, and it comes in any case. A program that exited is kept as a tree until
//! it is killed: it may have left others behind.

mod adopt;
mod polled;
mod start;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::fds::{self, Received};
pub use crate::keeper::{Ended, Exit};
use crate::keeper::{Report, Request};
use crate::tree::Process;
pub use adopt::{Adoption, adopt, end_by_force, is_held};
pub use polled::Polled;
pub use start::{GRACE, ORPHAN_TIME, Start, StartError, record};

/// The reading ends of a program's pipes. They do not block; the keeper holds them too, so that they
/// stay open when the picket ends.
#[derive(Debug)]
pub struct Output {
    /// Its standard output.
    pub stdout: OwnedFd,
    /// Its standard error.
    pub stderr: OwnedFd,
}

/// News of an instance.
#[derive(Debug)]
pub enum Message {
    /// Its program is executed.
    Started {
        /// The process.
        program: Process,
        /// Its output, unless it was handed over with [`Message::Adopted`].
        output: Option<Output>,
    },
    /// Its program could not be executed. [`Message::Gone`] follows.
    Failed {
        /// Why, for people.
        text: String,
    },
    /// The keeper of an earlier picket answers to this one now.
    Adopted {
        /// The program; that of the launch step if it is not started yet.
        program: Option<Process>,
        /// Whether it is executed. Otherwise [`Message::Started`] or [`Message::Failed`] follows.
        started: bool,
        /// Whether its tree is being ended, because there was no picket for too long.
        ending: bool,
        /// How it ended, if it did.
        exit: Option<Exit>,
        /// Its output, from where the earlier picket stopped reading.
        output: Output,
    },
    /// Its program ended.
    Exited(Exit),
    /// Some processes cannot be killed at the moment: the kernel holds them. The keeper tries again.
    Stuck {
        /// How many.
        left: u32,
    },
    /// The keeper ended, and this is the last message.
    Gone {
        /// Whether it ended because nothing of its tree is left. Otherwise it was killed or refused to
        /// answer; the program dies with it, and what that started is to be killed: see
        /// [`crate::tree::kill_marked`] and [`crate::orphans::kill_orphans`].
        clean: bool,
        /// How many processes it killed.
        killed: u32,
    },
}

/// One instance's keeper.
#[derive(Debug)]
pub struct Keeper {
    socket: OwnedFd,
    process: Option<Process>,
    program: Option<Process>,
    has_output: bool,
    gone: Option<u32>,
    ended: bool,
}

impl AsFd for Keeper {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Keeper {
    const fn new(socket: OwnedFd, process: Option<Process>) -> Self {
        Self { socket, process, program: None, has_output: false, gone: None, ended: false }
    }

    /// The keeper's own process, as far as it is known.
    #[must_use]
    pub const fn process(&self) -> Option<Process> {
        self.process
    }

    /// The program, once it was started.
    #[must_use]
    pub const fn program(&self) -> Option<Process> {
        self.program
    }

    /// The next message; none if there is none yet, or nothing follows [`Message::Gone`].
    ///
    /// # Errors
    /// If the system has no descriptor left for what arrives. The message is lost then.
    pub fn receive(&mut self) -> io::Result<Option<Message>> {
        while !self.ended {
            let Some(received) = fds::try_receive(&self.socket)? else { return Ok(None) };
            if received.is_end() {
                self.ended = true;
                return Ok(Some(self.end()));
            }
            if let Some(message) = self.message(received)? {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    fn message(&mut self, received: Received) -> io::Result<Option<Message>> {
        let Ok(report) = serde_json::from_slice(&received.bytes) else { return Ok(None) };
        Ok(match report {
            Report::Started { program } => {
                self.program = Some(program);
                let output = output(received.descriptors)?.filter(|_| !self.has_output);
                self.has_output = true;
                Some(Message::Started { program, output })
            }
            Report::Adopted { keeper, program, started, ending, exit } => {
                self.process = Some(keeper);
                self.program = program;
                let Some(output) = output(received.descriptors)? else { return Ok(None) };
                self.has_output = true;
                Some(Message::Adopted { program, started, ending, exit, output })
            }
            Report::Failed { text } => Some(Message::Failed { text }),
            Report::Exited { exit } => {
                // Its id may be another's soon.
                self.program = None;
                Some(Message::Exited(exit))
            }
            Report::Stuck { left } => Some(Message::Stuck { left }),
            // The keeper ends now: until its socket is closed it is still there.
            Report::Gone { killed } => {
                self.gone = Some(killed);
                None
            }
            Report::Unknown => None,
        })
    }

    fn end(&mut self) -> Message {
        if let Some(killed) = self.gone {
            return Message::Gone { clean: true, killed };
        }
        Message::Gone { clean: false, killed: 0 }
    }

    /// Sends `SIGTERM` to the program; after its start, if it has not started.
    pub fn term(&self) {
        self.request(Request::Term);
    }

    /// Sends `SIGTERM` to the program and to everything that it started.
    pub fn term_tree(&self) {
        self.request(Request::TermTree);
    }

    /// Kills everything; [`Message::Gone`] follows when nothing is left.
    pub fn kill(&self) {
        self.request(Request::Kill);
    }

    /// A keeper that cannot be sent to has ended, and says so by itself; one that is stopped finds at
    /// most some hundred requests, of which it needs the last.
    fn request(&self, request: Request) {
        if let Ok(bytes) = serde_json::to_vec(&request) {
            let _ = fds::send(&self.socket, &bytes, &[]);
        }
    }
}

fn output(descriptors: Vec<OwnedFd>) -> io::Result<Option<Output>> {
    let Ok([stdout, stderr]) = <[OwnedFd; 2]>::try_from(descriptors) else { return Ok(None) };
    for pipe in [&stdout, &stderr] {
        rustix::io::ioctl_fionbio(pipe, true)?;
    }
    Ok(Some(Output { stdout, stderr }))
}
