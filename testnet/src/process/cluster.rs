//! A flock of node processes in one directory.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crux_crdt::Digest;
use futures::future::join_all;

use super::command::run_node_command;
use super::{FlockStatus, Home, NodeClient, NodeProcess, NodeSaid, NodeSpec, PortBlock};
use crate::Error;
use crate::wait::{self, Seen};

/// How long a flock may take to form. The goal is 5 s; a loaded machine gets more.
pub const FORM_WITHIN: Duration = Duration::from_secs(30);

/// How long a node may take to stop when it is asked to, before it is killed.
pub const STOP_WITHIN: Duration = Duration::from_secs(10);

/// How long a flock must stay as it is to count as still. Longer than a durable write and the
/// spreading of what it says take on a loaded machine.
const STILL_FOR: Duration = Duration::from_millis(500);

/// How long a one-shot command may take.
const COMMAND_WITHIN: Duration = Duration::from_secs(10);

/// How many of the first nodes the others are told to join. One could be the one that is down.
const SEEDS: usize = 3;

/// What a cluster is made of.
#[derive(Debug)]
pub struct ClusterOptions {
    /// This program: nodes are started by running it.
    pub exe: PathBuf,
    /// Where to keep everything.
    pub home: Home,
    /// The name of the flock.
    pub flock: String,
}

/// A flock of node processes in one directory. Dropping it kills them all.
#[derive(Debug)]
pub struct Cluster {
    exe: PathBuf,
    // Before `home`: the nodes are killed before their directory is removed.
    nodes: Vec<NodeProcess>,
    home: Home,
}

impl Cluster {
    /// Makes the secret, unless the directory holds one. Starts nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Command`] when `keygen` fails.
    pub async fn create(options: ClusterOptions) -> Result<Self, Error> {
        let cluster = Self { exe: options.exe, nodes: Vec::new(), home: options.home };
        if !cluster.home.secret().exists() {
            cluster.keygen(&options.flock, cluster.home.secret()).await?;
        }
        Ok(cluster)
    }

    /// A cluster of `count` nodes in `options`' directory, none of them started.
    ///
    /// # Errors
    ///
    /// As [`Cluster::create`] and [`Cluster::add`].
    pub async fn with_nodes(options: ClusterOptions, count: usize) -> Result<Self, Error> {
        let mut cluster = Self::create(options).await?;
        for _ in 0..count {
            cluster.add()?;
        }
        cluster.join_seeds();
        Ok(cluster)
    }

    /// Makes a secret of another flock, or of another day.
    ///
    /// # Errors
    ///
    /// [`Error::Command`] when `keygen` fails.
    pub async fn keygen(&self, flock: &str, out: PathBuf) -> Result<(), Error> {
        let out = out.to_string_lossy().into_owned();
        let args = ["keygen", "--flock", flock, "--out", &out, "--no-operator"];
        let finished = run_node_command(&self.exe, &args, COMMAND_WITHIN).await?;
        if finished.status.success() {
            return Ok(());
        }
        Err(Error::Command {
            command: args.join(" "),
            status: finished.status,
            stderr: finished.stderr,
        })
    }

    /// Adds a node that joins the first nodes; it is not started yet.
    ///
    /// Nodes are called n1, n2, … and come back at the port they had in this directory before,
    /// unless somebody else holds it now.
    ///
    /// # Errors
    ///
    /// [`Error::NoPorts`], or [`Error::Io`] from the directory.
    pub fn add(&mut self) -> Result<&mut NodeProcess, Error> {
        let name = format!("n{}", self.nodes.len() + 1);
        let mut ports = self.home.remembered_ports()?;
        let block = match ports.get(&name).copied().and_then(PortBlock::reserve_at) {
            Some(block) => block,
            None => PortBlock::reserve()?,
        };
        ports.insert(name.clone(), block.base());
        self.home.remember_ports(ports)?;
        let spec = NodeSpec {
            listen: block.addr(0),
            advertise: Vec::new(),
            join: self.seeds(),
            discover: true,
            secret: self.home.secret(),
            data_dir: self.home.path().join(&name),
            flags: Vec::new(),
            is_listed: false,
            log: self.home.path().join(format!("{name}.log")),
            name,
        };
        let at = self.nodes.len();
        self.nodes.push(NodeProcess::new(self.exe.clone(), spec, block));
        Ok(&mut self.nodes[at])
    }

    /// Has the nodes list themselves among those of the person who runs them.
    pub fn list_nodes(&mut self) {
        for node in &mut self.nodes {
            node.spec_mut().is_listed = true;
        }
    }

    /// Adds a node that somebody else made.
    pub fn push(&mut self, node: NodeProcess) {
        self.nodes.push(node);
    }

    /// Tells every node to join the first few.
    pub fn join_seeds(&mut self) {
        let seeds = self.seeds();
        for node in &mut self.nodes {
            node.spec_mut().join.clone_from(&seeds);
        }
    }

    fn seeds(&self) -> Vec<SocketAddr> {
        self.nodes.iter().take(SEEDS).map(|node| node.spec().listen).collect()
    }

    /// The directory.
    #[must_use]
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// The directory, for longer than the nodes: they are killed.
    #[must_use]
    pub fn into_home(self) -> Home {
        let Self { nodes, home, .. } = self;
        drop(nodes);
        home
    }

    /// Keeps the directory, for someone to look at what went wrong.
    pub fn keep_home(&mut self) {
        self.home.keep();
    }

    /// This program.
    #[must_use]
    pub fn exe(&self) -> &std::path::Path {
        &self.exe
    }

    /// The nodes, started or not.
    #[must_use]
    pub fn nodes(&self) -> &[NodeProcess] {
        &self.nodes
    }

    /// The `at`-th node, counted from 0.
    ///
    /// # Panics
    ///
    /// If there is no such node.
    pub fn node(&mut self, at: usize) -> &mut NodeProcess {
        &mut self.nodes[at]
    }

    /// A client of the `at`-th node, counted from 0.
    ///
    /// # Panics
    ///
    /// If there is no such node.
    #[must_use]
    pub fn client(&self, at: usize) -> &NodeClient {
        self.nodes[at].client()
    }

    /// Which node has this name.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.name() == name)
    }

    /// Starts all that are not started, in order; returns when the last was started.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] of the first that cannot be started.
    pub fn start_all(&mut self) -> Result<Instant, Error> {
        for node in &mut self.nodes {
            node.start()?;
        }
        Ok(Instant::now())
    }

    /// Stops all with SIGTERM and waits; kills those that do not stop in [`STOP_WITHIN`].
    ///
    /// # Errors
    ///
    /// [`Error::WouldNotStop`] names the first that had to be killed; all are stopped even so.
    pub async fn stop_all(&mut self) -> Result<(), Error> {
        for node in self.nodes.iter().filter(|node| node.is_started()) {
            // One that has ended already is reaped below.
            node.terminate().ok();
        }
        let mut stubborn = None;
        let deadline = Instant::now() + STOP_WITHIN;
        for node in self.nodes.iter_mut().filter(|node| node.is_started()) {
            let left = deadline.saturating_duration_since(Instant::now());
            if node.until_ended(left.max(wait::LOOK_EVERY * 2)).await.is_err() {
                stubborn.get_or_insert_with(|| node.name().to_owned());
                node.kill()?;
            }
        }
        match stubborn {
            Some(name) => Err(Error::WouldNotStop { name, within: STOP_WITHIN }),
            None => Ok(()),
        }
    }

    /// Asks all started nodes for their status, at the same time.
    ///
    /// # Errors
    ///
    /// [`Error::Died`] when one of them has ended by itself. A node that does not answer is no
    /// error; it says so in the result.
    pub async fn statuses(&mut self) -> Result<FlockStatus, Error> {
        for node in &mut self.nodes {
            node.check()?;
        }
        Ok(self.ask_all().await)
    }

    /// As [`Cluster::statuses`], without a look at the processes.
    pub async fn ask_all(&self) -> FlockStatus {
        let asked = self.nodes.iter().filter(|node| node.is_started()).map(async |node| NodeSaid {
            node: node.name().to_owned(),
            said: node.client().status().await.map_err(|error| error.to_string()),
        });
        FlockStatus(join_all(asked).await)
    }

    /// Waits until the statuses of all started nodes satisfy `holds`.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`] with what each node said last; [`Error::Died`] at once.
    pub async fn until(
        &mut self,
        what: &str,
        within: Duration,
        mut holds: impl FnMut(&FlockStatus) -> bool,
    ) -> Result<FlockStatus, Error> {
        wait::until(what, within, async || {
            let statuses = self.statuses().await?;
            let holds = holds(&statuses);
            Ok(Seen::when(holds, statuses, FlockStatus::to_string))
        })
        .await
    }

    /// Waits until the started nodes are one flock; see [`FlockStatus::is_agreed`].
    ///
    /// # Errors
    ///
    /// As [`Cluster::until`].
    pub async fn until_agreed(&mut self, within: Duration) -> Result<FlockStatus, Error> {
        self.until("all nodes agree", within, FlockStatus::is_agreed).await
    }

    /// Waits until the started nodes are one flock and have been for half a second, with one digest:
    /// handshakes and claims that crossed may still be under way when they first agree.
    ///
    /// # Errors
    ///
    /// As [`Cluster::until`].
    pub async fn until_still(&mut self, within: Duration) -> Result<FlockStatus, Error> {
        let mut seen: Option<(Digest, Instant)> = None;
        self.until("all nodes agree and nothing changes", within, |statuses| {
            let digest = statuses.digest().filter(|_| statuses.is_agreed());
            match (&seen, digest) {
                (Some((before, since)), Some(digest)) if *before == digest => {
                    since.elapsed() >= STILL_FOR
                }
                (_, digest) => {
                    seen = digest.map(|digest| (digest, Instant::now()));
                    false
                }
            }
        })
        .await
    }
}
