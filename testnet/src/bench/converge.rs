//! `bench converge`: a registration on one node, until every node shows it.
//!
//! Each round a different node registers a service of a new name and, when all have shown it,
//! removes it again, so that the state stays the same size. The clock starts before the request is
//! sent, so the durable write on the first node is part of it. Rounds start at random times, or
//! they would lock step with the nodes' own timers.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::bulk::Bulk;
use super::rig::{self, SEEN_WITHIN};
use super::sightings::{Change, Sightings};
use super::{Bench, Latency, Meter, Report, Samples};
use crate::Error;
use crate::peer::serf::Agents;
use crate::process::{Cluster, Home, Registration};

/// Batches a run is cut into.
const BATCHES: usize = 5;
/// Rounds when nothing was said.
const ROUNDS: u32 = 500;
/// Rounds of serf at most: each takes half a second and more.
const SERF_ROUNDS_MAX: usize = 100;

const EACH: &str = "registration → shown, each node";
const LAST: &str = "registration → shown, last node";
const GONE: &str = "deregistration → gone, last node";
const DURABLE: &str = "registration → durable and answered";
const EVENT_EACH: &str = "user event → received, each node";
const EVENT_LAST: &str = "user event → received, last node";

/// Latencies of one round after another.
struct Timings {
    each: Samples,
    last: Samples,
    gone: Samples,
    durable: Samples,
}

/// Measures how fast a registration is known everywhere.
///
/// # Errors
///
/// Those of running a flock, or [`Error::TimedOut`] when a node does not show a registration.
pub async fn converge(bench: &Bench, rounds: Option<u32>) -> Result<Report, Error> {
    let rounds = rounds.unwrap_or(ROUNDS) as usize;
    let mut report = Report::new("converge", bench.nodes);
    report.notes.push(
        "crux is seen by watch streams, serf by its event streams; all open before, one clock"
            .to_owned(),
    );
    ours(bench, rounds, &mut report).await?;
    let serf_rounds = rounds.min(SERF_ROUNDS_MAX);
    let serf = bench.peers && serfs(bench, serf_rounds, &mut report).await?;
    if !serf {
        report.leave_out("serf", bench.peers);
    }
    report.compare(EACH, "serf", EVENT_EACH);
    report.compare(LAST, "serf", EVENT_LAST);
    Ok(report)
}

async fn ours(bench: &Bench, rounds: usize, report: &mut Report) -> Result<(), Error> {
    let mut cluster = rig::formed(bench).await?;
    let mut sightings = rig::watch(&cluster);
    let mut timings = Timings {
        each: Samples::new(BATCHES),
        last: Samples::new(BATCHES),
        gone: Samples::new(BATCHES),
        durable: Samples::new(BATCHES),
    };
    // The first rounds warm connections up and prove that every stream is open.
    for warm in 0..3 {
        round(&cluster, &mut sightings, usize::MAX - warm, None).await?;
    }
    let bulk = if bench.bulk { Some(Bulk::start(&cluster).await?) } else { None };
    let bar = rig::progress("crux converge", rounds);
    let meter = Meter::start(rig::pids(&cluster));
    for at in 0..rounds {
        let into = Some((&mut timings, at * BATCHES / rounds));
        round(&cluster, &mut sightings, at, into).await?;
        bar.inc(1);
    }
    let cost = meter.per_round(rounds);
    bar.finish_and_clear();
    report.notes.extend(bulk.map(Bulk::stop));
    for (what, samples) in [
        (EACH, &timings.each),
        (LAST, &timings.last),
        (DURABLE, &timings.durable),
        (GONE, &timings.gone),
    ] {
        if let Some(figure) = samples.figure() {
            let cost_per_round = (what == LAST).then_some(cost);
            report.latencies.push(Latency { system: "crux", what, figure, cost_per_round });
        }
    }
    cluster.stop_all().await
}

/// One registration and its removal, seen by all.
async fn round(
    cluster: &Cluster,
    sightings: &mut Sightings,
    at: usize,
    timings: Option<(&mut Timings, usize)>,
) -> Result<(), Error> {
    let client = cluster.client(at % cluster.nodes().len());
    let all = rig::nodes_without(cluster, None);
    let rev = format!("r{at}");

    let since = Instant::now();
    let registered = client.register(&Registration::new("bench", &rev, "127.0.0.1:9")).await?;
    let durable = since.elapsed();
    let appeared = Change::Appeared(registered.path.clone());
    let shown = sightings.until_all(&appeared, &all, since, SEEN_WITHIN).await?;
    pause().await;

    let since = Instant::now();
    client.deregister("bench", &rev).await?;
    let vanished = Change::Vanished(registered.path);
    let gone = sightings.until_all(&vanished, &all, since, SEEN_WITHIN).await?;
    pause().await;

    if let Some((timings, batch)) = timings {
        timings.durable.record(batch, durable);
        timings.last.record(batch, greatest(&shown));
        timings.gone.record(batch, greatest(&gone));
        timings.each.record_all(batch, &shown);
    }
    Ok(())
}

/// Measures serf's user events on as many agents; `false` when it is not installed.
async fn serfs(bench: &Bench, rounds: usize, report: &mut Report) -> Result<bool, Error> {
    let home = Home::temporary()?;
    let Some(mut agents) = Agents::start(&bench.exe, bench.nodes, home.path()).await? else {
        return Ok(false);
    };
    agents.listen_events().await?;
    let mut callers = Vec::new();
    for at in 0..agents.count() {
        callers.push(agents.connect(at).await?);
    }
    let (mut each, mut last) = (Samples::new(BATCHES), Samples::new(BATCHES));
    let bar = rig::progress("serf converge", rounds);
    let meter = Meter::start(agents.pids());
    for at in 0..rounds {
        let since = Instant::now();
        let caller = at % callers.len();
        callers[caller].fire(at).await?;
        let took = agents.until_seen(at, since, SEEN_WITHIN).await?;
        let batch = at * BATCHES / rounds;
        last.record(batch, greatest(&took));
        each.record_all(batch, &took);
        pause().await;
        bar.inc(1);
    }
    let cost = meter.per_round(rounds);
    bar.finish_and_clear();
    for (what, samples, cost_per_round) in
        [(EVENT_EACH, each, None), (EVENT_LAST, last, Some(cost))]
    {
        if let Some(figure) = samples.figure() {
            report.latencies.push(Latency { system: "serf", what, figure, cost_per_round });
        }
    }
    Ok(true)
}

/// A random pause between rounds, so that they do not lock step with anybody's timers.
async fn pause() {
    sleep(Duration::from_millis(rand::random_range(50..150))).await;
}

fn greatest(took: &[Duration]) -> Duration {
    took.iter().copied().max().unwrap_or_default()
}
