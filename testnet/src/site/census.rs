//! Everything that runs on the nodes at one moment: as the pickets list it, as the kernel has it, and as it answers.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crux_client::model::{Instance, InstanceState};
use futures::future::{join_all, try_join_all};

use crate::process::{Cluster, NodeProcess, procfs};
use crate::wait::{self, Seen};
use crate::{Error, sample};

/// How long nothing changes until it counts as settled: longer than the second that a leader rests between two plans, and
/// than a start takes.
const STILL_FOR: Duration = Duration::from_millis(1500);
/// How often all nodes are asked. Each time every instance is called.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// An instance that is up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Running {
    /// The node, counted from 0.
    pub node: usize,
    /// The service.
    pub service: String,
    /// Its revision, which is also what it answered.
    pub rev: String,
    /// Its process, which is also what it answered.
    pub pid: u32,
    /// Where it answered.
    pub addr: SocketAddr,
}

/// Every instance of the started nodes, all of which are up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Census {
    /// By node, then by service.
    pub all: Vec<Running>,
}

impl Census {
    /// One look at all started nodes, and a call to each instance.
    ///
    /// # Errors
    ///
    /// The reason, for people: a node does not answer, something is on its way, or an instance is not the process that its
    /// node shows.
    pub async fn look(cluster: &Cluster) -> Result<Self, String> {
        let started = cluster.nodes().iter().enumerate().filter(|(_, node)| node.is_started());
        let listed = join_all(started.map(async |(at, node)| list(at, node).await)).await;
        // All of the story, not the first line of it.
        let (mut all, mut waits) = (Vec::new(), Vec::new());
        for listed in listed {
            match listed {
                Ok(listed) => all.extend(listed),
                Err(why) => waits.push(why),
            }
        }
        if !waits.is_empty() {
            return Err(format!("{}\n{}", Self { all }, waits.join("\n")));
        }
        try_join_all(all.iter().map(answers)).await?;
        all.sort();
        Ok(Self { all })
    }

    /// Waits until this holds, and nothing changes any more.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`] with the last look.
    pub async fn until(
        cluster: &Cluster,
        what: &str,
        within: Duration,
        holds: impl Fn(&Self) -> bool,
    ) -> Result<Self, Error> {
        Self::settled(cluster, what, within, STILL_FOR, holds).await
    }

    /// Waits until this holds.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`] with the last look.
    pub async fn first(
        cluster: &Cluster,
        what: &str,
        within: Duration,
        holds: impl Fn(&Self) -> bool,
    ) -> Result<Self, Error> {
        Self::settled(cluster, what, within, Duration::ZERO, holds).await
    }

    async fn settled(
        cluster: &Cluster,
        what: &str,
        within: Duration,
        still: Duration,
        holds: impl Fn(&Self) -> bool,
    ) -> Result<Self, Error> {
        let mut since: Option<(Self, Instant)> = None;
        wait::until_every(LOOK_EVERY, what, within, async || {
            let seen = match Self::look(cluster).await {
                Ok(seen) if holds(&seen) => seen,
                other => {
                    since = None;
                    return Ok(Seen::NotYet(other.map_or_else(|why| why, |it| it.to_string())));
                }
            };
            let begun = since.take().filter(|(before, _)| *before == seen);
            let begun = begun.map_or_else(Instant::now, |(_, begun)| begun);
            if begun.elapsed() >= still {
                return Ok(Seen::Done(seen));
            }
            let told = format!("it holds, and may change yet:\n{seen}");
            since = Some((seen, begun));
            Ok(Seen::NotYet(told))
        })
        .await
    }

    /// The instances of a service.
    pub fn of<'a>(&'a self, service: &'a str) -> impl Iterator<Item = &'a Running> {
        self.all.iter().filter(move |it| it.service == service)
    }

    /// How many instances of a service there are.
    #[must_use]
    pub fn count(&self, service: &str) -> usize {
        self.of(service).count()
    }

    /// Whether there are so many of each service, and nothing else.
    #[must_use]
    pub fn counts(&self, wanted: &[(&str, usize)]) -> bool {
        let all: usize = wanted.iter().map(|(_, count)| count).sum();
        all == self.all.len() && wanted.iter().all(|(name, count)| self.count(name) == *count)
    }

    /// The processes of a service.
    #[must_use]
    pub fn pids(&self, service: &str) -> BTreeSet<u32> {
        self.of(service).map(|it| it.pid).collect()
    }

    /// The nodes that run a service.
    #[must_use]
    pub fn nodes(&self, service: &str) -> BTreeSet<usize> {
        self.of(service).map(|it| it.node).collect()
    }

    /// The instances on a node.
    pub fn on(&self, node: usize) -> impl Iterator<Item = &Running> {
        self.all.iter().filter(move |it| it.node == node)
    }

    /// Where each service runs, without the processes.
    #[must_use]
    pub fn places(&self) -> Vec<(usize, &str, &str)> {
        self.all.iter().map(|it| (it.node, it.service.as_str(), it.rev.as_str())).collect()
    }

    /// Nothing, if none of these processes is there.
    ///
    /// # Errors
    ///
    /// [`Error::Broken`] names one that is.
    pub fn none_runs(&self) -> Result<(), Error> {
        let runs = |it: &&Running| sample::pid(it.pid).is_ok_and(procfs::is_running);
        match self.all.iter().find(runs) {
            Some(left) => Err(Error::Broken(format!("left behind: {left}"))),
            None => Ok(()),
        }
    }
}

/// The instances of a node; the reason, if one of them is not up.
async fn list(at: usize, node: &NodeProcess) -> Result<Vec<Running>, String> {
    let name = node.name();
    let listed = node.client().instances().await.map_err(|error| format!("  {name}: {error}"))?;
    let running = |it: &Instance| {
        let pid = it.pid.filter(|_| it.state == InstanceState::Up);
        let port = it.ports.get(sample::PORT);
        let (service, rev) = (it.service.to_string(), it.rev.to_string());
        let Some((pid, port)) = pid.zip(port) else {
            let reason = it.reason.as_deref().unwrap_or_default();
            return Err(format!("  {name}: {service} {rev} is {} {reason}", it.state));
        };
        let addr = SocketAddr::new(node.spec().listen.ip(), *port);
        Ok(Running { node: at, service, rev, pid, addr })
    };
    listed.iter().map(running).collect()
}

/// Nothing, if it is the process and the revision that answers.
async fn answers(it: &Running) -> Result<(), String> {
    let is_there = sample::pid(it.pid).is_ok_and(procfs::is_running);
    match sample::call(it.addr).await {
        Ok(answer) if is_there && (answer.pid, &answer.rev) == (it.pid, &it.rev) => Ok(()),
        Ok(other) => Err(format!("  {it}: {other:?} answered")),
        Err(error) => Err(format!("  {it}: {error}")),
    }
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, service, rev, pid, addr } = self;
        write!(f, "node {node}: {service} {rev}, process {pid} at {addr}")
    }
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.all.iter().map(|it| format!("  {it}")).collect();
        f.write_str(&lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(node: usize, service: &str, pid: u32) -> Running {
        let addr = SocketAddr::from(([127, 0, 0, 1], 1));
        Running { node, service: service.to_owned(), rev: "v1".to_owned(), pid, addr }
    }

    #[test]
    fn counts_are_of_everything_that_runs() {
        let all = vec![running(0, "web", 1), running(2, "web", 2), running(2, "job", 3)];
        let census = Census { all };
        assert!(census.counts(&[("web", 2), ("job", 1)]));
        assert!(!census.counts(&[("web", 2)]), "one is not wanted");
        assert!(!census.counts(&[("web", 1), ("job", 2)]));
        assert_eq!(census.nodes("web"), BTreeSet::from([0, 2]));
        assert_eq!(census.on(2).count(), 2);
        let me = Census { all: vec![running(0, "web", std::process::id())] };
        assert!(me.none_runs().is_err());
    }

    #[tokio::test]
    async fn a_process_that_does_not_answer_does_not_count() {
        let why =
            answers(&running(0, "web", std::process::id())).await.expect_err("nobody listens");
        assert!(why.contains("web v1"), "{why}");
    }
}
