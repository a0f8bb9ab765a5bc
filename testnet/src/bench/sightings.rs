//! Watch streams on all nodes at once, read on one clock.
//!
//! A task per node follows its stream and notes when a service appeared or vanished there. It opens
//! the stream again when its node comes back, and tells of that too, because only an open stream
//! sees a change in time.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crux_client::WatchEvent;
use crux_crdt::path::FlockId;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout_at};

use crate::Error;
use crate::process::NodeClient;

/// Sightings that may wait to be read: a few per node and round, many times over.
const SIGHTINGS_MAX: usize = 8192;

/// Pause before a stream that broke is opened again.
const REOPEN_PAUSE: Duration = Duration::from_millis(20);

/// What a node's stream showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// A service with this path is there.
    Appeared(FlockId),
    /// The service with this path is gone.
    Vanished(FlockId),
}

/// One change on one node.
#[derive(Debug, Clone)]
pub(super) struct Sighting {
    /// The node with that stream.
    pub(super) node: usize,
    pub(super) change: Change,
    pub(super) at: Instant,
}

/// Watch streams on all nodes; dropping closes them.
#[derive(Debug)]
pub(super) struct Sightings {
    received: mpsc::Receiver<Sighting>,
    _tasks: JoinSet<()>,
}

impl Sightings {
    /// Starts to watch `query` on every node.
    pub(super) fn open(clients: Vec<NodeClient>, query: &str) -> Self {
        let (seen, received) = mpsc::channel(SIGHTINGS_MAX);
        let mut tasks = JoinSet::new();
        for (node, client) in clients.into_iter().enumerate() {
            tasks.spawn(follow(node, client, query.to_owned(), seen.clone()));
        }
        Self { received, _tasks: tasks }
    }

    /// The next change on any node; none when there are no streams.
    pub(super) async fn next(&mut self) -> Option<Sighting> {
        self.received.recv().await
    }

    /// Waits until each of `nodes` showed the change after `since`; returns how long each took.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`] names the nodes that did not show it.
    pub(super) async fn until_all(
        &mut self,
        change: &Change,
        nodes: &BTreeSet<usize>,
        since: Instant,
        within: Duration,
    ) -> Result<Vec<Duration>, Error> {
        let mut missing = nodes.clone();
        let mut took = Vec::with_capacity(nodes.len());
        let deadline = tokio::time::Instant::from_std(since + within);
        while !missing.is_empty() {
            match timeout_at(deadline, self.received.recv()).await {
                Ok(Some(seen)) if seen.change == *change && seen.at >= since => {
                    if missing.remove(&seen.node) {
                        took.push(seen.at.duration_since(since));
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return Err(unseen(change, &missing, within)),
            }
        }
        Ok(took)
    }
}

fn unseen(change: &Change, missing: &BTreeSet<usize>, within: Duration) -> Error {
    let missing: Vec<String> = missing.iter().map(|node| format!("n{}", node + 1)).collect();
    Error::TimedOut {
        what: format!("every node shows {change:?}"),
        within,
        last: format!("  missing on {}", missing.join(", ")),
    }
}

/// Follows one node's stream for ever, over its restarts.
async fn follow(node: usize, client: NodeClient, query: String, seen: mpsc::Sender<Sighting>) {
    loop {
        if let Ok(mut stream) = client.watch(&query).await {
            let mut known = BTreeSet::new();
            while let Ok(Some(event)) = stream.next().await {
                let at = Instant::now();
                for change in changes(&mut known, event) {
                    if seen.send(Sighting { node, change, at }).await.is_err() {
                        return;
                    }
                }
            }
        }
        sleep(REOPEN_PAUSE).await;
    }
}

/// What an event changes in the set of known paths.
fn changes(known: &mut BTreeSet<FlockId>, event: WatchEvent) -> Vec<Change> {
    match event {
        WatchEvent::Added { service } => {
            known.insert(service.path.clone());
            vec![Change::Appeared(service.path)]
        }
        WatchEvent::Removed { service } => {
            known.remove(&service.path);
            vec![Change::Vanished(service.path)]
        }
        WatchEvent::Snapshot { services } => {
            let now: BTreeSet<FlockId> = services.into_iter().map(|service| service.path).collect();
            let mut changes: Vec<Change> =
                known.difference(&now).cloned().map(Change::Vanished).collect();
            changes.extend(now.difference(known).cloned().map(Change::Appeared));
            *known = now;
            changes
        }
    }
}

#[cfg(test)]
mod tests {
    use crux_client::model::{Service, ServiceStatus};

    use super::*;

    fn path(name: &str) -> FlockId {
        format!("/f/main/n1/{name}/r1").parse().expect("a path")
    }

    fn service(name: &str) -> Service {
        let key = "ab".repeat(32);
        Service {
            path: path(name),
            ordinal: 0,
            instance: String::new(),
            net_id: format!("/r1/{key}/net/127.0.0.1:9").parse().expect("an address"),
            key_id: None,
            status: ServiceStatus::Up,
            live: true,
            labels: std::collections::BTreeMap::new(),
        }
    }

    #[test]
    fn a_second_snapshot_tells_only_what_changed() {
        let mut known = BTreeSet::new();
        let snapshot = |names: &[&str]| WatchEvent::Snapshot {
            services: names.iter().map(|name| service(name)).collect(),
        };
        assert_eq!(changes(&mut known, snapshot(&["a"])), [Change::Appeared(path("a"))]);
        assert_eq!(
            changes(&mut known, snapshot(&["b"])),
            [Change::Vanished(path("a")), Change::Appeared(path("b"))]
        );
    }

    #[test]
    fn deltas_are_told_as_they_come() {
        let mut known = BTreeSet::new();
        let added = changes(&mut known, WatchEvent::Added { service: service("a") });
        assert_eq!(added, [Change::Appeared(path("a"))]);
        let removed = changes(&mut known, WatchEvent::Removed { service: service("a") });
        assert_eq!(removed, [Change::Vanished(path("a"))]);
        assert!(known.is_empty());
    }
}
