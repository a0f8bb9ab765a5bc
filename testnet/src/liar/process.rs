//! A liar as a child process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Pid;

use super::{LIAR_VERB, Lie};
use crate::Error;
use crate::peer::PeerProcess;
use crate::wait::{self, Seen};

/// What a liar is started with.
#[derive(Debug, Clone)]
pub struct LiarSpec {
    /// What it lies about.
    pub lie: Lie,
    /// The file with the flock's secret. A stranger takes nothing from it but the flock id.
    pub secret: PathBuf,
    /// Where a member listens; further keys listen at the same IP.
    pub listen: SocketAddr,
    /// The nodes to join, or to pester.
    pub targets: Vec<SocketAddr>,
    /// How many keys lie at once.
    pub keys: usize,
    /// How many of what it lies with: connections for each target, or admitted keys.
    pub count: usize,
    /// The size in bytes of what it claims.
    pub bytes: u64,
    /// Where its output goes.
    pub log: PathBuf,
}

/// A running liar. Dropping kills it and reaps it.
#[derive(Debug)]
pub struct LiarProcess {
    process: PeerProcess,
    log: PathBuf,
}

impl LiarProcess {
    /// Starts one. `exe` is this program. The thread that calls MUST outlive it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be started.
    pub fn start(exe: &Path, spec: &LiarSpec) -> Result<Self, Error> {
        let mut args = vec![LIAR_VERB.to_owned(), spec.lie.to_string()];
        let mut flag = |name: &str, value: String| args.extend([name.to_owned(), value]);
        flag("--secret-file", spec.secret.display().to_string());
        flag("--listen", spec.listen.to_string());
        flag("--keys", spec.keys.to_string());
        flag("--count", spec.count.to_string());
        flag("--bytes", spec.bytes.to_string());
        spec.targets.iter().for_each(|target| flag("--join", target.to_string()));
        let process = PeerProcess::start(exe, "the liar", exe, &args, &spec.log)?;
        Ok(Self { process, log: spec.log.clone() })
    }

    /// Its process number.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.process.pid()
    }

    /// Waits until it says that it did something; returns the line of its output that has these words.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`] with what it said instead; [`Error::Died`] when it ended.
    pub async fn until_said(&mut self, words: &str, within: Duration) -> Result<String, Error> {
        wait::until(&format!("the liar says `{words}`"), within, async || {
            self.process.check()?;
            let said = std::fs::read_to_string(&self.log).unwrap_or_default();
            let line = said.lines().find(|line| line.contains(words)).map(ToOwned::to_owned);
            Ok(line.map_or_else(|| Seen::NotYet(said), Seen::Done))
        })
        .await
    }
}
