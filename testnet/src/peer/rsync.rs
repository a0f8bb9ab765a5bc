//! rsync over its own daemon: what a person copies files with today. Nothing is encrypted.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{getgid, getpid, getuid};
use tokio::net::TcpStream;
use tokio::process::Command;

use super::{PeerProcess, find_program};
use crate::Error;
use crate::process::{PortBlock, procfs};
use crate::wait::{self, Seen};

const START_WITHIN: Duration = Duration::from_secs(10);
/// The one module of the daemon.
const MODULE: &str = "files";

/// What a copy took: by the clock, and of the processors on the two sides.
#[derive(Debug, Clone, Copy)]
pub struct Copied {
    /// By the clock.
    pub took: Duration,
    /// What the daemon used.
    pub cpu_from: Duration,
    /// What the copying command used.
    pub cpu_to: Duration,
}

/// A running daemon that gives out one directory, on loopback.
#[derive(Debug)]
pub struct Rsync {
    program: PathBuf,
    daemon: PeerProcess,
    port: PortBlock,
}

impl Rsync {
    /// Starts a daemon for `dir`, with its own files in `home`; none: it is not installed.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], or [`Error::TimedOut`] when it does not answer.
    pub async fn start(exe: &Path, dir: &Path, home: &Path) -> Result<Option<Self>, Error> {
        let Some(program) = find_program("rsync") else { return Ok(None) };
        let port = PortBlock::reserve()?;
        let config = home.join("rsyncd.conf");
        let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
        let text = format!(
            "use chroot = no\nuid = {uid}\ngid = {gid}\n[{MODULE}]\npath = {}\nread only = yes\n",
            dir.display()
        );
        std::fs::write(&config, text).map_err(Error::io("write the configuration of rsync"))?;
        let addr = port.addr(0);
        let args = [
            "--daemon".to_owned(),
            "--no-detach".to_owned(),
            format!("--address={}", Ipv4Addr::LOCALHOST),
            format!("--port={}", addr.port()),
            format!("--config={}", config.display()),
        ];
        let daemon = PeerProcess::start(exe, "rsync", &program, &args, &home.join("rsync.log"))?;
        let mut rsync = Self { program, daemon, port };
        wait::until("rsync answers", START_WITHIN, async || {
            rsync.daemon.check()?;
            Ok(match TcpStream::connect(addr).await {
                Ok(_) => Seen::Done(()),
                Err(error) => Seen::NotYet(error.to_string()),
            })
        })
        .await?;
        Ok(Some(rsync))
    }

    /// Copies `name` of the directory to `to`, with further `flags`.
    ///
    /// # Errors
    ///
    /// [`Error::Tool`] with what it says.
    pub async fn copy(&self, name: &str, to: &Path, flags: &[&str]) -> Result<Copied, Error> {
        let from = format!("rsync://{}/{MODULE}/{name}", self.port.addr(0));
        let before = self.accounts();
        let since = Instant::now();
        let mut command = Command::new(&self.program);
        command.args(flags).arg(&from).arg(to).stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await.map_err(Error::io("run rsync"))?;
        let took = since.elapsed();
        if !output.status.success() {
            return Err(Error::Tool {
                command: format!("rsync {} {from} {}", flags.join(" "), to.display()),
                status: output.status,
                stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            });
        }
        let after = self.accounts();
        Ok(Copied { took, cpu_from: after.0 - before.0, cpu_to: after.1 - before.1 })
    }

    /// CPU time of the daemon and of this process's children that ended, which each copy is one of.
    fn accounts(&self) -> (Duration, Duration) {
        let of = |times: Option<procfs::CpuTimes>| times.unwrap_or_default();
        let daemon = of(procfs::cpu_times(self.daemon.pid()));
        (daemon.own + daemon.children, of(procfs::cpu_times(getpid())).children)
    }
}
