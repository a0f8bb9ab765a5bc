//! A formed flock with watch streams on all nodes: what every bench starts from.

use std::collections::BTreeSet;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use rustix::process::Pid;

use super::Bench;
use super::operator::Operator;
use super::sightings::Sightings;
use crate::Error;
use crate::process::{Cluster, ClusterOptions, Home, NodeClient};

/// The name of the flock.
pub(super) const FLOCK: &str = "bench";

/// How long the nodes of a bench may take to form: 25 processes on two cores start slowly.
pub(super) const FORM_WITHIN: Duration = Duration::from_secs(120);

/// How long any one change may take to be seen by all before the bench gives up.
pub(super) const SEEN_WITHIN: Duration = Duration::from_secs(60);

/// The services that benches register.
pub(super) const QUERY: &str = "*/*/*/bench/*";

/// Starts the nodes and waits until they are one flock.
///
/// On failure the directory stays, for its logs.
pub(super) async fn formed(bench: &Bench) -> Result<Cluster, Error> {
    formed_with(bench, &[]).await
}

/// As [`formed`], with further flags for each node.
pub(super) async fn formed_with(bench: &Bench, flags: &[String]) -> Result<Cluster, Error> {
    started(bench, Home::temporary()?, flags).await
}

/// As [`formed`], of a flock with an operator, whose key only this process has.
pub(super) async fn operated(bench: &Bench) -> Result<(Cluster, Operator), Error> {
    let home = Home::temporary()?;
    let operator = Operator::make(FLOCK, &home.secret())?;
    Ok((started(bench, home, &[]).await?, operator))
}

/// As [`formed_with`], in this directory, which may have the flock's secret.
pub(super) async fn started(bench: &Bench, home: Home, flags: &[String]) -> Result<Cluster, Error> {
    let options = ClusterOptions { exe: bench.exe.clone(), home, flock: FLOCK.to_owned() };
    let mut cluster = Cluster::with_nodes(options, bench.nodes).await?;
    for at in 0..bench.nodes {
        cluster.node(at).spec_mut().flags = flags.to_vec();
    }
    cluster.start_all()?;
    match cluster.until_agreed(FORM_WITHIN).await {
        Ok(_) => Ok(cluster),
        Err(error) => {
            cluster.keep_home();
            Err(error)
        }
    }
}

/// Watch streams on all nodes.
pub(super) fn watch(cluster: &Cluster) -> Sightings {
    let clients: Vec<NodeClient> =
        cluster.nodes().iter().map(|node| node.client().clone()).collect();
    Sightings::open(clients, QUERY)
}

/// All nodes but `without`.
pub(super) fn nodes_without(cluster: &Cluster, without: Option<usize>) -> BTreeSet<usize> {
    (0..cluster.nodes().len()).filter(|at| Some(*at) != without).collect()
}

/// Process numbers of all nodes that run.
pub(super) fn pids(cluster: &Cluster) -> Vec<Pid> {
    cluster.nodes().iter().flat_map(crate::process::NodeProcess::pids).collect()
}

/// A progress bar on standard error; nothing where that is not a terminal.
pub(super) fn progress(what: &'static str, rounds: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} ({elapsed})")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(rounds as u64).with_style(style).with_message(what)
}

/// What went wrong before there was anything to measure.
pub(super) fn broken(error: impl std::fmt::Display) -> Error {
    Error::Broken(error.to_string())
}
