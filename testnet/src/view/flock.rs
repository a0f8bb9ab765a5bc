//! One look at a flock, as data: what the table shows and what `--json` prints.

use std::collections::BTreeMap;

use futures::future::join_all;
use serde::Serialize;

use super::Runs;
use crate::Error;
use crate::process::{Cluster, NodeProcess};

/// One node of the testnet.
#[derive(Debug, Clone, Serialize)]
pub struct NodeRow {
    /// Its name.
    pub node: String,
    /// The number of its picket, whose end is the node's; `None` when it does not run.
    pub pid: Option<u32>,
    /// Its principal; empty until it answers.
    pub principal: String,
    /// `starting` until it answers, `stopped` or `killed` when its process is gone; else what the
    /// flock says of it.
    pub state: String,
    /// Whether it leads, from its own view.
    pub leads: bool,
    /// The digest of its durable records; empty until it answers.
    pub state_digest: String,
    /// Live registrations it knows of.
    pub services: u64,
    /// Its instances.
    pub runs: Vec<Runs>,
    /// Resident memory.
    pub memory_bytes: u64,
    /// Where it listens.
    pub listen: String,
    /// Its data directory.
    pub data_dir: String,
    /// Its log file.
    pub log: String,
}

/// One look at a flock.
#[derive(Debug, Clone, Serialize)]
pub struct FlockView {
    /// The flock's name; empty until a node answers.
    pub flock: String,
    /// The flock's identity; empty until a node answers.
    pub flock_id: String,
    /// The leader's name, if all that answer agree.
    pub leader: Option<String>,
    /// The one digest all have, if they do.
    pub state_digest: Option<String>,
    /// The nodes, in the order they were added.
    pub nodes: Vec<NodeRow>,
}

impl FlockView {
    /// Looks at all nodes.
    ///
    /// A node that has ended is shown, not reported as an error: the caller decides.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the system does not say whether a process runs.
    pub async fn look(cluster: &mut Cluster) -> Result<Self, Error> {
        let statuses = cluster.ask_all().await;
        let first = statuses.answered().next();
        let mut view = Self {
            flock: first.map(|status| status.flock.to_string()).unwrap_or_default(),
            flock_id: first.map(|status| status.flock_id.to_string()).unwrap_or_default(),
            leader: statuses.leader().map(|leader| leader.node.to_string()),
            state_digest: statuses.digest().map(|digest| digest.to_string()),
            nodes: Vec::new(),
        };
        let states = member_states(cluster).await;
        let runs = join_all(cluster.nodes().iter().map(runs_on)).await;
        for (at, runs) in runs.into_iter().enumerate() {
            let mut row = NodeRow { runs, ..blank_row(cluster.node(at))? };
            let said = statuses.0.iter().find(|said| said.node == row.node);
            if let Some(Ok(status)) = said.map(|said| &said.said) {
                row.leads = status.leader.as_ref().is_some_and(|l| l.principal == status.principal);
                row.principal = status.principal.to_string();
                row.state_digest = status.state_digest.to_string();
                row.services = status.services;
                row.state =
                    states.get(&row.principal).cloned().unwrap_or_else(|| "alone".to_owned());
            }
            view.nodes.push(row);
        }
        Ok(view)
    }
}

/// The state of each principal, from the first node that answers.
async fn member_states(cluster: &Cluster) -> BTreeMap<String, String> {
    for node in cluster.nodes().iter().filter(|node| node.is_started()) {
        if let Ok(members) = node.client().members().await {
            let words = members.into_iter();
            return words.map(|it| (it.principal.to_string(), it.state.to_string())).collect();
        }
    }
    BTreeMap::new()
}

/// The instances of a node; none where it does not answer, which its state tells.
async fn runs_on(node: &NodeProcess) -> Vec<Runs> {
    if !node.is_started() {
        return Vec::new();
    }
    let instances = node.client().instances().await.unwrap_or_default();
    Runs::of(&instances)
}

/// The row of a node, as known without asking it.
fn blank_row(node: &mut NodeProcess) -> Result<NodeRow, Error> {
    let ended = node.ended()?;
    let pid = node.pid().filter(|_| ended.is_none());
    let state = match (ended, node.is_started()) {
        (Some(status), _) if status.code().is_none() => "killed",
        (Some(_), _) | (None, false) => "stopped",
        (None, true) => "starting",
    };
    Ok(NodeRow {
        node: node.name().to_owned(),
        pid: pid.and_then(|pid| u32::try_from(pid.as_raw_nonzero().get()).ok()),
        principal: String::new(),
        state: state.to_owned(),
        leads: false,
        state_digest: String::new(),
        services: 0,
        runs: Vec::new(),
        memory_bytes: pid.and(node.resident_bytes()).unwrap_or_default(),
        listen: node.spec().listen.to_string(),
        data_dir: node.spec().data_dir.display().to_string(),
        log: node.spec().log.display().to_string(),
    })
}
