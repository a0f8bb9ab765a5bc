//! `bench swarm`: one seed, and many nodes that fetch at the same time, each with an upload cap.
//!
//! Nobody can have the file sooner than the seed can send it once: its size over the cap is the floor. A
//! seed that sent it to each in turn would take as many times that as there are nodes.

use std::time::{Duration, Instant};

use crux_crdt::blob::BlobId;
use futures::future::try_join_all;

use super::{Bench, Latency, Meter, Report, Samples, calls, noise, rig};
use crate::Error;
use crate::process::{Cluster, Home};

/// How long a swarm may take.
const WITHIN: Duration = Duration::from_secs(600);

const EACH: &str = "one seed → sealed, each node";
const LAST: &str = "one seed → sealed, last node";

/// What `bench swarm` is told.
#[derive(Debug, Clone)]
pub struct Swarming {
    /// What every bench is told; its nodes are those that fetch.
    pub bench: Bench,
    /// How large the file is.
    pub bytes: u64,
    /// What each node, the seed as well, sends at most, in bytes a second.
    pub cap: u64,
    /// How often.
    pub rounds: usize,
}

/// Measures how long one seed and the others take to have the file everywhere.
///
/// # Errors
///
/// Those of running a flock.
pub async fn swarm(swarming: &Swarming) -> Result<Report, Error> {
    let Swarming { bench, bytes, cap, rounds } = swarming;
    let mut report = Report::new("swarm", bench.nodes + 1);
    let flags = vec!["--blob-up-rate".to_owned(), cap.to_string()];
    let with_seed = Bench { nodes: bench.nodes + 1, ..bench.clone() };
    let mut cluster = rig::formed_with(&with_seed, &flags).await?;
    let floor = *bytes as f64 / *cap as f64;
    let [mut each, mut last] = [0; 2].map(|_| Samples::new(*rounds));
    let mut copies = Vec::new();
    let bar = rig::progress("crux swarm", *rounds);
    let meter = Meter::start(rig::pids(&cluster));
    for at in 0..*rounds {
        let (took, copied) = round(&cluster, *bytes).await?;
        last.record(at, took.iter().copied().max().unwrap_or_default());
        each.record_all(at, &took);
        copies.push(copied);
        bar.inc(1);
    }
    let cost = meter.per_round(*rounds);
    bar.finish_and_clear();
    for (what, samples, cost_per_round) in [(EACH, each, None), (LAST, last, Some(cost))] {
        let Some(figure) = samples.figure() else { continue };
        let against = |ms: f64| ms / 1000.0 / floor;
        report.notes.push(format!(
            "{what}: p50 {:.2}, p99 {:.2} of the floor",
            against(figure.p50_ms),
            against(figure.p99_ms)
        ));
        report.latencies.push(Latency { system: "crux", what, figure, cost_per_round });
    }
    report.notes.extend(words(swarming, floor, &copies));
    cluster.stop_all().await?;
    Ok(report)
}

fn words(swarming: &Swarming, floor: f64, copies: &[f64]) -> [String; 2] {
    let Swarming { bench, bytes, cap, .. } = swarming;
    let sent = copies.iter().map(|copies| format!("{copies:.2}")).collect::<Vec<_>>().join(", ");
    [
        format!(
            "{bytes} bytes to {} nodes, each sends {cap} B/s at most: the floor is {floor:.1} s (goal \
             p99 1.4 of it)",
            bench.nodes
        ),
        format!("copies that the seed sent, of each round: {sent} (goal 1.5)"),
    ]
}

/// Has all nodes but the first fetch one file; returns when each had it, and how many copies of it the
/// first one sent.
async fn round(cluster: &Cluster, bytes: u64) -> Result<(Vec<Duration>, f64), Error> {
    let home = Home::temporary()?;
    let file = home.path().join("file");
    noise::write(&file, bytes)?;
    let seed = calls::client(cluster, 0, WITHIN).await?;
    let blob = calls::register_file(&seed, &file).await?;
    let before = cluster.client(0).status().await?.blob_bytes_sent;
    let took = fetch_all(cluster, blob).await?;
    let sent = cluster.client(0).status().await?.blob_bytes_sent - before;
    for at in 0..cluster.nodes().len() {
        let node = calls::client(cluster, at, WITHIN).await?;
        calls::remove(&node, blob).await?;
    }
    Ok((took, sent as f64 / bytes as f64))
}

async fn fetch_all(cluster: &Cluster, blob: BlobId) -> Result<Vec<Duration>, Error> {
    let mut nodes = Vec::new();
    for at in 1..cluster.nodes().len() {
        nodes.push(calls::client(cluster, at, WITHIN).await?);
    }
    let since = Instant::now();
    let fetches = nodes
        .iter()
        .map(async |node| calls::fetch(node, blob, WITHIN).await.map(|_| since.elapsed()));
    try_join_all(fetches).await
}
