//! `bench stall`: a quarter of the nodes stopped and resumed at random.
//!
//! Each node's watch stream is read all the time; a service that vanishes from it is its owner shown
//! dead. Stops are short (less than a verdict takes), long (more than one may take), and anything
//! between. What follows is computed from the whole history at the end.

use std::time::{Duration, Instant};

use crux_crdt::path::FlockId;
use rand::RngExt;
use tokio::time::sleep_until;

use super::detect::register_everywhere;
use super::pauses::{ALIVE_WITHIN, DEAD_WITHIN, History, Pause, RAN, Verdict};
use super::rig::{self, FORM_WITHIN};
use super::sightings::{Change, Sighting, Sightings};
use super::{Bench, Latency, Report, Samples};
use crate::Error;
use crate::process::Cluster;

/// How long until the next node is stopped, at most, in milliseconds.
const NEXT_MAX: u64 = 1_000;
/// The shortest stop, in milliseconds.
const STOP_MIN: u64 = 100;
/// The longest.
const STOP_MAX: u64 = 10_000;
/// Batches a run is cut into.
const BATCHES: usize = 5;

const DEAD: &str = "stopped → dead, each node that runs";
const ALIVE: &str = "resumed → alive, each node that held it dead";

/// Stops and resumes a quarter of the nodes at random for so long, and checks what the others show.
///
/// # Errors
///
/// Those of running a flock.
pub async fn stall(bench: &Bench, minutes: u32) -> Result<Report, Error> {
    let mut report = Report::new("stall", bench.nodes);
    let mut cluster = rig::formed(bench).await?;
    let mut sightings = rig::watch(&cluster);
    let paths = register_everywhere(&cluster, &mut sightings).await?;
    let mut drive = Drive { paths, stopped: Vec::new(), history: History::default() };
    drive.run(&cluster, &mut sightings, Duration::from_secs(60 * u64::from(minutes))).await?;
    cluster.until_agreed(FORM_WITHIN).await?;
    cluster.stop_all().await?;
    judge(&drive.history, bench.nodes, &mut report);
    Ok(report)
}

/// What goes on.
struct Drive {
    /// The service of each node.
    paths: Vec<FlockId>,
    /// The stopped nodes, since when and until when.
    stopped: Vec<Pause>,
    history: History,
}

impl Drive {
    async fn run(
        &mut self,
        cluster: &Cluster,
        sightings: &mut Sightings,
        long: Duration,
    ) -> Result<(), Error> {
        let begin = Instant::now();
        let end = begin + long;
        let bar = rig::progress("crux stall", usize::try_from(long.as_secs()).unwrap_or_default());
        let mut next = begin;
        loop {
            let due = self.stopped.iter().map(|pause| pause.to).min();
            let at = due.map_or(next, |due| due.min(next)).min(end);
            tokio::select! {
                Some(seen) = sightings.next() => self.note(&seen),
                () = sleep_until(at.into()) => {
                    bar.set_position(begin.elapsed().as_secs());
                    self.resume(cluster, Instant::now())?;
                    if end <= Instant::now() {
                        break;
                    }
                    if next <= Instant::now() {
                        self.stop_one(cluster)?;
                        let pause = rand::rng().random_range(0..NEXT_MAX);
                        next = Instant::now() + Duration::from_millis(pause);
                    }
                }
            }
        }
        self.resume(cluster, end + Duration::from_millis(STOP_MAX))?;
        let last = Instant::now() + 2 * ALIVE_WITHIN;
        while let Ok(Some(seen)) = tokio::time::timeout_at(last.into(), sightings.next()).await {
            self.note(&seen);
        }
        bar.finish_and_clear();
        Ok(())
    }

    fn note(&mut self, seen: &Sighting) {
        let (path, dead) = match &seen.change {
            Change::Vanished(path) => (path, true),
            Change::Appeared(path) => (path, false),
        };
        if let Some(about) = self.paths.iter().position(|it| it == path) {
            self.history.verdicts.push(Verdict { by: seen.node, about, dead, at: seen.at });
        }
    }

    /// Stops a random node that runs, unless a quarter is stopped.
    fn stop_one(&mut self, cluster: &Cluster) -> Result<(), Error> {
        let nodes = self.paths.len();
        if self.stopped.len() >= nodes / 4 {
            return Ok(());
        }
        let is_stopped = |node: usize| self.stopped.iter().any(|pause| pause.node == node);
        let running: Vec<usize> = (0..nodes).filter(|node| !is_stopped(*node)).collect();
        let mut rng = rand::rng();
        let node = running[rng.random_range(0..running.len())];
        let from = Instant::now();
        cluster.nodes()[node].pause()?;
        let to = from + Duration::from_millis(rng.random_range(STOP_MIN..STOP_MAX));
        self.stopped.push(Pause { node, from, to });
        Ok(())
    }

    /// Resumes who was stopped for long enough.
    fn resume(&mut self, cluster: &Cluster, now: Instant) -> Result<(), Error> {
        for pause in self.stopped.extract_if(.., |pause| pause.to <= now) {
            cluster.nodes()[pause.node].resume()?;
            self.history.pauses.push(Pause { to: Instant::now(), ..pause });
        }
        Ok(())
    }
}

fn judge(history: &History, nodes: usize, report: &mut Report) {
    let rows =
        [(DEAD, DEAD_WITHIN, history.deaths(nodes)), (ALIVE, ALIVE_WITHIN, history.returns(nodes))];
    let wronged = history.false_deaths().len();
    report.notes.push(format!(
        "{} stops; shown dead though it ran for the last {RAN:?}, by one that ran: {wronged}",
        history.pauses.len()
    ));
    for (what, within, took) in rows {
        let late = took.iter().filter(|took| took.is_none()).count();
        report.notes.push(format!("{what}: {late} of {} took more than {within:?}", took.len()));
        let mut samples = Samples::new(BATCHES);
        let size = took.len().div_ceil(BATCHES).max(1);
        for (n, took) in took.iter().enumerate() {
            if let Some(took) = took {
                samples.record(n / size, *took);
            }
        }
        if let Some(figure) = samples.figure() {
            report.latencies.push(Latency { system: "crux", what, figure, cost_per_round: None });
        }
    }
}
