//! Many services on one node: what they cost when nothing happens, and what the next picket does with them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crux_client::model::{Instance, InstanceState};
use crux_client::op::AddService;
use rustix::process::Pid;
use tokio::time::sleep;

use super::peers::MEMORY;
use super::{BATCHES, keep_if_failed};
use crate::bench::{Report, Samples};
use crate::process::{BlobClient, Cluster, NodeClient, NodeProcess, procfs};
use crate::wait::{self, Seen};
use crate::{Error, sample};

/// How many services.
const SERVICES: usize = 50;
/// How often a check runs: the default.
const PERIOD: Duration = Duration::from_secs(10);
/// How often the picket is killed.
const KILLS: usize = 10;
/// How long the next picket has until all are adopted.
const ADOPTED_WITHIN: Duration = Duration::from_secs(30);
/// How often it is asked.
const ASK_EVERY: Duration = Duration::from_millis(1);

const ADOPTED: &str = "picket killed, run → 50 services adopted";
const CPU: &str = "CPU of picket and keepers, 50 services with 10 s checks";

/// The processes of services, by their names, and how often each was started again.
type Running = BTreeMap<String, (u32, u32)>;

/// Measures both.
pub(super) async fn measure(
    cluster: &mut Cluster,
    window: Duration,
    report: &mut Report,
) -> Result<(), Error> {
    add(&cluster.nodes()[0]).await?;
    idle(&cluster.nodes()[0], window, report).await?;
    let adopted = kills(cluster.node(0), report).await;
    keep_if_failed(adopted, cluster)
}

async fn add(node: &NodeProcess) -> Result<(), Error> {
    let image = BlobClient::connect(node.spec()).await?.put(sample::PROGRAM).await?;
    let client = node.services();
    for at in 0..SERVICES {
        let mut fields = sample::fields(&format!("s{at}"), image)?;
        fields.period = PERIOD;
        let config = sample::config(fields)?;
        client.call(&AddService { config, until: sample::until_up() }).await?;
    }
    Ok(())
}

async fn idle(node: &NodeProcess, window: Duration, report: &mut Report) -> Result<(), Error> {
    let keepers = node.keepers();
    let mut pids: Vec<Pid> = keepers.iter().filter_map(|it| Pid::from_raw(it.pid)).collect();
    if pids.len() != SERVICES {
        return Err(Error::Broken(format!("{SERVICES} services have {} keepers", pids.len())));
    }
    let kib: Vec<f64> = pids
        .iter()
        .filter_map(|pid| procfs::private_bytes(*pid))
        .map(|bytes| bytes as f64 / 1024.0)
        .collect();
    if kib.is_empty() {
        // Keepers are private: only root reads what they have.
        report.notes.push("private memory of keepers: not measured, that takes root".to_owned());
    }
    report.value("crux", MEMORY, "KiB", kib);
    pids.extend(node.pid());
    let used = || pids.iter().filter_map(|pid| procfs::cpu_time(*pid)).sum::<Duration>();
    let (before, since) = (used(), Instant::now());
    sleep(window).await;
    let spent = used().saturating_sub(before).as_secs_f64();
    let percent = spent / since.elapsed().as_secs_f64() * 100.0;
    report.value("crux", CPU, "% of a core", vec![percent]);
    Ok(())
}

async fn kills(node: &mut NodeProcess, report: &mut Report) -> Result<(), Error> {
    let mut samples = Samples::new(BATCHES);
    let before = running(node.client()).await?;
    for at in 0..KILLS {
        node.kill_picket()?;
        let since = Instant::now();
        node.start()?;
        let client = node.services();
        let took = wait::until_every(ASK_EVERY, ADOPTED, ADOPTED_WITHIN, async || {
            let now = running(&client).await.unwrap_or_default();
            Ok(Seen::when(now.len() == SERVICES, since.elapsed(), |_| format!("  {now:?}")))
        });
        samples.record(at * BATCHES / KILLS, took.await?);
        let now = running(node.client()).await?;
        if now != before {
            return Err(Error::Broken(format!("there were {before:?}, and now {now:?}")));
        }
    }
    report.latency("crux", ADOPTED, &samples);
    Ok(())
}

/// The services that are up.
async fn running(node: &NodeClient) -> Result<Running, Error> {
    let all = node.instances().await?;
    let up = |it: Instance| {
        let pid = it.pid.filter(|_| it.state == InstanceState::Up)?;
        Some((it.service.to_string(), (pid, it.restarts)))
    };
    Ok(all.into_iter().filter_map(up).collect())
}
