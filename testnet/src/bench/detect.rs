//! `bench detect`: a node killed, until every survivor shows it dead.
//!
//! Each node registers a service; live queries hide those of the dead, so the moment a survivor's
//! watch stream removes the victim's service is the moment it holds the victim dead. That is
//! checked each time by asking for its members. Streams cost nothing while nothing happens;
//! polling 24 nodes every few milliseconds would slow down what is measured.

use std::time::{Duration, Instant};

use crux_client::model::MemberState;
use crux_crdt::path::FlockId;

use super::leader;
use super::rig::{self, FORM_WITHIN, SEEN_WITHIN};
use super::sightings::{Change, Sightings};
use super::{Bench, Latency, Report, Samples};
use crate::Error;
use crate::peer::serf::Agents;
use crate::process::{Cluster, Home, Registration};

/// Rounds when nothing was said.
const ROUNDS: u32 = 20;
/// Rounds of serf at most: each takes some ten seconds.
const SERF_ROUNDS_MAX: usize = 5;

const EACH: &str = "kill −9 → dead, each survivor";
const LAST: &str = "kill −9 → dead, last survivor";
const FAILED_EACH: &str = "kill −9 → failed, each survivor";
const FAILED_LAST: &str = "kill −9 → failed, last survivor";

/// Measures how fast a crash is known everywhere and how fast the leader is replaced.
///
/// # Errors
///
/// Those of running a flock, [`Error::TimedOut`], or [`Error::Broken`] when a service vanished
/// from a node that does not hold its owner dead.
pub async fn detect(bench: &Bench, rounds: Option<u32>) -> Result<Report, Error> {
    let rounds = rounds.unwrap_or(ROUNDS) as usize;
    let mut report = Report::new("detect", bench.nodes);
    report.notes.push(
        "crux is seen by watch streams and checked by its members; serf by its log streams, which \
         come before its coalesced events; a round is a batch"
            .to_owned(),
    );
    let mut cluster = rig::formed(bench).await?;
    let mut sightings = rig::watch(&cluster);
    let paths = register_everywhere(&cluster, &mut sightings).await?;
    followers(&mut cluster, &mut sightings, &paths, rounds, &mut report).await?;
    drop(sightings);
    leader::ours(&mut cluster, rounds, &mut report).await?;
    cluster.stop_all().await?;
    drop(cluster);

    let (mut serf, mut etcd) = (false, false);
    if bench.peers {
        serf = serfs(bench, rounds.min(SERF_ROUNDS_MAX), &mut report).await?;
        etcd = leader::etcds(bench, rounds, &mut report).await?;
    }
    for (system, _) in [("serf", serf), ("etcd", etcd)].iter().filter(|(_, there)| !there) {
        report.leave_out(system, bench.peers);
    }
    report.compare(LAST, "serf", FAILED_LAST);
    report.compare(leader::COMMANDS, "etcd", leader::WRITES);
    Ok(report)
}

/// Registers a service on every node; returns their paths.
pub(super) async fn register_everywhere(
    cluster: &Cluster,
    sightings: &mut Sightings,
) -> Result<Vec<FlockId>, Error> {
    let all = rig::nodes_without(cluster, None);
    let mut paths = Vec::new();
    for node in cluster.nodes() {
        let since = Instant::now();
        let here = Registration::new("bench", "here", "127.0.0.1:9");
        let path = node.client().register(&here).await?.path;
        let appeared = Change::Appeared(path.clone());
        sightings.until_all(&appeared, &all, since, SEEN_WITHIN).await?;
        paths.push(path);
    }
    Ok(paths)
}

async fn followers(
    cluster: &mut Cluster,
    sightings: &mut Sightings,
    paths: &[FlockId],
    rounds: usize,
    report: &mut Report,
) -> Result<(), Error> {
    let (mut each, mut last) = (Samples::new(rounds), Samples::new(rounds));
    let bar = rig::progress("crux detect", rounds);
    for batch in 0..rounds {
        let took = kill_one(cluster, sightings, paths).await?;
        last.record(batch, took.iter().copied().max().unwrap_or_default());
        each.record_all(batch, &took);
        bar.inc(1);
    }
    bar.finish_and_clear();
    push(report, "crux", [(EACH, each), (LAST, last)]);
    Ok(())
}

/// Kills a random node that does not lead and brings it back; returns how long each survivor took.
async fn kill_one(
    cluster: &mut Cluster,
    sightings: &mut Sightings,
    paths: &[FlockId],
) -> Result<Vec<Duration>, Error> {
    let statuses = cluster.until_agreed(FORM_WITHIN).await?;
    let leader = statuses.leader().and_then(|leader| cluster.position(leader.node.as_str()));
    let candidates: Vec<usize> = rig::nodes_without(cluster, leader).into_iter().collect();
    let victim = candidates[rand::random_range(0..candidates.len())];
    let survivors = rig::nodes_without(cluster, Some(victim));
    let all = rig::nodes_without(cluster, None);

    let since = Instant::now();
    cluster.node(victim).strike()?;
    let vanished = Change::Vanished(paths[victim].clone());
    let took = sightings.until_all(&vanished, &survivors, since, SEEN_WITHIN).await?;
    cluster.node(victim).until_ended(SEEN_WITHIN).await?;
    for survivor in &survivors {
        expect_dead(cluster, *survivor, victim).await?;
    }

    let since = Instant::now();
    cluster.node(victim).start()?;
    let appeared = Change::Appeared(paths[victim].clone());
    sightings.until_all(&appeared, &all, since, SEEN_WITHIN).await?;
    Ok(took)
}

/// Checks that a node whose stream removed the victim's service also shows the victim dead.
async fn expect_dead(cluster: &Cluster, survivor: usize, victim: usize) -> Result<(), Error> {
    let name = cluster.nodes()[victim].name();
    let members = cluster.client(survivor).members().await?;
    let state =
        members.iter().find(|member| member.node.as_str() == name).map(|member| member.state);
    if state == Some(MemberState::Dead) {
        return Ok(());
    }
    Err(Error::Broken(format!(
        "{} hides the service of {name} and shows it as {state:?}, not dead",
        cluster.nodes()[survivor].name()
    )))
}

/// Measures serf on as many agents; `false` when it is not installed.
async fn serfs(bench: &Bench, rounds: usize, report: &mut Report) -> Result<bool, Error> {
    let home = Home::temporary()?;
    let Some(mut agents) = Agents::start(&bench.exe, bench.nodes, home.path()).await? else {
        return Ok(false);
    };
    agents.listen_failures().await?;
    let (mut each, mut last) = (Samples::new(rounds), Samples::new(rounds));
    let bar = rig::progress("serf detect", rounds);
    for batch in 0..rounds {
        let victim = rand::random_range(0..agents.count());
        let since = agents.kill(victim)?;
        let took = agents.until_seen(victim, since, SEEN_WITHIN).await?;
        last.record(batch, took.iter().copied().max().unwrap_or_default());
        each.record_all(batch, &took);
        agents.bring_back(victim).await?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    push(report, "serf", [(FAILED_EACH, each), (FAILED_LAST, last)]);
    Ok(true)
}

fn push(report: &mut Report, system: &'static str, rows: [(&'static str, Samples); 2]) {
    for (what, samples) in rows {
        if let Some(figure) = samples.figure() {
            report.latencies.push(Latency { system, what, figure, cost_per_round: None });
        }
    }
}
