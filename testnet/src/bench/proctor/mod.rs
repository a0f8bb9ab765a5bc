//! `bench proctor`: from a target that is applied to programs that answer, and over the loss of nodes.
//!
//! | what | from | to |
//! |---|---|---|
//! | apply → ready on all | the start of the command `apply` | the last node's picket has the instance up; its image was there |
//! | apply → ready on all, 10 MB | the same | the same; every node but one fetches the image first |
//! | kill −9 of a node | its processes are dead, plus `replace_after` | its instance is up elsewhere |
//! | leader killed during an apply | it is dead, and the command has returned | every node has the new version up |
//! | at rest | | CPU of a flock that runs a target, beside the same without one |
//! | the floor | the start of `make -j20` | as many of the same processes answer |
//!
//! An instance is up when its picket writes that, by the machine's clock in milliseconds, so that nothing polls while it is
//! timed; then each is called. Rounds begin once nothing changes, since plans are a second apart.

mod applies;
mod floor;
mod losses;
mod rest;

use std::time::Duration;

use crux_crdt::service::Step;

use super::report::Latency;
use super::rig;
use super::{Bench, Report, Samples};
use crate::Error;
use crate::process::{Cluster, Home, NodeSpec};
use crate::site::{Census, Diary, Document, Entry, Happened, Site};

/// Batches of each set of samples.
const BATCHES: usize = 5;
/// The service.
const NAME: &str = "web";
/// How long any one change may take before the bench gives up.
const WITHIN: Duration = Duration::from_secs(120);
/// How long a node is dead until its instances run elsewhere.
const REPLACE_AFTER: Duration = Duration::from_secs(1);

/// The options of the bench.
#[derive(Debug, Clone)]
pub struct Proctor {
    /// The nodes on which targets are applied.
    pub bench: Bench,
    /// How often a target is applied whose image is there.
    pub rounds: usize,
    /// How often one is applied with an image to fetch, and how often a node and a leader are killed.
    pub losses: usize,
    /// How many nodes are watched at rest, and for how long.
    pub rest: (usize, Duration),
}

/// Measures all of it.
///
/// # Errors
///
/// Those of running a flock, and of what a target promises.
pub async fn proctor(what: &Proctor) -> Result<Report, Error> {
    let mut report = Report::new("proctor", what.bench.nodes);
    let mut flock = Flock::start(&what.bench).await?;
    let measured = async {
        applies::there(&flock, what.rounds, &mut report).await?;
        applies::fetched(&flock, what.losses, &mut report).await?;
        losses::nodes(&mut flock, what.losses, &mut report).await?;
        losses::leaders(&mut flock, what.losses, &mut report).await
    };
    let measured = measured.await;
    flock.keep_if_failed(measured)?;
    flock.cluster.stop_all().await?;
    drop(flock);
    floor::measure(&what.bench, what.rounds, &mut report).await?;
    let (nodes, window) = what.rest;
    rest::measure(&Bench { nodes, ..what.bench.clone() }, window, &mut report).await?;
    report.notes.extend(PUBLISHED.map(str::to_owned));
    Ok(report)
}

/// Figures that others published of theirs. No such system is measured here.
const PUBLISHED: [&str; 2] = [
    "published, not measured here: Nomad started 3,750 containers a second on 5,000 hosts",
    "published, not measured here: Kubernetes' objective is 5 s for 99 % of pods, without the pull of the image",
];

/// Nodes with an operator, and a target of one service.
struct Flock {
    cluster: Cluster,
    site: Site,
}

impl Flock {
    async fn start(bench: &Bench) -> Result<Self, Error> {
        let home = Home::temporary()?;
        let site = Site::make(&bench.exe, &home, rig::FLOCK).await?;
        let cluster = rig::started(bench, home, &[]).await?;
        Ok(Self { cluster, site })
    }

    fn spec(&self, at: usize) -> NodeSpec {
        self.cluster.nodes()[at % self.cluster.nodes().len()].spec().clone()
    }

    /// A version that all nodes get at once.
    fn document(&self, rev: &str) -> Document {
        Document {
            step: Step::Percent(100),
            replace_after: REPLACE_AFTER,
            ..self.site.document(NAME, rev)
        }
    }

    /// Waits until so many run, all of that revision; returns when the last was up, in milliseconds of Unix time.
    async fn last_up(&self, count: usize, rev: &str, since: u64) -> Result<u64, Error> {
        let what = format!("{count} of {rev} run");
        let holds =
            |it: &Census| it.counts(&[(NAME, count)]) && it.all.iter().all(|it| it.rev == rev);
        let census = Census::first(&self.cluster, &what, WITHIN, holds).await?;
        let diary = Diary::with(&self.cluster, &census).await?;
        let runs = census.pids(NAME);
        let started = |it: &&Entry| it.pid.is_some_and(|pid| runs.contains(&pid));
        let running: Vec<&str> =
            diary.starts().filter(started).map(|it| it.instance.as_str()).collect();
        let ups = diary.all.iter().filter(|it| it.happened == Happened::Up && it.at >= since);
        let last = ups.filter(|it| running.contains(&it.instance.as_str())).map(|it| it.at).max();
        last.ok_or_else(|| Error::Broken(format!("no picket wrote that {rev} was up")))
    }

    /// Waits until so many run, and nothing changes.
    async fn settled(&self, count: usize) -> Result<Census, Error> {
        let what = format!("{count} run");
        Census::until(&self.cluster, &what, WITHIN, |it| it.counts(&[(NAME, count)])).await
    }

    /// Keeps the directory of nodes that something failed on.
    fn keep_if_failed<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        if result.is_err() {
            self.cluster.keep_home();
        }
        result
    }
}

/// From one moment to another, in milliseconds of Unix time.
fn between(from: u64, to: u64) -> Duration {
    Duration::from_millis(to.saturating_sub(from))
}

fn add(report: &mut Report, system: &'static str, what: &'static str, samples: &Samples) {
    if let Some(figure) = samples.figure() {
        report.latencies.push(Latency { system, what, figure, cost_per_round: None });
    }
}
