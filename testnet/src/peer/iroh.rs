//! iroh-blobs: verified streaming of files over QUIC. It is the nearest thing to pastiche, and comes as
//! a program of its own (`bench/iroh`), so that its dependencies are not ours.

use std::path::Path;
use std::process::Stdio;

use rustix::process::Pid;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::TETHER_VERB;
use crate::Error;

const PEER: &str = "iroh-blobs";

/// One of its two processes. Dropping kills it.
#[derive(Debug)]
pub struct Iroh {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Iroh {
    /// Starts the program at `program` with these arguments; its complaints go to standard error.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be started.
    pub fn start(exe: &Path, program: &Path, args: &[&str]) -> Result<Self, Error> {
        let mut command = Command::new(exe);
        command.arg(TETHER_VERB).arg(program).args(args).kill_on_drop(true);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Error::io(format!("start {}", program.display())))?;
        let Some(stdout) = child.stdout.take() else {
            return Err(Error::Peer { peer: PEER, what: "has no standard output".to_owned() });
        };
        Ok(Self { child, said: BufReader::new(stdout).lines() })
    }

    /// The next line that it writes.
    ///
    /// # Errors
    ///
    /// [`Error::Peer`] when it ended, or wrote something else than JSON.
    pub async fn line(&mut self) -> Result<Value, Error> {
        let what = match self.said.next_line().await {
            Ok(Some(line)) => match serde_json::from_str(&line) {
                Ok(value) => return Ok(value),
                Err(error) => format!("wrote {line:?}: {error}"),
            },
            Ok(None) => "ended before it had something to say".to_owned(),
            Err(error) => error.to_string(),
        };
        Err(Error::Peer { peer: PEER, what })
    }

    /// Its process number.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
    }

    /// Ends it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the system refuses.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.child.kill().await.map_err(Error::io(format!("stop {PEER}")))
    }
}
