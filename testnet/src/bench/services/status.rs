//! A program's status on its node → the same on every node, beside a registration in the same flock.
//!
//! Each node runs one program, which is told to fail its next check, and passes the one after that: two changes. A
//! node holds a registration at *degraded* that changes more than four times a minute, so each has two.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crux_client::WatchEvent;
use crux_client::model::{Service, ServiceStatus};
use crux_client::op::AddService;
use crux_crdt::service::{Check, Probe};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout_at;

use super::{BATCHES, keep_if_failed};
use crate::bench::rig::{self, SEEN_WITHIN};
use crate::bench::sightings::Change;
use crate::bench::{Bench, Report, Samples};
use crate::process::{BlobClient, Cluster, NodeClient, NodeProcess, Registration};
use crate::{Error, sample};

const STATUS: &str = "status change → last node shows it";
const REGISTERED: &str = "registration → last node shows it";

/// The service of which every node runs one.
const NAME: &str = "state";
/// How often its check runs: longer than the second within which a node writes its statuses once.
const PERIOD: Duration = Duration::from_millis(1_500);
/// How many changes may wait to be read: a few for each node and round, many times over.
const CHANGES_MAX: usize = 8192;

/// A node shows a status of the program of another one.
struct Shown {
    by: usize,
    of: String,
    status: ServiceStatus,
    at: Instant,
}

/// Measures both on a flock.
pub(super) async fn measure(bench: &Bench, report: &mut Report) -> Result<(), Error> {
    let mut cluster = rig::formed(bench).await?;
    let measured = async {
        report.latency("crux", STATUS, &statuses(&cluster).await?);
        report.latency("crux", REGISTERED, &registrations(&cluster).await?);
        Ok(())
    };
    keep_if_failed(measured.await, &mut cluster)?;
    let p99 = |what| report.latencies.iter().find(|it| it.what == what).map(|it| it.figure.p99_ms);
    if let (Some(status), Some(registered)) = (p99(STATUS), p99(REGISTERED)) {
        let ratio = status / registered.max(0.001);
        report.notes.push(format!("p99 of a status change / of a registration: {ratio:.2}"));
    }
    cluster.stop_all().await
}

async fn statuses(cluster: &Cluster) -> Result<Samples, Error> {
    let nodes = cluster.nodes().len();
    let mut programs = Vec::new();
    for node in cluster.nodes() {
        programs.push(add(node).await?);
    }
    let mut changes = Changes::open(cluster);
    let mut samples = Samples::new(BATCHES);
    for (host, node) in cluster.nodes().iter().enumerate() {
        // Every node has found it, and it is well.
        changes.until_all(node.name(), ServiceStatus::Up, host, nodes).await?;
    }
    let bar = rig::progress("crux status", nodes);
    for (host, (node, program)) in cluster.nodes().iter().zip(programs).enumerate() {
        sample::call_at(program, "/sick").await?;
        for status in [ServiceStatus::Degraded, ServiceStatus::Up] {
            let took = changes.until_all(node.name(), status, host, nodes).await?;
            samples.record(host * BATCHES / nodes, took);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(samples)
}

/// Has a node run the program; returns where it answers.
async fn add(node: &NodeProcess) -> Result<SocketAddr, Error> {
    let image = BlobClient::connect(node.spec()).await?.put(sample::PROGRAM).await?;
    let mut fields = sample::fields(NAME, image)?;
    let (path, port) = ("/health".to_owned(), sample::read(sample::PORT)?);
    (fields.check, fields.period) = (vec![Check::new(Probe::Http { path, port })], PERIOD);
    let op = AddService { config: sample::config(fields)?, until: sample::until_up() };
    let settled = node.services().call(&op).await?;
    let port = settled.ports.get(sample::PORT).copied();
    let port = port.ok_or_else(|| Error::Broken("the program has no port".to_owned()))?;
    Ok(SocketAddr::from(([127, 0, 0, 1], port)))
}

/// Registrations on each node in turn, each seen by all.
async fn registrations(cluster: &Cluster) -> Result<Samples, Error> {
    let mut sightings = rig::watch(cluster);
    let (all, nodes) = (rig::nodes_without(cluster, None), cluster.nodes().len());
    let mut samples = Samples::new(BATCHES);
    // The first round proves that every stream is open.
    for at in 0..=2 * nodes {
        let (client, rev) = (cluster.client(at % nodes), format!("r{at}"));
        let since = Instant::now();
        let registered = client.register(&Registration::new("bench", &rev, "127.0.0.1:9")).await?;
        let path = registered.path;
        let appeared = Change::Appeared(path.clone());
        let took = sightings.until_all(&appeared, &all, since, SEEN_WITHIN).await?;
        if let Some(round) = at.checked_sub(1) {
            let last = took.into_iter().max().unwrap_or_default();
            samples.record(round * BATCHES / (2 * nodes), last);
        }
        let since = Instant::now();
        client.deregister("bench", &rev).await?;
        sightings.until_all(&Change::Vanished(path), &all, since, SEEN_WITHIN).await?;
    }
    Ok(samples)
}

/// Streams on all nodes of the statuses of the programs; dropping closes them.
struct Changes {
    received: mpsc::Receiver<Shown>,
    /// The status that each node shows of the program of each, and since when.
    known: BTreeMap<(usize, String), (ServiceStatus, Instant)>,
    _tasks: JoinSet<()>,
}

impl Changes {
    fn open(cluster: &Cluster) -> Self {
        let (shown, received) = mpsc::channel(CHANGES_MAX);
        let mut tasks = JoinSet::new();
        for (by, node) in cluster.nodes().iter().enumerate() {
            tasks.spawn(follow(by, node.client().clone(), shown.clone()));
        }
        Self { received, known: BTreeMap::new(), _tasks: tasks }
    }

    /// Waits until every node shows that status of a node's program; returns how long that took from the moment
    /// at which the node itself did.
    async fn until_all(
        &mut self,
        of: &str,
        status: ServiceStatus,
        owner: usize,
        nodes: usize,
    ) -> Result<Duration, Error> {
        let deadline = tokio::time::Instant::now() + SEEN_WITHIN;
        loop {
            let shown = |by| self.known.get(&(by, of.to_owned())).filter(|it| it.0 == status);
            let missing: Vec<usize> = (0..nodes).filter(|by| shown(*by).is_none()).collect();
            let last = (0..nodes).filter_map(shown).map(|it| it.1).max();
            if let (Some(own), Some(last), true) = (shown(owner), last, missing.is_empty()) {
                return Ok(last.saturating_duration_since(own.1));
            }
            let Ok(Some(next)) = timeout_at(deadline, self.received.recv()).await else {
                return Err(Error::TimedOut {
                    what: format!("every node shows that {NAME} of {of} is {status}"),
                    within: SEEN_WITHIN,
                    last: format!("  missing on {missing:?}"),
                });
            };
            let known = self.known.entry((next.by, next.of)).or_insert((next.status, next.at));
            if known.0 != next.status {
                *known = (next.status, next.at);
            }
        }
    }
}

/// Tells what one node's stream shows of the programs.
async fn follow(by: usize, client: NodeClient, shown: mpsc::Sender<Shown>) {
    let Ok(mut stream) = client.watch(&format!("*/*/*/{NAME}/*")).await else { return };
    while let Ok(Some(event)) = stream.next().await {
        let at = Instant::now();
        let services: Vec<Service> = match event {
            WatchEvent::Added { service } => vec![service],
            WatchEvent::Snapshot { services } => services,
            WatchEvent::Removed { .. } => Vec::new(),
        };
        for Service { path, status, .. } in services {
            let of = path.node.to_string();
            if shown.send(Shown { by, of, status, at }).await.is_err() {
                return;
            }
        }
    }
}
