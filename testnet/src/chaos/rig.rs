//! The nodes and the proxy between them, and what can be done to both.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::Fault;
use super::history::{Fate, Span};
use super::recorder::Recorder;
use crate::Error;
use crate::liar::{LiarProcess, LiarSpec, Lie};
use crate::process::{Cluster, ClusterOptions, Home, NodeClient, NodeProcess, NodeSpec, PortBlock};
use crate::proxy::{Place, Proxy, Rule, Stats};

/// How many of the first nodes the others are told of.
const SEEDS: usize = 3;
/// How many keys a liar admits, each with 2 MiB: below the bound of a replica, so that all have one
/// state.
const LIARS_KEYS: usize = 4;
/// How many keys answer late.
const SLOW_KEYS: usize = 16;
/// How many silent connections each node gets.
const SILENT: usize = 160;
/// How many keys begin to join through each node.
const GUESTS: usize = 80;
/// The bytes that a file may hold while the disk is full: none.
const FULL: u64 = 0;

/// A flock behind proxies.
#[derive(Debug)]
pub struct Rig {
    cluster: Cluster,
    proxy: Proxy,
    recorder: Arc<Recorder>,
    /// Faults that go on: when each began.
    active: Vec<(Duration, Fault)>,
    /// Hosts that may end without being killed.
    may_end: BTreeSet<usize>,
    /// The liar of the moment.
    liars: BTreeMap<Lie, LiarProcess>,
    /// From where: an address beside those of the nodes.
    liars_ip: IpAddr,
}

/// The loopback address of a node: 127.0.0.11 and so on.
fn own_ip(host: usize) -> Result<IpAddr, Error> {
    let last = u8::try_from(host + 11).ok().filter(|last| *last < 255);
    let last = last.ok_or_else(|| Error::Broken("at most 242 nodes have an address".to_owned()))?;
    Ok(Ipv4Addr::new(127, 0, 0, last).into())
}

impl Rig {
    /// A rig of so many nodes, called n0, n1, …; none is started.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::NoPorts`], or [`Error::Command`] when `keygen` fails.
    pub async fn new(exe: PathBuf, home: Home, nodes: usize) -> Result<Self, Error> {
        let options = ClusterOptions { exe: exe.clone(), home, flock: "chaos".to_owned() };
        let mut cluster = Cluster::create(options).await?;
        let mut places = Vec::new();
        let mut names = Vec::new();
        for host in 0..nodes {
            let block = PortBlock::reserve()?;
            let ip = own_ip(host)?;
            let node = SocketAddr::new(ip, block.base());
            let front = SocketAddr::new(ip, block.reserved());
            places.push(Place { front, node });
            let name = format!("n{host}");
            let spec = NodeSpec {
                listen: node,
                advertise: vec![front],
                join: Vec::new(),
                discover: false,
                secret: cluster.home().secret(),
                data_dir: cluster.home().path().join(&name),
                flags: Vec::new(),
                is_listed: false,
                log: cluster.home().path().join(format!("{name}.log")),
                name: name.clone(),
            };
            names.push(name);
            cluster.push(NodeProcess::new(exe.clone(), spec, block));
        }
        // A liar states where it is, beside the proxy, and dials through it as the nodes do.
        let liars_ip = own_ip(nodes)?;
        let block = PortBlock::reserve()?;
        let [front, node] = [block.reserved(), block.base()];
        let [front, node] = [front, node].map(|port| SocketAddr::new(liars_ip, port));
        places.push(Place { front, node });
        let proxy = Proxy::start(&places).await?;
        let recorder = Arc::new(Recorder::new(names));
        let mut rig = Self {
            cluster,
            proxy,
            recorder,
            active: Vec::new(),
            may_end: BTreeSet::new(),
            liars: BTreeMap::new(),
            liars_ip,
        };
        let seeds: Vec<usize> = (0..nodes.min(SEEDS)).collect();
        (0..nodes).for_each(|host| rig.join(host, &seeds));
        Ok(rig)
    }

    /// The recorder of the history.
    #[must_use]
    pub fn recorder(&self) -> Arc<Recorder> {
        self.recorder.clone()
    }

    /// The processes.
    pub fn cluster(&mut self) -> &mut Cluster {
        &mut self.cluster
    }

    /// The directory, with the logs in it. The processes are killed and the proxy closes.
    #[must_use]
    pub fn into_home(self) -> Home {
        self.cluster.into_home()
    }

    /// A client of each node.
    #[must_use]
    pub fn clients(&self) -> Vec<NodeClient> {
        self.cluster.nodes().iter().map(|node| node.client().clone()).collect()
    }

    /// The settings that each node is started with.
    #[must_use]
    pub fn specs(&self) -> Vec<NodeSpec> {
        self.cluster.nodes().iter().map(|node| node.spec().clone()).collect()
    }

    /// The traffic between nodes so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.proxy.stats()
    }

    /// Sets the seed peers of a node for its next start: reached by way of the proxy.
    pub fn join(&mut self, host: usize, others: &[usize]) {
        let others = others.iter().map(|other| self.proxy.front(*other)).collect();
        self.cluster.node(host).spec_mut().join = others;
    }

    /// Starts a process. Nothing, if it runs.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be started.
    pub fn start(&mut self, host: usize) -> Result<(), Error> {
        if !self.cluster.nodes()[host].is_started() {
            self.cluster.node(host).start()?;
            self.recorder.fate(host, Fate::Started);
        }
        Ok(())
    }

    /// Kills all processes of a node. Nothing, if it does not run.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the system refuses.
    pub fn kill(&mut self, host: usize) -> Result<(), Error> {
        self.note_crashes()?;
        if self.cluster.nodes()[host].is_started() {
            self.cluster.node(host).kill()?;
            self.recorder.fate(host, Fate::Killed);
        }
        Ok(())
    }

    /// Kills the fulcrum of a node. Nothing, if there is none now.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the system refuses.
    pub fn kill_fulcrum(&mut self, host: usize) -> Result<(), Error> {
        let node = self.cluster.node(host);
        if node.fulcrum().is_some() {
            node.kill_fulcrum()?;
            self.recorder.fate(host, Fate::Killed);
            self.recorder.fate(host, Fate::Started);
        }
        Ok(())
    }

    /// Removes the database of a process that is down.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be removed.
    pub fn wipe(&mut self, host: usize) -> Result<(), Error> {
        self.recorder.fate(host, Fate::Wiped);
        self.cluster.node(host).wipe_database()
    }

    /// Removes everything of a process that is down.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be removed.
    pub fn rekey(&mut self, host: usize) -> Result<(), Error> {
        self.recorder.fate(host, Fate::Rekeyed);
        self.cluster.node(host).wipe_everything()
    }

    /// Stops or resumes a process. Nothing, if it does not run.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the system refuses.
    pub fn freeze(&mut self, host: usize, frozen: bool) -> Result<(), Error> {
        let node = self.cluster.node(host);
        match (node.is_started(), frozen) {
            (false, _) => Ok(()),
            (true, true) => node.pause(),
            (true, false) => node.resume(),
        }
    }

    /// Takes away its disk or gives it back. Nothing, if it does not run.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the system refuses.
    pub fn fill(&mut self, host: usize, full: bool) -> Result<(), Error> {
        let node = self.cluster.node(host);
        if node.is_started() { node.limit_files(full.then_some(FULL)) } else { Ok(()) }
    }

    /// Keeps a copy of a database, as it is now: its process is stopped meanwhile.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be copied.
    pub fn backup(&mut self, host: usize) -> Result<(), Error> {
        self.freeze(host, true)?;
        let database = self.cluster.nodes()[host].spec().database();
        let copied = copy(&database, &database.with_extension("backup"));
        self.freeze(host, false)?;
        copied
    }

    /// Puts back the copy of a database of a process that is down.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be copied.
    pub fn restore(&mut self, host: usize) -> Result<(), Error> {
        let database = self.cluster.nodes()[host].spec().database();
        self.recorder.fate(host, Fate::Wiped);
        copy(&database.with_extension("backup"), &database)
    }

    /// Gives a host that never ran the key of another one, and a copy of its disk if `disk`. One of
    /// the two may then end by itself.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be copied.
    pub fn copy(&mut self, from: usize, to: usize, disk: bool) -> Result<(), Error> {
        let [source, target] = [from, to].map(|host| self.cluster.nodes()[host].spec().clone());
        let dir = &target.data_dir;
        std::fs::create_dir_all(dir).map_err(Error::io(format!("create {}", dir.display())))?;
        copy(&source.principal_key(), &target.principal_key())?;
        if disk {
            self.backup(from)?;
            copy(&source.database().with_extension("backup"), &target.database())?;
        }
        // The copy says that it is the other one, registrations and all.
        self.recorder.history().copies.insert(to, from);
        self.recorder.fate(from, Fate::Wiped);
        self.may_end.extend([from, to]);
        Ok(())
    }

    /// Lets a process end by itself.
    pub fn may_end(&mut self, host: usize) {
        self.may_end.insert(host);
    }

    /// Whether a process runs, as far as was noted.
    #[must_use]
    pub fn is_up(&self, host: usize) -> bool {
        self.cluster.nodes()[host].is_started()
    }

    /// Lets a fault of a process begin, if that runs and does not have it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the system refuses.
    pub fn begin_if_up(&mut self, host: usize, fault: &Fault) -> Result<(), Error> {
        let has = self.active.iter().any(|(_, active)| active == fault);
        if has || !self.is_up(host) { Ok(()) } else { self.begin(fault) }
    }

    /// Lets a fault begin.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the system refuses.
    pub fn begin(&mut self, fault: &Fault) -> Result<(), Error> {
        let now = self.recorder.now();
        match fault {
            Fault::Kill(host) => {
                // Other faults of the process end with it.
                self.end_those(|other| other.process() == Some(*host))?;
                self.kill(*host)?;
            }
            Fault::KillFulcrum(host) => self.kill_fulcrum(*host)?,
            Fault::Wipe(host) => {
                self.kill(*host)?;
                self.wipe(*host)?;
            }
            Fault::Rekey(host) => {
                self.kill(*host)?;
                self.rekey(*host)?;
            }
            Fault::Freeze(host) => self.freeze(*host, true)?,
            Fault::Fill(host) => self.fill(*host, true)?,
            Fault::HalfOpen { believer, other } => self.proxy.half_open(*believer, *other),
            Fault::Reset(of) => self.reset(&of.iter().collect::<Vec<_>>()),
            Fault::Lie(lie) => self.lie(*lie)?,
            Fault::Cut { .. } | Fault::Slow { .. } | Fault::Narrow { .. } | Fault::Flaky { .. } => {
            }
        }
        self.active.push((now, fault.clone()));
        self.rule();
        Ok(())
    }

    /// Lets a fault end; nothing, if it does not go on.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the system refuses.
    pub fn end(&mut self, fault: &Fault) -> Result<(), Error> {
        let Some(at) = self.active.iter().position(|(_, active)| active == fault) else {
            return Ok(());
        };
        let (from, _) = self.active.remove(at);
        match fault {
            Fault::Kill(host) | Fault::Wipe(host) | Fault::Rekey(host) => self.start(*host)?,
            Fault::Freeze(host) => self.freeze(*host, false)?,
            Fault::Fill(host) => self.fill(*host, false)?,
            Fault::HalfOpen { believer, other } => {
                let rule = self.proxy.rule(*believer, *other);
                self.proxy.set(*believer, *other, rule);
            }
            // It is killed.
            Fault::Lie(lie) => drop(self.liars.remove(lie)),
            _ => {}
        }
        self.rule();
        self.recorder.span(Span {
            from,
            to: self.recorder.now(),
            what: fault.to_string(),
            state: fault.state(),
            hosts: fault.hosts(),
        });
        Ok(())
    }

    /// Lets every fault end for which this holds.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the system refuses.
    pub fn end_those(&mut self, which: impl Fn(&Fault) -> bool) -> Result<(), Error> {
        let those: Vec<_> =
            self.active.iter().map(|(_, fault)| fault).filter(|it| which(it)).cloned().collect();
        those.iter().try_for_each(|fault| self.end(fault))
    }

    /// Notes processes that ended without being told to.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the system does not say.
    pub fn note_crashes(&mut self) -> Result<(), Error> {
        for host in 0..self.cluster.nodes().len() {
            let node = self.cluster.node(host);
            if let Some(status) = node.ended()? {
                let how = node.died(status).to_string();
                // Reaped already: this only forgets the process, so that it can be started again.
                node.kill()?;
                if !self.may_end.contains(&host) {
                    let now = self.recorder.now();
                    self.recorder.history().crashes.push((now, host, how));
                }
                self.recorder.fate(host, Fate::Killed);
            }
        }
        Ok(())
    }

    /// Lets somebody lie who was not there before.
    fn lie(&mut self, lie: Lie) -> Result<(), Error> {
        let home = self.cluster.home();
        let mut spec = LiarSpec {
            lie,
            secret: home.secret(),
            listen: SocketAddr::new(self.liars_ip, 0),
            targets: self.cluster.nodes().iter().map(|node| node.spec().listen).collect(),
            keys: 1,
            count: 1,
            bytes: 1 << 40,
            log: home.path().join("liar.log"),
        };
        match lie {
            Lie::Keys => spec.count = LIARS_KEYS,
            Lie::Slow => spec.keys = SLOW_KEYS,
            Lie::Silent => spec.count = SILENT,
            Lie::Guests => spec.keys = GUESTS,
            _ => {}
        }
        self.liars.insert(lie, LiarProcess::start(self.cluster.exe(), &spec)?);
        Ok(())
    }

    /// Resets all connections of some.
    fn reset(&self, of: &[usize]) {
        let nodes = self.cluster.nodes().len();
        for one in of {
            (0..nodes).filter(|other| other != one).for_each(|other| self.proxy.reset(*one, other));
        }
    }

    /// Gives each directed pair the rule that comes of all faults.
    fn rule(&self) {
        let nodes = self.cluster.nodes().len();
        for (from, to) in (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to))) {
            let mut rule = Rule::default();
            self.active.iter().for_each(|(_, fault)| fault.apply(from, to, &mut rule));
            if rule != self.proxy.rule(from, to) {
                self.proxy.set(from, to, rule);
            }
        }
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let what = format!("copy {} to {}", from.display(), to.display());
    std::fs::copy(from, to).map(drop).map_err(Error::io(what))
}
