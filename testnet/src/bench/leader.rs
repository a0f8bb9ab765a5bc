//! The leader killed, until the next one commands.
//!
//! Ours: the first leader ping that runs under a greater claim and is stored durably by more than
//! half of the nodes, which is what etcd's write needs too. Pings go to three survivors without
//! pause, one outstanding on each. etcd: three members with default timing, the first write that is
//! accepted.

use std::time::{Duration, Instant};

use crux_client::model::Leader;
use tokio::time::{sleep, timeout};

use super::rig::{self, FORM_WITHIN, SEEN_WITHIN};
use super::{Bench, Latency, Report, Samples};
use crate::Error;
use crate::peer::etcd::Members;
use crate::process::{Cluster, Home, NodeClient};

pub(super) const COMMANDS: &str = "leader killed → first fenced command accepted";
pub(super) const WRITES: &str = "leader killed → first write accepted, 3 members";

/// How many survivors are asked at the same time.
const ASKED: usize = 3;
/// How long one ping may take before it is asked again.
const PING_WITHIN: Duration = Duration::from_millis(500);
/// Pause after a ping that was refused at once.
const PING_PAUSE: Duration = Duration::from_millis(5);

/// Kills the leader again and again; each comes back before the next one is killed.
pub(super) async fn ours(
    cluster: &mut Cluster,
    rounds: usize,
    report: &mut Report,
) -> Result<(), Error> {
    let mut samples = Samples::new(rounds);
    let bar = rig::progress("crux leader", rounds);
    for batch in 0..rounds {
        samples.record(batch, kill_leader(cluster).await?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    if let Some(figure) = samples.figure() {
        let row = Latency { system: "crux", what: COMMANDS, figure, cost_per_round: None };
        report.latencies.push(row);
    }
    Ok(())
}

async fn kill_leader(cluster: &mut Cluster) -> Result<Duration, Error> {
    let statuses = cluster.until_agreed(FORM_WITHIN).await?;
    let nobody = || Error::Broken("nobody leads".to_owned());
    let old = statuses.leader().cloned().ok_or_else(nobody)?;
    let at = cluster
        .position(old.node.as_str())
        .ok_or_else(|| Error::Broken(format!("leader {} is none of ours", old.node)))?;
    let majority = cluster.nodes().len() / 2 + 1;
    let clients: Vec<NodeClient> = rig::nodes_without(cluster, Some(at))
        .into_iter()
        .take(ASKED)
        .map(|survivor| cluster.client(survivor).clone())
        .collect();

    let since = Instant::now();
    cluster.node(at).strike()?;
    let pings = clients.iter().map(|client| Box::pin(until_commanded(client, &old, majority)));
    let commanded = timeout(SEEN_WITHIN, futures::future::select_all(pings)).await;
    let took = since.elapsed();
    commanded.map_err(|_| Error::TimedOut {
        what: format!("a leader ping is accepted after {} was killed", old.node),
        within: SEEN_WITHIN,
        last: "  none was".to_owned(),
    })?;

    cluster.node(at).until_ended(SEEN_WITHIN).await?;
    cluster.node(at).start()?;
    Ok(took)
}

/// Pings through one node until more than half of the nodes stored a greater claim.
async fn until_commanded(client: &NodeClient, old: &Leader, majority: usize) {
    loop {
        if let Ok(Ok(answer)) = timeout(PING_WITHIN, client.leader_ping()).await
            && answer.leader.term > old.term
            && answer.accepted.len() >= majority
        {
            return;
        }
        sleep(PING_PAUSE).await;
    }
}

/// Measures etcd with three members; `false` when it is not installed.
pub(super) async fn etcds(
    bench: &Bench,
    rounds: usize,
    report: &mut Report,
) -> Result<bool, Error> {
    let home = Home::temporary()?;
    let Some(mut members) = Members::start(&bench.exe, home.path()).await? else {
        return Ok(false);
    };
    let mut samples = Samples::new(rounds);
    let bar = rig::progress("etcd leader", rounds);
    for batch in 0..rounds {
        let (took, killed) = members.kill_leader().await?;
        samples.record(batch, took);
        members.bring_back(killed).await?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    if let Some(figure) = samples.figure() {
        let row = Latency { system: "etcd", what: WRITES, figure, cost_per_round: None };
        report.latencies.push(row);
    }
    Ok(true)
}
