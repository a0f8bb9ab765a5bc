//! `bench idle`: what a node costs when nothing happens.
//!
//! The flock is watched from the moment it is quiet: all digests equal and unchanged for a while,
//! so that forming is not counted. CPU time is the kernel's account of user and kernel mode.

use std::time::{Duration, Instant};

use rustix::process::Pid;
use tokio::time::sleep;

use super::rig::{self, FORM_WITHIN};
use super::{Bench, Idle, Report, Spread};
use crate::Error;
use crate::peer::serf::Agents;
use crate::process::{Cluster, Home, NodeProcess, procfs};
use crate::wait::{self, Seen};

/// How long the digest must stay the same to count as quiet.
const QUIET_FOR: Duration = Duration::from_secs(5);

/// How often a flock that settles is checked; each check wakes every node.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Measures CPU share and memory of an idle flock for `seconds`.
///
/// # Errors
///
/// Those of running a flock, or [`Error::TimedOut`] when it does not become quiet.
pub async fn idle(bench: &Bench, seconds: u32) -> Result<Report, Error> {
    let mut report = Report::new("idle", bench.nodes);
    report.notes.push("median (min–max) over the nodes".to_owned());
    let window = Duration::from_secs(u64::from(seconds));

    let mut cluster = rig::formed(bench).await?;
    until_quiet(&mut cluster).await?;
    report.idle.extend(watch("crux", &processes(&cluster), window).await);
    cluster.stop_all().await?;
    drop(cluster);

    let serf = bench.peers && serfs(bench, window, &mut report).await?;
    if !serf {
        report.leave_out("serf", bench.peers);
    }
    Ok(report)
}

/// Waits until all agree on one digest and it has not changed for [`QUIET_FOR`].
pub(super) async fn until_quiet(cluster: &mut Cluster) -> Result<(), Error> {
    let mut digest = None;
    let mut since = Instant::now();
    wait::until_every(LOOK_EVERY, "the flock is quiet", FORM_WITHIN, async || {
        let statuses = cluster.statuses().await?;
        let now = statuses.digest().filter(|_| statuses.is_agreed());
        if now.is_none() || now != digest {
            digest = now;
            since = Instant::now();
        }
        let quiet = since.elapsed() >= QUIET_FOR;
        Ok(Seen::when(quiet, (), |()| statuses.to_string()))
    })
    .await
}

/// Measures serf on as many agents; `false` when it is not installed.
async fn serfs(bench: &Bench, window: Duration, report: &mut Report) -> Result<bool, Error> {
    let home = Home::temporary()?;
    let Some(agents) = Agents::start(&bench.exe, bench.nodes, home.path()).await? else {
        return Ok(false);
    };
    // The same rest that ours got after it had formed.
    sleep(QUIET_FOR).await;
    report.idle.extend(
        watch("serf", &agents.pids().into_iter().map(|pid| vec![pid]).collect::<Vec<_>>(), window)
            .await,
    );
    Ok(true)
}

/// The processes of each node.
pub(super) fn processes(cluster: &Cluster) -> Vec<Vec<Pid>> {
    cluster.nodes().iter().map(NodeProcess::pids).filter(|pids| !pids.is_empty()).collect()
}

/// CPU time of the processes of a node.
fn cpu_time(pids: &[Pid]) -> Option<Duration> {
    pids.iter().map(|pid| procfs::cpu_time(*pid)).sum()
}

/// Reads the accounts at the beginning and at the end of the window: of each node, all its processes together.
pub(super) async fn watch(
    system: &'static str,
    nodes: &[Vec<Pid>],
    window: Duration,
) -> Option<Idle> {
    let cpu_before: Vec<_> = nodes.iter().map(|pids| cpu_time(pids)).collect();
    let bytes_before = procfs::loopback_bytes().unwrap_or_default();
    let since = Instant::now();
    sleep(window).await;
    let seconds = since.elapsed().as_secs_f64();
    let bytes = procfs::loopback_bytes().unwrap_or_default().saturating_sub(bytes_before);

    let cpu = nodes.iter().zip(cpu_before).filter_map(|(pids, before)| {
        let used = cpu_time(pids)?.saturating_sub(before?);
        Some(used.as_secs_f64() / seconds * 100.0)
    });
    let rss = nodes.iter().filter_map(|pids| {
        pids.iter().map(|pid| procfs::resident_bytes(*pid)).sum::<Option<u64>>()
    });
    Some(Idle {
        system,
        nodes: nodes.len(),
        seconds,
        cpu_percent: Spread::of(cpu.collect())?,
        rss_mib: Spread::of(rss.map(|bytes| bytes as f64 / f64::from(1 << 20)).collect())?,
        loopback_bytes_per_s: bytes as f64 / seconds / nodes.len() as f64,
    })
}
