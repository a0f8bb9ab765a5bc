//! The end of a command by a signal.

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

use super::unfinished;
use crate::error::Error;

/// Signals that end a command: Ctrl-C, what supervisors send, and the end of the terminal.
const ENDS: [Signal; 3] = [Signal::INT, Signal::TERM, Signal::HUP];

/// From here on SIGINT, SIGTERM and SIGHUP remove what is unfinished and end the process with 128 and the
/// signal's number, as a shell shows it. One that whoever started the process ignores (`nohup`) stays
/// ignored. For commands, not for a node.
///
/// # Errors
/// What the system says when signals cannot be caught.
pub fn clean_up_on_signals() -> Result<(), Error> {
    let failed = |err: std::io::Error| Error::io("catching signals", &err);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(failed)?;
    let ignored = ignored();
    for end in ENDS.into_iter().filter(|end| ignored & mask(*end) == 0) {
        let _inside = runtime.enter();
        let mut caught = signal(SignalKind::from_raw(end.as_raw())).map_err(failed)?;
        runtime.spawn(async move {
            if caught.recv().await.is_some() {
                // Held until the end: nothing unfinished gets its name any more.
                let _all = unfinished::remove_all();
                std::process::exit(128 + end.as_raw());
            }
        });
    }
    // A thread of its own: a command may wait for a pipe's reader, or for its disk.
    let wait = move || runtime.block_on(std::future::pending::<()>());
    let thread = std::thread::Builder::new().name("signals".to_owned()).spawn(wait);
    thread.map(drop).map_err(failed)
}

/// The signals that this process ignores, as bits; none where the system does not tell.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bits = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    bits.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0)
}

const fn mask(signal: Signal) -> u64 {
    1 << (signal.as_raw() - 1)
}
