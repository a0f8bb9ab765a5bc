use std::io;

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

/// Has the system kill this process when its parent ends, which MUST be the picket. Called by the fulcrum,
/// before it has anything that another one may want.
///
/// # Errors
/// Those of the system; [`io::ErrorKind::BrokenPipe`] when the picket is gone already.
pub fn die_with_picket(picket: u32) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have ended before the signal was set.
    let parent = getppid().map(Pid::as_raw_pid).and_then(|pid| u32::try_from(pid).ok());
    if parent == Some(picket) { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
}
