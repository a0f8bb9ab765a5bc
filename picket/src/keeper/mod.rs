//! The keeper: parent of one program and of everything that it starts.
//!
//! It has one thread, because the program's death signal fires when the thread ends that started it.
//! It holds what must outlive the picket: the program's exit status, its two pipes, its whole tree.
//!
//! ```text
//!   begin            launch step executed        told, or alone too long        nothing is left
//! ─────────▶ starting ───────────────▶ running ──────────────▶ ending ─▶ killing ─────────▶ gone
//!               └── refused ────────────────────────────────────────────────▲
//! ```
//!
//! Invariants:
//!
//! 1. A keeper runs nothing before it was told to, and is told once. If the picket ends before that,
//!    the socket closes and the keeper ends.
//! 2. It answers each connection to its socket as long as it lives: the listener arrives with the
//!    order, in one message. A socket that refuses connections has no keeper.
//! 3. It ends only when the system says that no child is left; being a subreaper, that is its tree.
//! 4. It touches nothing but what is below it. It reads no process id from a file.
//! 5. Alone for longer than `orphan_time` it ends its tree in order, then itself. Once that began it
//!    does not turn back, because part of the tree may have ended already.
//!
//! It does not read the pipes. While no picket does, a program that writes more than they hold waits.

mod memory;
mod message;
mod state;
mod visitors;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    DumpableBehavior, PidfdFlags, getpid, pidfd_open, set_child_subreaper, set_dumpable_behavior,
    setsid,
};
use signal_hook::consts;

use crate::crash::{self, Spawn};
use crate::fds;
use crate::launch::{self, Errand};
use crate::tree::Process;
pub use message::{Ended, Exit, Order};
pub(crate) use message::{Hello, Report, Request};
use state::{Keeper, Launching};
use visitors::Visitors;

/// The word of the command line with which this program is a keeper.
pub const VERB: &str = "keeper";
/// The message that comes with order, image and listener.
pub(crate) const BEGIN: &[u8] = b"begin";
/// How much a pipe holds while no picket reads it, in bytes. The system gives a user 64 MiB for all
/// its pipes by default: enough for 128 programs with two of these. Where it refuses, a pipe has the
/// system's own 64 KiB.
const PIPE_BYTES: usize = 256 << 10;
/// Signals that a keeper ignores: a picket ends a service by messages, never by a signal to its keeper.
const IGNORED: [i32; 6] = [
    consts::SIGTERM,
    consts::SIGINT,
    consts::SIGHUP,
    consts::SIGQUIT,
    consts::SIGUSR1,
    consts::SIGUSR2,
];

/// The main function of `crux-node keeper`. Its standard input is the socket of the picket that started
/// it.
#[must_use]
pub fn main() -> ExitCode {
    let Ok((picket, children)) = set_up() else { return ExitCode::FAILURE };
    let begin = match fds::receive(&picket) {
        Ok(begin) if begin.bytes == BEGIN => begin,
        // The picket ended first: nothing was started, and nothing is.
        _ => return ExitCode::FAILURE,
    };
    crash::point("keeper.begin.after");
    match start(picket, children, begin.descriptors) {
        Ok(keeper) => keeper.run(),
        Err(code) => code,
    }
}

/// Makes this process a keeper: the socket of the picket, and the one that is readable when a child
/// ends.
fn set_up() -> io::Result<(OwnedFd, UnixStream)> {
    let picket = io::stdin().as_fd().try_clone_to_owned()?;
    launch::null_stdin()?;
    // The system has the name of what was executed: `exe`.
    rustix::thread::set_name(c"crux-keeper").ok();
    close_fds::set_fds_cloexec(3, &[]);
    // It outlives what it was started from, and must not keep a disk in use.
    std::env::set_current_dir("/")?;
    // Not its own if it was started as the head of one.
    let _ = setsid();
    set_child_subreaper(Some(getpid()))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let (children, writer) = UnixStream::pair()?;
    children.set_nonblocking(true)?;
    signal_hook::low_level::pipe::register(consts::SIGCHLD, writer)?;
    let ignored = Arc::default();
    for signal in IGNORED {
        signal_hook::flag::register(signal, Arc::clone(&ignored))?;
    }
    crash::point("keeper.begin.before");
    Ok((picket, children))
}

/// Starts the launch step. Whatever fails is reported: nothing runs then.
fn start(picket: OwnedFd, children: UnixStream, with: Vec<OwnedFd>) -> Result<Keeper, ExitCode> {
    let failed = |picket: &OwnedFd, err: &io::Error| {
        let text = format!("the keeper cannot start the program: {err}");
        state::send(picket, &Report::Failed { text }, &[]);
        state::send(picket, &Report::Gone { killed: 0 }, &[]);
        ExitCode::FAILURE
    };
    let Ok([order, image, listener]) = <[OwnedFd; 3]>::try_from(with) else {
        return Err(failed(&picket, &io::Error::other("order, image or listener is missing")));
    };
    let order_file = File::from(order);
    let started = Order::read(&order_file).and_then(|mut order| {
        let (launching, output) = spawn(&order_file, &image)?;
        // It may have secrets, and up to a megabyte of them.
        (order.program.argv, order.program.env) = (Vec::new(), Vec::new());
        Ok((order, launching, output))
    });
    match started {
        Ok((order, launching, output)) => {
            let visitors = Visitors::new(listener);
            Ok(Keeper::new(order, picket, children, visitors, launching, output))
        }
        Err(err) => Err(failed(&picket, &err)),
    }
}

/// The launch step with its errand, and the reading ends of its standard output and error.
fn spawn(order: &File, image: &OwnedFd) -> io::Result<(Launching, [OwnedFd; 2])> {
    let (out, out_writer) = pipe()?;
    let (err, err_writer) = pipe()?;
    let (report, theirs) = fds::pair()?;
    let mut launch = Command::new("/proc/self/exe");
    launch.arg(launch::VERB).env_clear();
    launch.stdin(theirs).stdout(out_writer).stderr(err_writer);
    crash::pass_on(&mut launch);
    let child = crash::spawn(Spawn::Launch, &mut launch)?;
    // The writing ends here would keep the pipes from ever ending.
    drop(launch);
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    let program = Process::now(pid).ok_or(io::ErrorKind::NotFound)?;
    let handle = pidfd_open(rustix::process::Pid::from_child(&child), PidfdFlags::empty())?;
    let errand = serde_json::to_vec(&Errand { keeper: crate::tree::this_pid() })?;
    let text = match fds::send(&report, &errand, &[order.as_fd(), image.as_fd()]) {
        // It has ended by now, and its socket is closed, which is seen later.
        Err(err) if err.kind() != io::ErrorKind::BrokenPipe => {
            Some(format!("the launch step cannot be told what to execute: {err}"))
        }
        _ => None,
    };
    crash::point("keeper.errand.after");
    let report = Some(report).filter(|_| text.is_none());
    Ok((Launching { program, handle, report, ready: false, text }, [out, err]))
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    let _ = rustix::pipe::fcntl_setpipe_size(&writer, PIPE_BYTES);
    Ok((reader, writer))
}

/// A process that inherits nothing of the environment but the points at which a test crashes it.
pub(crate) fn bare(verb: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg(verb).env_clear().stdout(Stdio::null()).stderr(Stdio::null());
    crash::pass_on(&mut command);
    command
}
