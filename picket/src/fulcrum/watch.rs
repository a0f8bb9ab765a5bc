use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crux_client::Kind;
use rustix::process::{Pid, PidfdFlags, Signal, WaitStatus, pidfd_open, pidfd_send_signal};
use tokio::time::{Instant, sleep_until};
use tracing::{debug, warn};

use super::backoff::Backoff;
use super::end::{End, Known, Verdict, judge};
use crate::crash::Spawn;
use crate::link::{Failure, FromFulcrum, FromPicket, Hello, Link, LinkError, Ready, VERSION};
use crate::orphans;

/// How a fulcrum is started.
pub trait Start {
    /// The program with its arguments and environment. Standard input is set by the caller.
    fn command(&self) -> Command;

    /// The settings to run with. `is_first`: no fulcrum of this picket was ready yet.
    fn settings(&self, is_first: bool) -> serde_json::Value;
}

/// An event of a fulcrum.
#[derive(Debug)]
pub enum News {
    /// It serves.
    Ready(Ready),
    /// It said something else.
    Said(FromFulcrum),
    /// It could not be started. It is tried again.
    NotStarted(io::Error),
}

/// The fulcrum, whether it runs or not.
#[derive(Debug)]
pub struct Fulcrum<S> {
    start: S,
    state: State,
    backoff: Backoff,
    was_ready: bool,
    told: bool,
}

#[derive(Debug)]
enum State {
    /// There is none until then.
    Away(Instant),
    Running(Box<Running>),
}

#[derive(Debug)]
struct Running {
    /// Reaped by number, with all other children of this process.
    _child: Child,
    pid: Pid,
    /// The way of signals.
    pidfd: OwnedFd,
    /// None once it is closed: the end of the process follows.
    link: Option<Link<FromFulcrum, FromPicket>>,
    ready_since: Option<Instant>,
    /// It said that it is ready, right before it closed the link.
    said_ready: bool,
    /// Its last words.
    ends: Option<Failure>,
}

impl<S: Start> Fulcrum<S> {
    /// One that is started at the first [`Fulcrum::next`].
    pub fn new(start: S) -> Self {
        let state = State::Away(Instant::now());
        Self { start, state, backoff: Backoff::default(), was_ready: false, told: false }
    }

    /// Its process; none while there is none.
    pub fn pid(&self) -> Option<Pid> {
        match &self.state {
            State::Running(running) => Some(running.pid),
            State::Away(_) => None,
        }
    }

    /// Whether it serves now.
    pub fn is_ready(&self) -> bool {
        matches!(&self.state, State::Running(running) if running.ready_since.is_some())
    }

    /// Whether one was ever ready.
    pub fn was_ready(&self) -> bool {
        self.was_ready
    }

    /// Its next event. Starts it when its time has come. May be dropped at any time and called again. Must be
    /// called by the thread that lives as long as the process: see [`super`].
    pub async fn next(&mut self) -> News {
        loop {
            let until = match &mut self.state {
                State::Away(_) if self.told => return std::future::pending().await,
                State::Away(until) => *until,
                State::Running(running) => match running.next().await {
                    FromFulcrum::Ready(ready) => {
                        running.ready_since = Some(Instant::now());
                        self.was_ready = true;
                        return News::Ready(ready);
                    }
                    said => return News::Said(said),
                },
            };
            sleep_until(until).await;
            match Running::spawn(&self.start, !self.was_ready) {
                Ok(running) => self.state = State::Running(Box::new(running)),
                Err(err) => {
                    self.state = State::Away(Instant::now() + self.backoff.after(None));
                    return News::NotStarted(err);
                }
            }
        }
    }

    /// Says something to it.
    ///
    /// # Errors
    /// [`LinkError::Closed`] when there is none, [`LinkError::Full`] when it does not read,
    /// [`LinkError::TooLong`]. Nothing was said then.
    pub fn send(&mut self, message: &FromPicket) -> Result<(), LinkError> {
        let link = match &mut self.state {
            State::Running(running) => running.link.as_mut(),
            State::Away(_) => None,
        };
        link.ok_or(LinkError::Closed)?.send(message)
    }

    /// Has it stop in order; it is not started again. One that cannot be told is killed.
    pub fn stop(&mut self) {
        self.told = true;
        if let Err(error) = self.send(&FromPicket::Stop) {
            debug!(%error, "the fulcrum cannot be told to stop");
            self.kill();
        }
    }

    /// Kills it.
    pub fn kill(&mut self) {
        if let State::Running(running) = &self.state {
            running.kill();
        }
    }

    /// It was reaped. `has_services`: a service runs, or is to run. Where it is to be started again, it is after
    /// the time that comes with the verdict.
    pub fn ended(&mut self, status: WaitStatus, has_services: bool) -> (End, Verdict, Duration) {
        let end = End::of(status);
        let (mut ready_for, mut said) = (None, None);
        if let State::Running(running) = &mut self.state {
            self.was_ready |= running.hear_the_rest() | running.said_ready;
            ready_for = running.ready_since.map(|since| since.elapsed());
            said = running.ends.take().and_then(|failure| Kind::from_name(&failure.kind));
        }
        let known = Known { said, told: self.told, was_ready: self.was_ready, has_services };
        let verdict = judge(end, known);
        let wait = self.backoff.after(ready_for);
        self.state = State::Away(Instant::now() + wait);
        (end, verdict, wait)
    }
}

impl Running {
    fn spawn(start: &impl Start, is_first: bool) -> io::Result<Self> {
        let (mine, theirs) = UnixStream::pair()?;
        let mut command = start.command();
        command.stdin(Stdio::from(OwnedFd::from(theirs)));
        let (mut child, _) = orphans::spawn(Spawn::Fulcrum, &mut command)?;
        // Not reaped before this process does so itself, so the number is still the child's.
        let pid = Pid::from_child(&child);
        let hello = FromPicket::Hello(Hello {
            version: VERSION,
            picket: std::process::id(),
            settings: start.settings(is_first),
        });
        let linked = || {
            let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
            let mut link = Link::new(mine)?;
            link.send(&hello).map_err(io::Error::other)?;
            Ok((pidfd, link))
        };
        match linked() {
            Ok((pidfd, link)) => {
                let (link, ready_since) = (Some(link), None);
                let (said_ready, ends) = (false, None);
                Ok(Self { _child: child, pid, pidfd, link, ready_since, said_ready, ends })
            }
            Err(err) => {
                child.kill().and_then(|()| child.wait()).ok();
                Err(err)
            }
        }
    }

    /// The next message. Resolves never once the link is closed: the end of the process is learned by reaping.
    async fn next(&mut self) -> FromFulcrum {
        loop {
            let Some(link) = &mut self.link else { return std::future::pending().await };
            match link.next().await {
                Ok(FromFulcrum::Hello { version, .. }) if version == VERSION => {}
                Ok(FromFulcrum::Hello { version, .. }) => {
                    self.give_up(&LinkError::Version { found: version });
                }
                Ok(FromFulcrum::Ends { failure }) => self.ends = Some(failure),
                Ok(said) => return said,
                Err(LinkError::Closed) => {
                    // It may be that only writing failed, and there is more to read.
                    self.said_ready |= self.hear_the_rest();
                    self.link = None;
                }
                Err(error) => self.give_up(&error),
            }
        }
    }

    /// Ends one with which nobody can talk.
    fn give_up(&mut self, error: &LinkError) {
        warn!(%error, "the link to the fulcrum is of no use; the fulcrum is killed");
        self.link = None;
        self.kill();
    }

    fn kill(&self) {
        if let Err(error) = pidfd_send_signal(&self.pidfd, Signal::KILL) {
            debug!(%error, "the fulcrum cannot be killed: it has ended");
        }
    }

    /// Reads what was not read yet of one that has ended: why it did. Whether it said that it was ready.
    fn hear_the_rest(&mut self) -> bool {
        let Some(link) = &mut self.link else { return false };
        let mut was_ready = false;
        for said in std::iter::from_fn(|| link.left()) {
            match said {
                FromFulcrum::Ready(_) => was_ready = true,
                FromFulcrum::Ends { failure } => self.ends = Some(failure),
                _ => {}
            }
        }
        was_ready
    }
}
