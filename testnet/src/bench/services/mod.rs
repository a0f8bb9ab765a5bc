//! `bench services`: what it costs to have a node run programs, beside runit, s6 and supervisord.
//!
//! | what | from | to |
//! |---|---|---|
//! | start | the request, or the start of the peer's own supervisor of that program | the program answers over TCP |
//! | start again | `kill -9` of a program that has run for [`lives::STEADY`] | another process answers |
//! | adopted | `run` after the picket was killed | 50 services are up, with the same processes and no restart |
//! | idle | | private memory of a keeper; CPU of picket and keepers of 50 services with checks |
//! | output | the first byte that a program writes | the last one, and the longest wait of one write |
//! | status | the node that runs a program shows another status of it | the last node shows it |
//!
//! All systems run the same program, each start another image of it, so that nothing of an image is known before.
//! A program is called without pause; one call takes some tenths of a millisecond.

mod adopted;
mod lives;
mod ours;
mod output;
mod peers;
mod status;

use std::path::PathBuf;
use std::time::Duration;

use super::{Bench, Latency, Report, Samples, Value};
use crate::Error;
use crate::peer::Packages;
use crate::process::Cluster;

/// Sizes of images, and what the two latencies of each are called.
const IMAGES: [(usize, [&str; 2]); 2] = [
    (1_000_000, ["start → answers, 1 MB", "kill −9 → answers, 1 MB"]),
    (10_000_000, ["start → answers, 10 MB", "kill −9 → answers, 10 MB"]),
];

/// Batches of each set of samples.
const BATCHES: usize = 5;

/// The options of the bench.
#[derive(Debug, Clone)]
pub struct Services {
    /// Of how many nodes the status of a service is watched.
    pub bench: Bench,
    /// How often a program is started, and killed.
    pub rounds: usize,
    /// For how long the idle services are watched.
    pub window: Duration,
    /// A directory into which packages of the peers were unpacked.
    pub peers: Option<PathBuf>,
}

/// Measures all of it.
///
/// # Errors
///
/// Those of running nodes and peers; [`Error::Broken`] when a service was started again that was to be adopted.
pub async fn services(what: &Services) -> Result<Report, Error> {
    let mut report = Report::new("services", what.bench.nodes);
    let packages = Packages::below(what.peers.as_deref());
    for (bytes, names) in IMAGES {
        lives::ours(what, bytes, names, &mut report).await?;
        if what.bench.peers {
            peers::measure(what, &packages, bytes, names, &mut report).await?;
        }
    }
    if !what.bench.peers {
        peers::NAMES.into_iter().for_each(|name| report.leave_out(name, false));
    }
    for name in IMAGES.iter().flat_map(|(_, names)| names) {
        peers::NAMES.into_iter().for_each(|peer| report.ratio(name, peer));
    }
    let mut cluster = alone(&what.bench).await?;
    let measured = async {
        output::measure(&cluster, &mut report).await?;
        adopted::measure(&mut cluster, what.window, &mut report).await
    };
    keep_if_failed(measured.await, &mut cluster)?;
    cluster.stop_all().await?;
    drop(cluster);
    status::measure(&what.bench, &mut report).await?;
    report.values.sort_by_key(|value| value.system != "crux");
    report.notes.push(format!(
        "a program is killed once it has run for {:?}; a status changes when its own node shows it",
        lives::STEADY
    ));
    Ok(report)
}

/// A node without a flock, which serves.
async fn alone(bench: &Bench) -> Result<Cluster, Error> {
    super::rig::formed(&Bench { nodes: 1, ..bench.clone() }).await
}

/// Keeps the directory of nodes that something failed on.
fn keep_if_failed<T>(result: Result<T, Error>, cluster: &mut Cluster) -> Result<T, Error> {
    if result.is_err() {
        cluster.keep_home();
    }
    result
}

impl Report {
    fn latency(&mut self, system: &'static str, what: &'static str, samples: &Samples) {
        if let Some(figure) = samples.figure() {
            self.latencies.push(Latency { system, what, figure, cost_per_round: None });
        }
    }

    /// Notes how often a peer's median fits into ours, where both were measured.
    fn ratio(&mut self, what: &str, peer: &str) {
        let median = |system: &str| {
            let row = self.latencies.iter().find(|it| it.system == system && it.what == what)?;
            Some(row.figure.p50_ms)
        };
        if let Some((ours, theirs)) = median("crux").zip(median(peer)) {
            let ratio = ours / theirs.max(0.001);
            self.notes.push(format!("crux / {peer} by median, \"{what}\": {ratio:.2}"));
        }
    }

    fn value(
        &mut self,
        system: &'static str,
        what: &'static str,
        unit: &'static str,
        of: Vec<f64>,
    ) {
        self.values.extend(Value::of(system, what, unit, of));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_ours_by_theirs_and_takes_both() {
        let mut report = Report::new("services", 1);
        let mut of = |system, ms| {
            let mut samples = Samples::new(1);
            samples.record(0, Duration::from_millis(ms));
            report.latency(system, "start", &samples);
        };
        of("crux", 15);
        of("runit", 10);
        report.ratio("start", "runit");
        report.ratio("start", "s6");
        assert_eq!(report.notes, ["crux / runit by median, \"start\": 1.50"]);
    }
}
