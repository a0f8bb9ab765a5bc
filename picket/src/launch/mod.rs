//! The launch step: what only a process can set for itself, and then the program.
//!
//! The keeper executes `crux-node launch` as its child. Its standard input is a socket, over which the
//! keeper sends one message with two descriptors: the order, and the image. Standard output and error
//! are the program's pipes already. The step reports over the socket:
//!
//! ```text
//! keeper ── errand, [order, image] ──▶ launch
//!        ◀── ready ─────────────────── everything is set; executing now
//!        ◀── end of file ───────────── executed: the socket closed itself
//!        ◀── any other text ────────── refused, and why
//! ```
//!
//! Order of the steps, where it matters: the limit of descriptors after the image has its high number;
//! directory, priority for the OOM killer and limits before the user changes; the death signal after
//! it, because a change of user clears it; then the parent is compared, which may have ended before the
//! signal was set.

mod spec;
mod steps;

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

use crate::keeper::Order;
use crate::{crash, fds};
pub use spec::{Spec, SpecError};
pub(crate) use steps::null_stdin;

/// The word of the command line with which this program is the launch step.
pub const VERB: &str = "launch";
/// The report before the program is executed.
pub(crate) const READY: &[u8] = b"\0ready";
/// How much of a failure's text is sent.
const TEXT_MAX: usize = 2048;
/// The lowest number of a script's descriptor, which stays open: out of the way of scripts that open
/// 3 to 9 themselves.
const SCRIPT_FD_MIN: i32 = 100;
/// The exit status of a step that failed, as shells have it for what they cannot execute.
const FAILED: u8 = 127;

/// The keeper's message.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Errand {
    /// The id of the keeper, to compare with that of the parent.
    pub(crate) keeper: i32,
}

/// A step that failed, and what the system says.
#[derive(Debug, thiserror::Error)]
#[error("{doing}: {source}{hint}")]
pub(crate) struct Refused {
    doing: &'static str,
    source: io::Error,
    hint: &'static str,
}

impl Refused {
    pub(crate) fn new(doing: &'static str, source: impl Into<io::Error>) -> Self {
        Self { doing, source: source.into(), hint: "" }
    }

    const fn hint(mut self, hint: &'static str) -> Self {
        self.hint = hint;
        self
    }
}

/// The main function of `crux-node launch`. It returns only if the program could not be executed.
#[must_use]
pub fn main() -> ExitCode {
    let Ok(report) = take_socket() else { return ExitCode::from(FAILED) };
    let Err(refused) = run(&report);
    let _ = fds::send(&report, cut(&refused.to_string()).as_bytes(), &[]);
    ExitCode::from(FAILED)
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_MAX)]
}

/// Moves the socket away from standard input, which becomes empty.
fn take_socket() -> io::Result<OwnedFd> {
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    steps::null_stdin()?;
    Ok(socket)
}

fn run(report: &OwnedFd) -> Result<std::convert::Infallible, Refused> {
    let doing = "receiving what to execute";
    // Standard library and shells pass on what they inherited; from here on nothing is.
    close_fds::set_fds_cloexec(3, &[]);
    let received = fds::receive(report).map_err(|err| Refused::new(doing, err))?;
    let errand: Errand = serde_json::from_slice(&received.bytes)
        .map_err(|err| Refused::new(doing, io::Error::other(err)))?;
    let Ok([order, image]) = <[OwnedFd; 2]>::try_from(received.descriptors) else {
        return Err(Refused::new(doing, io::Error::other("not an order and an image")));
    };
    let order = Order::read(&File::from(order)).map_err(|err| Refused::new(doing, err))?;
    let image = keep_open_for_script(image, order.script)?;
    steps::prepare(&order.program, errand.keeper)?;
    fds::send(report, READY, &[]).map_err(|err| Refused::new("reporting to the keeper", err))?;
    crash::point("launch.execute.before");
    Err(execute(&image, &order.program))
}

/// A script is opened again by its interpreter, so there its descriptor stays open.
fn keep_open_for_script(image: OwnedFd, script: bool) -> Result<OwnedFd, Refused> {
    if !script {
        return Ok(image);
    }
    let doing = "keeping the script open for its interpreter";
    let high = rustix::io::fcntl_dupfd_cloexec(&image, SCRIPT_FD_MIN);
    let image = high.unwrap_or(image);
    rustix::io::fcntl_setfd(&image, rustix::io::FdFlags::empty())
        .map_err(|err| Refused::new(doing, err))?;
    Ok(image)
}

fn execute(image: &OwnedFd, spec: &Spec) -> Refused {
    let doing = "executing the program";
    let argv: Result<Vec<CString>, _> = spec.argv.iter().map(|arg| CString::new(&**arg)).collect();
    let variable = |(name, value): &(String, String)| CString::new(format!("{name}={value}"));
    let env: Result<Vec<CString>, _> = spec.env.iter().map(variable).collect();
    let (argv, env) = match (argv, env) {
        (Ok(argv), Ok(env)) => (argv, env),
        (Err(err), _) | (_, Err(err)) => return Refused::new(doing, io::Error::other(err)),
    };
    let Err(first) = nix::unistd::fexecve(image, &argv, &env);
    // Emulations of the kernel refuse it, and a machine without /dev/fd a script.
    if let Ok(path) = CString::new(format!("/proc/self/fd/{}", image.as_raw_fd())) {
        let Err(_) = nix::unistd::execve(&path, &argv, &env);
    }
    Refused::new(doing, first).hint(hint(first))
}

const fn hint(errno: nix::errno::Errno) -> &'static str {
    use nix::errno::Errno;

    match errno {
        Errno::E2BIG => "; its arguments and environment are too large for this machine",
        Errno::ENOENT => "; its loader or its interpreter is missing, or /proc is",
        Errno::ENOEXEC => "; this machine has no support for this kind of program",
        Errno::EACCES | Errno::EPERM => {
            "; the system forbids it: see vm.memfd_noexec, a blob store mounted with noexec, and \
             security modules"
        }
        Errno::ENOMEM => "; this machine has too little memory",
        _ => "",
    }
}
