//! What the node does when it is sent a signal.
//!
//! | signal | what it does |
//! |---|---|
//! | SIGTERM, SIGINT (Ctrl-C), SIGQUIT | stops the node in order, without leaving; a second one a second or more later ends it at once |
//! | SIGHUP | has the settings read again; see `reload`. So a terminal that closes stops no node |
//! | SIGUSR1, SIGUSR2 | nothing; by default they would end the process |
//! | SIGXFSZ | nothing: a file at its limit is as a full disk |
//! | SIGPIPE | nothing: a reader that is gone is an error of the write |
//!
//! SIGKILL can be caught by nobody. It loses nothing that was acknowledged.
//!
//! Where the node is two processes, this is what its picket does. The fulcrum does nothing at all of it: a
//! terminal, and many a supervisor, signal both, and the picket says what is to happen.

use std::future::Future;
use std::io::Read as _;
use std::time::Duration;

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::error::{Error, Exit};
use crate::parts::{Part, Pulse, Stop, Supervisor};

/// A second signal to stop counts only after this long: a terminal and a program around the node may
/// both pass one Ctrl-C on.
const TWICE: Duration = Duration::from_secs(1);

/// The signals that stop the node.
struct Stops {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    quit: tokio::signal::unix::Signal,
}

impl Stops {
    fn catch() -> Result<Self, Error> {
        Ok(Self {
            terminate: catch(SignalKind::terminate())?,
            interrupt: catch(SignalKind::interrupt())?,
            quit: catch(SignalKind::quit())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.quit.recv() => "SIGQUIT",
        }
    }
}

fn catch(kind: SignalKind) -> Result<tokio::signal::unix::Signal, Error> {
    signal(kind).map_err(|err| Error::io("catching signals", &err))
}

/// Resolves at the first signal to stop, and with `with_stdin` also when standard input closes. The
/// signals are caught from the call on, not from the first poll. After it resolved, a second one calls
/// `give_up` and ends the process.
///
/// # Errors
/// What the system says when signals cannot be caught, or no thread is left.
pub fn requested<F: FnOnce() + Send + 'static>(
    parts: &Supervisor,
    with_stdin: bool,
    give_up: F,
) -> Result<impl Future<Output = ()> + Send + use<F>, Error> {
    let stops = Stops::catch()?;
    let closed = with_stdin.then(|| stdin_closed(parts)).transpose()?;
    let (stop, stopped) = oneshot::channel();
    // A second signal counts until the end.
    parts.task(Part::Signals, Stop::Never, wait_for_two(stops, closed, stop, give_up));
    // Where the part failed, the node stops, too.
    Ok(async move { drop(stopped.await) })
}

/// Says `stop` at the first signal, and ends the process at the second.
async fn wait_for_two(
    mut stops: Stops,
    closed: Option<oneshot::Receiver<()>>,
    stop: oneshot::Sender<()>,
    give_up: impl FnOnce(),
) {
    let closed = async {
        match closed {
            Some(closed) => drop(closed.await),
            None => std::future::pending().await,
        }
    };
    let cause = tokio::select! {
        signal = stops.next() => signal,
        () = closed => "standard input closed",
    };
    tracing::info!(cause, "stopping");
    let first = Instant::now();
    // The node may be stopping already.
    stop.send(()).ok();
    let mut second = stops.next().await;
    while first.elapsed() < TWICE {
        second = stops.next().await;
    }
    tracing::warn!(cause = second, "told to stop twice: ends at once");
    give_up();
    std::process::exit(Exit::Failed.code().into());
}

/// SIGHUP, caught from the call on, also where it was ignored so far, as under `nohup`.
///
/// # Errors
/// What the system says when signals cannot be caught.
pub fn hangups() -> Result<tokio::signal::unix::Signal, Error> {
    catch(SignalKind::hangup())
}

/// Survives signals that would end the process by default and mean nothing here. Among them is the one
/// for a file that would grow beyond the process's limit (`ulimit -f`): that becomes a write that
/// fails, as on a full disk.
///
/// # Errors
/// What the system says when signals cannot be caught.
pub fn outlive_others() -> Result<(), Error> {
    let file_limit = SignalKind::from_raw(Signal::XFSZ.as_raw());
    // A process that catches one once ignores it for the rest of its life.
    [file_limit, SignalKind::user_defined1(), SignalKind::user_defined2()]
        .into_iter()
        .try_for_each(|kind| catch(kind).map(drop))
}

/// Survives what only the picket acts on; see [`requested`] and [`hangups`].
///
/// # Errors
/// What the system says when signals cannot be caught.
pub fn leave_to_picket() -> Result<(), Error> {
    [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::quit(), SignalKind::hangup()]
        .into_iter()
        .try_for_each(|kind| catch(kind).map(drop))
}

/// Resolves when standard input closes. A thread of its own reads it, because a read that blocks in
/// the runtime would keep the runtime from ending; the thread ends with the process.
fn stdin_closed(parts: &Supervisor) -> Result<oneshot::Receiver<()>, Error> {
    let (close, closed) = oneshot::channel();
    let read = move |pulse: &Pulse| {
        let mut buf = [0; 256];
        while std::io::stdin().read(&mut buf).is_ok_and(|len| len > 0) {}
        pulse.beat();
        // Nobody may be waiting any more.
        close.send(()).ok();
    };
    parts.stops_thread(Part::Stdin, Stop::Never);
    let thread = parts.thread(Part::Stdin, read);
    thread.map(|()| closed).map_err(|err| Error::io("watching standard input", &err))
}
