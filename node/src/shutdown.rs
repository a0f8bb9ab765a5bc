//! When a node stops: SIGTERM, Ctrl-C, or the end of standard input.

use std::future::Future;
use std::io::Read as _;

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::error::Error;

/// Resolves at the first SIGTERM or SIGINT, and with `with_stdin` also when standard input closes.
/// The signals are caught from the call on, not from the first poll.
///
/// # Errors
/// What the system says when signals cannot be caught.
pub fn requested(with_stdin: bool) -> Result<impl Future<Output = ()> + Send, Error> {
    let catch = |kind| signal(kind).map_err(|err| Error::io("catching signals", &err));
    let mut terminate = catch(SignalKind::terminate())?;
    let mut interrupt = catch(SignalKind::interrupt())?;
    let closed = with_stdin.then(stdin_closed).transpose()?;
    Ok(async move {
        let closed = async {
            match closed {
                Some(closed) => drop(closed.await),
                None => std::future::pending().await,
            }
        };
        let cause = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
            () = closed => "standard input closed",
        };
        tracing::info!(cause, "stopping");
    })
}

/// Makes a file that would grow beyond the process's limit (`ulimit -f`) a write that fails, as on a
/// full disk. The system's default is to end the process.
///
/// # Errors
/// What the system says when signals cannot be caught.
pub fn outlive_file_limit() -> Result<(), Error> {
    let kind = SignalKind::from_raw(Signal::XFSZ.as_raw());
    // Whoever catches it once ignores it for the life of the process.
    signal(kind).map(drop).map_err(|err| Error::io("catching signals", &err))
}

/// Resolves when standard input closes. A thread of its own reads it, because a read that blocks in
/// the runtime would keep the runtime from ending; the thread ends with the process.
fn stdin_closed() -> Result<oneshot::Receiver<()>, Error> {
    let (close, closed) = oneshot::channel();
    let read = move || {
        let mut buf = [0; 256];
        while std::io::stdin().read(&mut buf).is_ok_and(|len| len > 0) {}
        // Nobody may be waiting any more.
        close.send(()).ok();
    };
    let thread = std::thread::Builder::new().name("stdin".to_owned()).spawn(read);
    thread.map(|_| closed).map_err(|err| Error::io("watching standard input", &err))
}
