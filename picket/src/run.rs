//! `crux-node run`: the parent of everything that a node runs.
//!
//! ```text
//!   signals, stdin ──▶ stop ──▶ ┌───────────────────────────┐
//!   SIGHUP ──────────▶ reload ─▶│ Picket: one loop, one     │──▶ Link ──▶ fulcrum
//!   the system ──────▶ Reaper ─▶│ thread, decides nothing   │──▶ Shell ──▶ services
//!   fulcrum ──▶ Link ──────────▶└───────────────────────────┘◀── API, keepers, the clock
//! ```
//!
//! **Stop**: services in order, then the fulcrum, then this process, all within `stop_timeout`. Whatever has not ended
//! then is killed, and `run` says so. Where the end of the fulcrum is final, services are stopped in order as well;
//! what is wanted of them is kept. Where it is final because the node left or is refused, that is kept too: the next
//! `run` starts services once its fulcrum serves, which that of a node that left does not.
//!
//! **The end of `run`** is the fulcrum's where that is final; see [`crate::fulcrum`].

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use crux_client::socket::Door;
use crux_client::{Error, Kind};
use rustix::fs::Mode;
use rustix::process::umask;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{debug, error, info, warn};

use crate::api::{self, Service};
use crate::fulcrum::{Fulcrum, News, Start, Verdict};
use crate::link::{FromPicket, LinkError};
use crate::orphans;
use crate::reaper::{Reaped, Reaper};
use crate::supervise::{self, Shell};
use crux_client::door::Socket;

/// How long a process that was killed may take until it is reaped. Only one that waits for a disk takes longer
/// than a moment.
const KILLED_MAX: Duration = Duration::from_secs(1);

/// How much of `stop_timeout` is left for the fulcrum, and as much for the end of what does not stop in order: services
/// get the rest. The fulcrum writes what it has, which takes a fraction of that unless the disk is slow.
const RESERVE: Duration = Duration::from_secs(1);

/// The picket's settings.
#[derive(Debug)]
pub struct Config<S> {
    /// How the fulcrum is started.
    pub start: S,
    /// The node's data directory, which the caller has locked.
    pub data_dir: PathBuf,
    /// How long everything may take to stop. 8 s by default: containers are killed after 10.
    pub stop_timeout: Duration,
}

/// How `run` ends: with this exit code. If it stands for an error, the fulcrum has printed that.
pub type Ended = Result<u8, Error>;

/// Runs a node: the fulcrum, and later its services. Returns once nothing of it runs.
///
/// `stop` resolves when the node is to stop; `reload` gives a value for each time that the settings are to be
/// read again. Must be called within a runtime of one thread, by the thread that lives as long as the process.
///
/// # Errors
/// Those that nobody has printed yet: why the fulcrum cannot be started, or which signal ended it.
pub async fn run<S: Start>(
    config: Config<S>,
    stop: impl Future<Output = ()>,
    mut reload: mpsc::Receiver<()>,
) -> Ended {
    // Files of this process and of the fulcrum are their user's alone, whatever their caller is used to.
    umask(Mode::RWXG | Mode::RWXO);
    orphans::prepare().map_err(|err| Error::io("adopting orphans", &err))?;
    let reaper = Reaper::start().map_err(|err| Error::io("watching child processes", &err))?;
    let Config { start, data_dir, stop_timeout } = config;
    // First: where another picket answers, nothing of it is touched.
    let socket = Socket::bind(&data_dir, Door::Picket)?;
    let (shell, desk, health) = supervise::open(&data_dir)?;
    let service = Service::new(desk, shell.events());
    let (end_api, api_ends) = oneshot::channel::<()>();
    let api = api::serve(socket, service, health, async { drop(api_ends.await) });
    let fulcrum = Fulcrum::new(start);
    let mut picket = Picket { fulcrum, reaper, stop_timeout, shell, was_ready: false, ended: None };
    let work = async {
        let ended = picket.work(stop, &mut reload).await;
        picket.shell.flush();
        drop(end_api);
        // Those who wait are told that the node stops.
        drop(picket);
        ended
    };
    let served = async {
        if let Err(error) = api.await {
            warn!(%error, "the API of services ended");
        }
    };
    // The loop first: what it does is to be seen by those who ask.
    let (ended, ()) = tokio::join!(biased; work, served);
    ended
}

/// All that the picket has.
#[derive(Debug)]
struct Picket<S> {
    fulcrum: Fulcrum<S>,
    reaper: Reaper,
    stop_timeout: Duration,
    shell: Shell,
    /// Whether a fulcrum was ready.
    was_ready: bool,
    /// How `run` ends, once the end of a fulcrum is final.
    ended: Option<Ended>,
}

impl<S: Start> Picket<S> {
    /// Runs until the node ends.
    async fn work(
        &mut self,
        stop: impl Future<Output = ()>,
        reload: &mut mpsc::Receiver<()>,
    ) -> Ended {
        tokio::pin!(stop);
        loop {
            self.say();
            if self.ended.is_some() {
                self.stop_services(Instant::now() + self.stop_timeout).await;
                return self.ended.take().unwrap_or(Ok(0));
            }
            tokio::select! {
                () = &mut stop => return self.stop().await,
                news = self.fulcrum.next() => self.on_news(news)?,
                reaped = self.reaper.next() => self.on_reaped(&reaped),
                Some(()) = reload.recv() => self.reload(),
                () = self.shell.next() => {}
            }
        }
    }

    /// Says to the fulcrum what the shell has for it. Messages that it does not take now wait.
    fn say(&mut self) {
        self.shell.sweep(self.fulcrum.pid().map(|pid| pid.as_raw_nonzero().get()));
        let out = self.shell.outgoing();
        while let Some(message) = out.front() {
            match self.fulcrum.send(message) {
                Ok(()) => {}
                Err(error @ (LinkError::TooLong { .. } | LinkError::Garbled(_))) => {
                    error!(%error, "a message to the fulcrum cannot be sent, and is left out");
                }
                Err(error) => {
                    debug!(%error, "the fulcrum takes nothing now");
                    break;
                }
            }
            out.pop_front();
        }
    }

    fn on_news(&mut self, news: News) -> Result<(), Error> {
        match news {
            News::Ready(ready) => {
                debug!(node = %ready.node, "the fulcrum is ready");
                let restarted = std::mem::replace(&mut self.was_ready, true);
                self.shell.on_ready(ready, restarted);
            }
            News::Said(said) => self.shell.on_said(said),
            News::NotStarted(err) if !self.fulcrum.was_ready() && !self.shell.has_services() => {
                return Err(Error::io("starting the fulcrum, the child process of the node", &err));
            }
            News::NotStarted(error) => {
                warn!(%error, "the fulcrum cannot be started; it is tried again");
            }
        }
        Ok(())
    }

    /// Children ended. If that was the last fulcrum, `run` ends as it did.
    fn on_reaped(&mut self, reaped: &[Reaped]) {
        for child in reaped {
            if Some(child.pid) != self.fulcrum.pid() {
                // A keeper says by its socket that it ends; what an orphan does matters to nobody.
                continue;
            }
            let (end, verdict, wait) = self.fulcrum.ended(child.status, self.shell.has_services());
            self.shell.on_away();
            match verdict {
                Verdict::Again if wait.is_zero() => {
                    warn!("the fulcrum {end}; it is started again at once");
                }
                Verdict::Again => warn!("the fulcrum {end}; it is started again in {wait:?}"),
                Verdict::Final(code) => self.end(Ok(code)),
                Verdict::Gone(code) => {
                    self.shell.keep_end(code);
                    self.end(Ok(code));
                }
                Verdict::Failed(error) => self.end(Err(error)),
            }
        }
    }

    /// `run` ends so, once the services did. The fulcrum is not started again.
    fn end(&mut self, ended: Ended) {
        self.fulcrum.stop();
        self.ended = Some(ended);
    }

    fn reload(&mut self) {
        if let Err(error) = self.fulcrum.send(&FromPicket::Reload) {
            // One that starts reads them anyway.
            info!(%error, "SIGHUP: the fulcrum is not told");
        }
    }

    /// Stops all services in order, while the fulcrum runs and takes their registrations back. Those that do not come to
    /// an end are killed, so that what the fulcrum needs of the time is left.
    async fn stop_services(&mut self, deadline: Instant) {
        let left = deadline.saturating_duration_since(Instant::now());
        let (in_order, all) = (left.saturating_sub(2 * RESERVE), left.saturating_sub(RESERVE));
        self.shell.stop(in_order);
        let stopped = async {
            while !self.shell.is_over() {
                self.say();
                tokio::select! {
                    news = self.fulcrum.next() => drop(self.on_news(news)),
                    reaped = self.reaper.next() => self.on_reaped(&reaped),
                    () = self.shell.next() => {}
                }
            }
        };
        if timeout(in_order + (all - in_order) / 2, stopped).await.is_err() {
            self.shell.kill_left(all - in_order).await;
        }
    }

    /// Stops everything in order.
    async fn stop(&mut self) -> Ended {
        let deadline = Instant::now() + self.stop_timeout;
        self.stop_services(deadline).await;
        self.fulcrum.stop();
        if let Ok(ended) = timeout_at(deadline, self.until_ended()).await {
            return ended;
        }
        self.fulcrum.kill();
        timeout(KILLED_MAX, self.until_ended()).await.ok();
        let message = format!(
            "the fulcrum, the child process of the node, did not stop within {:?} and was killed",
            self.stop_timeout
        );
        Err(Error::new(Kind::TimedOut, message).with_hint(
            "Nothing that was acknowledged is lost. A slow disk is the usual cause; --stop-timeout gives it more \
             time.",
        ))
    }

    /// Waits for the end of the fulcrum, if there is one. If it had ended before, it is what that one meant.
    async fn until_ended(&mut self) -> Ended {
        while self.fulcrum.pid().is_some() {
            tokio::select! {
                // Drives the link: the order to stop may not be written yet.
                _ = self.fulcrum.next() => {}
                reaped = self.reaper.next() => self.on_reaped(&reaped),
            }
        }
        self.ended.take().unwrap_or(Ok(0))
    }
}
