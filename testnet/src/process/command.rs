//! One-shot commands of the node's command line, run as a child process.

use std::ffi::OsStr;
use std::io::{PipeReader, PipeWriter, Write as _};
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::NODE_VERB;
use crate::Error;

/// How a command ended and what it wrote.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Finished {
    /// Its exit code; `None` when a signal ended it.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }
}

/// Runs `crux-node ARGS` to its end, for at most `within`; a command that takes longer is killed.
///
/// `exe` is this program. Standard input is empty. Variables that would configure the node are
/// taken out of the environment, so that only `args` count; so are those that say where nodes list themselves.
///
/// # Errors
///
/// [`Error::Io`] when it cannot be started, [`Error::WouldNotStop`] when time is up. A command
/// that fails is no error here: see [`Finished::status`].
pub async fn run_node_command(
    exe: &Path,
    args: &[impl AsRef<OsStr>],
    within: Duration,
) -> Result<Finished, Error> {
    // It stays open: a node that was told to stop when that closes would be stopped before it can refuse.
    let (stdin, open) = pipe()?;
    let finished = finish(exe, args, stdin, within).await;
    drop(open);
    finished
}

/// As [`run_node_command`], with a line on standard input, which then ends: a key, say.
///
/// The line has at most 4096 bytes, which every pipe takes before anybody reads.
///
/// # Errors
///
/// As [`run_node_command`].
pub async fn run_node_command_on(
    exe: &Path,
    args: &[impl AsRef<OsStr>],
    line: &str,
    within: Duration,
) -> Result<Finished, Error> {
    let (stdin, mut open) = pipe()?;
    open.write_all(line.as_bytes()).map_err(Error::io("write into a pipe"))?;
    drop(open);
    finish(exe, args, stdin, within).await
}

fn pipe() -> Result<(PipeReader, PipeWriter), Error> {
    std::io::pipe().map_err(Error::io("make a pipe"))
}

async fn finish(
    exe: &Path,
    args: &[impl AsRef<OsStr>],
    stdin: PipeReader,
    within: Duration,
) -> Result<Finished, Error> {
    let mut command = Command::new(exe);
    command.arg(NODE_VERB).args(args).stdin(stdin).kill_on_drop(true);
    for name in node_variables() {
        command.env_remove(name);
    }
    for name in HOMES {
        command.env_remove(name);
    }
    let told = describe(args);
    let output = timeout(within, command.output())
        .await
        .map_err(|_| Error::WouldNotStop { name: format!("`crux-node {told}`"), within })?
        .map_err(Error::io(format!("run {}", exe.display())))?;
    Ok(Finished {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Names of the variables of this process that would configure a node, except for its log level.
pub(super) fn node_variables() -> impl Iterator<Item = std::ffi::OsString> {
    std::env::vars_os()
        .map(|(name, _)| name)
        .filter(|name| name.to_string_lossy().starts_with("CRUX_") && name != "CRUX_LOG")
}

/// Where a node lists itself, and commands look for one: what runs for the person who runs a test is none of
/// its business, and the other way round.
pub(super) const HOMES: [&str; 3] = ["HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME"];

fn describe(args: &[impl AsRef<OsStr>]) -> String {
    args.iter().map(|arg| arg.as_ref().to_string_lossy()).collect::<Vec<_>>().join(" ")
}
