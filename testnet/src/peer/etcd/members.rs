//! A cluster of three etcd members on loopback.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Pid;
use tokio::time::{sleep, timeout};

use super::http::post;
use crate::Error;
use crate::peer::{PeerProcess, find_program};
use crate::process::PortBlock;
use crate::wait::{self, Seen};

/// How many members: the least that survive a dead leader.
const COUNT: usize = 3;
/// How long they may take to elect a leader.
const ELECT_WITHIN: Duration = Duration::from_secs(30);
/// How long one write may take before it is given up and tried again. A write that a follower sent
/// to the dead leader is lost and would else wait for seconds.
const WRITE_WITHIN: Duration = Duration::from_millis(100);
/// Pause after a write that failed at once.
const WRITE_PAUSE: Duration = Duration::from_millis(5);

/// One member: where it lives, and the process when it runs.
#[derive(Debug)]
struct EtcdMember {
    ports: PortBlock,
    process: Option<PeerProcess>,
}

/// A cluster of three etcd members; dropping kills them.
#[derive(Debug)]
pub struct Members {
    exe: PathBuf,
    program: PathBuf,
    dir: PathBuf,
    members: Vec<EtcdMember>,
}

impl Members {
    /// Starts three members with default timing and waits until they have a leader.
    ///
    /// `None` when etcd is not installed.
    ///
    /// # Errors
    ///
    /// Those of starting processes, or [`Error::TimedOut`].
    pub async fn start(exe: &Path, dir: &Path) -> Result<Option<Self>, Error> {
        let Some(program) = find_program("etcd") else { return Ok(None) };
        let mut members = Vec::new();
        for _ in 0..COUNT {
            members.push(EtcdMember { ports: PortBlock::reserve()?, process: None });
        }
        let mut members = Self { exe: exe.to_owned(), program, dir: dir.to_owned(), members };
        for at in 0..COUNT {
            members.run(at)?;
        }
        members.until_leader().await?;
        Ok(Some(members))
    }

    /// Process numbers of those that run.
    #[must_use]
    pub fn pids(&self) -> Vec<Pid> {
        self.members.iter().filter_map(|m| m.process.as_ref()).map(PeerProcess::pid).collect()
    }

    /// Kills the leader with SIGKILL and waits until a survivor accepts a write; returns how long
    /// that took and who was killed.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`] when no write is accepted.
    pub async fn kill_leader(&mut self) -> Result<(Duration, usize), Error> {
        let leader = self.until_leader().await?;
        let survivors: Vec<SocketAddr> =
            (0..COUNT).filter(|at| *at != leader).map(|at| self.client_addr(at)).collect();
        let mut process = self.members[leader].process.take();
        let since = Instant::now();
        if let Some(process) = &mut process {
            process.strike()?;
        }
        // Two writers on each survivor, so that one that waits in vain does not hide an answer.
        let writers = survivors.iter().chain(&survivors).map(|addr| Box::pin(until_written(*addr)));
        let written = timeout(ELECT_WITHIN, futures::future::select_all(writers)).await;
        let took = since.elapsed();
        match written {
            Ok(_) => Ok((took, leader)),
            Err(_) => Err(Error::TimedOut {
                what: "a write is accepted by etcd".to_owned(),
                within: ELECT_WITHIN,
                last: "  none".to_owned(),
            }),
        }
    }

    /// Starts a killed member again and waits until all three know one leader.
    ///
    /// # Errors
    ///
    /// As [`Members::start`].
    pub async fn bring_back(&mut self, at: usize) -> Result<(), Error> {
        self.run(at)?;
        self.until_leader().await.map(drop)
    }

    fn run(&mut self, at: usize) -> Result<(), Error> {
        let name = member_name(at);
        let client = format!("http://{}", self.client_addr(at));
        let peer = format!("http://{}", self.peer_addr(at));
        let all: Vec<String> = (0..COUNT)
            .map(|at| format!("{}=http://{}", member_name(at), self.peer_addr(at)))
            .collect();
        let data = self.dir.join(&name).display().to_string();
        let args = [
            format!("--name={name}"),
            format!("--data-dir={data}"),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster={}", all.join(",")),
            "--initial-cluster-state=new".to_owned(),
        ];
        let log = self.dir.join("etcd.log");
        let process = PeerProcess::start(&self.exe, &name, &self.program, &args, &log)?;
        self.members[at].process = Some(process);
        Ok(())
    }

    /// Waits until all members name one leader and a write is accepted; returns which one leads.
    async fn until_leader(&mut self) -> Result<usize, Error> {
        let leader = wait::until("etcd has a leader", ELECT_WITHIN, async || {
            for member in &mut self.members {
                if let Some(process) = &mut member.process {
                    process.check()?;
                }
            }
            Ok(match self.leader().await {
                Ok(Some(at)) => Seen::Done(at),
                Ok(None) => Seen::NotYet("  no leader".to_owned()),
                Err(error) => Seen::NotYet(format!("  {error}")),
            })
        })
        .await?;
        until_written(self.client_addr(leader)).await;
        Ok(leader)
    }

    /// Which member leads, if all three say the same.
    async fn leader(&self) -> Result<Option<usize>, Error> {
        let (mut ids, mut leaders) = (Vec::new(), Vec::new());
        for at in 0..COUNT {
            let answer = post(self.client_addr(at), "/v3/maintenance/status", "{}").await?;
            ids.push(answer["header"]["member_id"].clone());
            leaders.push(answer["leader"].clone());
        }
        let same = leaders.iter().all(|leader| *leader == leaders[0]);
        Ok(ids.iter().position(|id| same && *id == leaders[0]))
    }

    fn client_addr(&self, at: usize) -> SocketAddr {
        self.members[at].ports.addr(0)
    }

    fn peer_addr(&self, at: usize) -> SocketAddr {
        self.members[at].ports.addr(1)
    }
}

fn member_name(at: usize) -> String {
    format!("etcd-{at}")
}

/// Tries to write until one write is accepted.
async fn until_written(addr: SocketAddr) {
    // Key and value are base64 of "k" and "v".
    let body = r#"{"key":"aw==","value":"dg=="}"#;
    loop {
        match timeout(WRITE_WITHIN, post(addr, "/v3/kv/put", body)).await {
            Ok(Ok(_)) => return,
            Ok(Err(_)) => sleep(WRITE_PAUSE).await,
            Err(_) => {}
        }
    }
}
