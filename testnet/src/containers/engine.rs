use std::ffi::OsStr;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::Error;

/// How long a command of the engine may take. Building an image copies some tens of MiB.
const WITHIN: Duration = Duration::from_secs(120);

/// A container engine that answers, by its command line.
#[derive(Debug, Clone)]
pub struct Engine {
    /// What it says it is.
    pub version: String,
}

impl Engine {
    /// The engine of this machine; the reason when none answers.
    pub async fn find() -> Result<Self, String> {
        let asked = run("docker", ["version", "--format", "{{.Server.Version}}"]).await;
        asked
            .map(|version| Self { version: version.trim().to_owned() })
            .map_err(|error| format!("no container engine answers: {error}"))
    }

    /// Runs `docker ARGS` and returns what it wrote.
    ///
    /// # Errors
    /// [`Error::Tool`] with what it wrote to standard error.
    pub async fn docker<I, S>(&self, args: I) -> Result<String, Error>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        run("docker", args).await
    }
}

/// Runs a program to its end and returns what it wrote to standard output.
pub(super) async fn run<I, S>(program: &str, args: I) -> Result<String, Error>
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).kill_on_drop(true);
    finish(program, command).await
}

/// As [`run`], for a command that is set up already.
pub(super) async fn finish(program: &str, mut command: Command) -> Result<String, Error> {
    let output = timeout(WITHIN, command.output())
        .await
        .map_err(|_| Error::WouldNotStop { name: format!("`{program}`"), within: WITHIN })?
        .map_err(Error::io(format!("run {program}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let arguments = command.as_std().get_args().map(OsStr::to_string_lossy);
    Err(Error::Tool {
        command: format!("{program} {}", arguments.collect::<Vec<_>>().join(" ")),
        status: output.status,
        stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}
