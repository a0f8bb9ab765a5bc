//! Becoming another program that dies with the testnet.
//!
//! Peers know nothing of a pipe that closes. `crux-testnet tether PROGRAM ARGS…` asks the kernel
//! for SIGKILL when its parent ends, then turns into PROGRAM, which keeps that wish.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use crate::output::note;

/// Becomes the program named by the first of `args`; returns only if that fails.
pub fn exec(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let Some(program) = args.next() else {
        note("usage: crux-testnet tether PROGRAM ARGS…");
        return ExitCode::from(2);
    };
    let parent = getppid();
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        note(format_args!("cannot tether {}: {error}", program.display()));
        return ExitCode::FAILURE;
    }
    // The parent may have ended before the wish was made; then nobody will ever send the signal.
    if getppid() != parent {
        return ExitCode::FAILURE;
    }
    let error = Command::new(&program).args(args).exec();
    note(format_args!("cannot run {}: {error}", program.display()));
    ExitCode::FAILURE
}
