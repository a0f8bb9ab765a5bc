//! This program, re-executed in the same process: some things can only be said before a program
//! starts.

use std::path::PathBuf;
use std::process::Command;

/// This program with the arguments that it was called with, to be executed in its own place.
///
/// By its own path, so that it keeps its name; by the kernel's where it was replaced meanwhile.
pub(crate) fn again() -> Command {
    let path = std::env::current_exe().ok().filter(|path| path.exists());
    let mut again = Command::new(path.unwrap_or_else(|| PathBuf::from("/proc/self/exe")));
    let mut args = std::env::args_os();
    #[cfg(unix)]
    if let Some(name) = args.next() {
        std::os::unix::process::CommandExt::arg0(&mut again, name);
    }
    again.args(args);
    again
}
