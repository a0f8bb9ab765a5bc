//! A cluster of serf agents on loopback.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Pid;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::{AGENT_PREFIX, DIGITS, Rpc};
use crate::Error;
use crate::peer::{PeerProcess, find_program};
use crate::process::PortBlock;
use crate::wait::{self, Seen};

/// How long the agents may take to know each other.
const JOIN_WITHIN: Duration = Duration::from_secs(60);

/// Sightings that may wait to be read: one per agent and round, many times over.
const SIGHTINGS_MAX: usize = 4096;

/// An agent saw something.
#[derive(Debug, Clone, Copy)]
pub struct Sighting {
    /// Which agent saw it, counted from 0.
    pub agent: usize,
    /// The number of the event, or of the agent that failed.
    pub number: usize,
    /// When it was read, on this process's clock.
    pub at: Instant,
}

/// One agent: what it is started with, and the process when it runs.
#[derive(Debug)]
struct Agent {
    ports: PortBlock,
    process: Option<PeerProcess>,
    /// The task that reads what it sees.
    listener: Option<AbortHandle>,
}

/// What the listeners read.
#[derive(Debug, Clone, Copy)]
enum Topic {
    Events,
    Failures,
}

/// A cluster of serf agents; dropping kills them.
#[derive(Debug)]
pub struct Agents {
    exe: PathBuf,
    program: PathBuf,
    log: PathBuf,
    agents: Vec<Agent>,
    sightings: mpsc::Receiver<Sighting>,
    seen: mpsc::Sender<Sighting>,
    tasks: JoinSet<()>,
}

impl Agents {
    /// Starts `count` agents with the LAN profile and waits until all know all.
    ///
    /// `None` when serf is not installed.
    ///
    /// # Errors
    ///
    /// Those of starting processes, or [`Error::TimedOut`].
    pub async fn start(exe: &Path, count: usize, dir: &Path) -> Result<Option<Self>, Error> {
        let Some(program) = find_program("serf") else { return Ok(None) };
        let (seen, sightings) = mpsc::channel(SIGHTINGS_MAX);
        let mut agents = Self {
            exe: exe.to_owned(),
            program,
            log: dir.join("serf.log"),
            agents: Vec::new(),
            sightings,
            seen,
            tasks: JoinSet::new(),
        };
        for at in 0..count {
            let ports = PortBlock::reserve()?;
            agents.agents.push(Agent { ports, process: None, listener: None });
            agents.run(at).await?;
        }
        agents.until_all_alive().await?;
        Ok(Some(agents))
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.agents.len()
    }

    /// Process numbers of those that run.
    #[must_use]
    pub fn pids(&self) -> Vec<Pid> {
        self.agents
            .iter()
            .filter_map(|agent| agent.process.as_ref())
            .map(PeerProcess::pid)
            .collect()
    }

    /// Connects to one agent.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it does not listen.
    pub async fn connect(&self, at: usize) -> Result<Rpc, Error> {
        Rpc::connect(self.rpc_addr(at)).await
    }

    /// Reads user events on all agents from now on.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when one does not listen.
    pub async fn listen_events(&mut self) -> Result<(), Error> {
        for at in 0..self.agents.len() {
            self.listen(at, Topic::Events).await?;
        }
        Ok(())
    }

    /// Reads failures on all agents from now on.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when one does not listen.
    pub async fn listen_failures(&mut self) -> Result<(), Error> {
        for at in 0..self.agents.len() {
            self.listen(at, Topic::Failures).await?;
        }
        Ok(())
    }

    /// Waits until every running agent saw `number` after `since`; returns how long each took.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`] says how many did.
    pub async fn until_seen(
        &mut self,
        number: usize,
        since: Instant,
        within: Duration,
    ) -> Result<Vec<Duration>, Error> {
        let running = self.pids().len();
        let mut first: Vec<Option<Duration>> = vec![None; self.agents.len()];
        let deadline = tokio::time::Instant::from_std(since + within);
        while first.iter().flatten().count() < running {
            match tokio::time::timeout_at(deadline, self.sightings.recv()).await {
                Ok(Some(seen)) if seen.number == number && seen.at >= since => {
                    first[seen.agent].get_or_insert(seen.at.duration_since(since));
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => {
                    return Err(Error::TimedOut {
                        what: format!("all {running} serf agents saw {number}"),
                        within,
                        last: format!("  {} of them did", first.iter().flatten().count()),
                    });
                }
            }
        }
        Ok(first.into_iter().flatten().collect())
    }

    /// Kills agent `at` with SIGKILL; returns when the signal was sent.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the system refuses.
    pub fn kill(&mut self, at: usize) -> Result<Instant, Error> {
        let agent = &mut self.agents[at];
        if let Some(listener) = agent.listener.take() {
            listener.abort();
        }
        let mut process = agent.process.take();
        let since = Instant::now();
        if let Some(process) = &mut process {
            process.strike()?;
        }
        Ok(since)
    }

    /// Starts a killed agent again, under its old name and address, and waits until all know all.
    ///
    /// # Errors
    ///
    /// As [`Agents::start`].
    pub async fn bring_back(&mut self, at: usize) -> Result<(), Error> {
        self.run(at).await?;
        self.until_all_alive().await?;
        self.listen(at, Topic::Failures).await
    }

    async fn run(&mut self, at: usize) -> Result<(), Error> {
        let name = format!("{AGENT_PREFIX}{at:0DIGITS$}");
        let bind = self.agents[at].ports.addr(0);
        let mut args = vec![
            "agent".to_owned(),
            format!("-node={name}"),
            format!("-bind={bind}"),
            format!("-rpc-addr={}", self.rpc_addr(at)),
            "-profile=lan".to_owned(),
        ];
        let friend = (0..self.agents.len())
            .find(|other| *other != at && self.agents[*other].process.is_some());
        if let Some(friend) = friend {
            args.push(format!("-join={}", self.agents[friend].ports.addr(0)));
        }
        let process = PeerProcess::start(&self.exe, &name, &self.program, &args, &self.log)?;
        self.agents[at].process = Some(process);
        self.until_listening(at).await
    }

    async fn until_listening(&mut self, at: usize) -> Result<(), Error> {
        wait::until("the serf agent listens", JOIN_WITHIN, async || {
            if let Some(process) = &mut self.agents[at].process {
                process.check()?;
            }
            Ok(match self.connect(at).await {
                Ok(_) => Seen::Done(()),
                Err(error) => Seen::NotYet(error.to_string()),
            })
        })
        .await
    }

    async fn until_all_alive(&self) -> Result<(), Error> {
        let count = self.agents.len();
        for at in 0..count {
            let mut rpc = self.connect(at).await?;
            wait::until("all serf agents are alive to all", JOIN_WITHIN, async || {
                let alive = rpc.alive(count).await?;
                let shown = || format!("  agent {at} shows {alive} of {count} alive");
                Ok(Seen::when(alive == count, (), |()| shown()))
            })
            .await?;
        }
        Ok(())
    }

    async fn listen(&mut self, at: usize, topic: Topic) -> Result<(), Error> {
        let mut rpc = self.connect(at).await?;
        match topic {
            Topic::Events => rpc.subscribe_events().await?,
            Topic::Failures => rpc.subscribe_log().await?,
        }
        let seen = self.seen.clone();
        let listener = self.tasks.spawn(async move {
            loop {
                let next = match topic {
                    Topic::Events => rpc.next_event().await,
                    Topic::Failures => rpc.next_failed().await,
                };
                // An agent that is gone has nothing more to say.
                let Ok(number) = next else { return };
                let sighting = Sighting { agent: at, number, at: Instant::now() };
                if seen.send(sighting).await.is_err() {
                    return;
                }
            }
        });
        self.agents[at].listener = Some(listener);
        Ok(())
    }

    fn rpc_addr(&self, at: usize) -> SocketAddr {
        self.agents[at].ports.addr(1)
    }
}
