//! One node as a child process.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crux_picket::record::Record;
use crux_picket::tree::{Process, Snapshot};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};

use super::command::{HOMES, node_variables};
use super::{NODE_VERB, NodeClient, NodeSpec, PortBlock, procfs};
use crate::Error;
use crate::wait::{self, Seen};

/// How many lines of a log are shown when a node dies.
const TAIL_LINES: usize = 20;

/// How long a process may take to end that was killed, or whose picket was.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// How long the node may take to answer a request that changes a service.
const SERVICE_WITHIN: Duration = Duration::from_secs(60);

/// A node: what it is started with, and its processes when it runs.
///
/// ```text
/// picket            the process that is started here, whose end is the node's
///  ├─ fulcrum       the database and the sockets; the picket starts it again
///  └─ keeper        one per instance of a service: it outlives the picket for half a minute
///      └─ program
/// ```
///
/// The picket is reaped only through this value, so its number cannot be reused while signals may
/// still be sent to it. Dropping kills all of them.
#[derive(Debug)]
pub struct NodeProcess {
    exe: PathBuf,
    spec: NodeSpec,
    client: NodeClient,
    /// Keeps its port free while it is down.
    _ports: PortBlock,
    child: Option<Child>,
}

impl NodeProcess {
    /// A node that does not run yet. `exe` is this program. Must be called inside a runtime.
    #[must_use]
    pub fn new(exe: PathBuf, spec: NodeSpec, ports: PortBlock) -> Self {
        let client = NodeClient::new(&spec.name, &spec.data_dir);
        Self { exe, spec, client, _ports: ports, child: None }
    }

    /// The name given to it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// The settings that it is started with.
    #[must_use]
    pub fn spec(&self) -> &NodeSpec {
        &self.spec
    }

    /// The settings of its next start.
    pub fn spec_mut(&mut self) -> &mut NodeSpec {
        &mut self.spec
    }

    /// A client of it; calls fail while it does not run.
    #[must_use]
    pub fn client(&self) -> &NodeClient {
        &self.client
    }

    /// Whether it was started and not stopped or killed since. It may have died by itself.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.child.is_some()
    }

    /// The number of the process that was started, while it is: the picket, whose end is the node's.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.child.as_ref().map(Pid::from_child)
    }

    /// The number of the process below that, which holds the database and the sockets; none while there is
    /// none, or where the node is one process.
    #[must_use]
    pub fn fulcrum(&self) -> Option<Pid> {
        procfs::children(self.pid()?)
            .into_iter()
            .find(|pid| procfs::is_called_with(*pid, "fulcrum"))
    }

    /// A client for requests that change services, which may wait until they are up.
    #[must_use]
    pub fn services(&self) -> NodeClient {
        NodeClient::waiting(&self.spec.name, &self.spec.data_dir, SERVICE_WITHIN)
    }

    /// The numbers of its processes, the picket first. Not those of its services.
    #[must_use]
    pub fn pids(&self) -> Vec<Pid> {
        self.pid().into_iter().chain(self.fulcrum()).collect()
    }

    /// The CPU time that its processes used so far; none while it is not started.
    #[must_use]
    pub fn cpu_time(&self) -> Option<Duration> {
        self.pid()?;
        self.pids().into_iter().map(procfs::cpu_time).sum()
    }

    /// Resident memory of its processes together, in bytes: what both map of the program counts twice.
    #[must_use]
    pub fn resident_bytes(&self) -> Option<u64> {
        self.pid()?;
        self.pids().into_iter().map(procfs::resident_bytes).sum()
    }

    /// Starts it. Does nothing if it is started.
    ///
    /// It gets a process group of its own, so that Ctrl-C in a terminal reaches only the testnet,
    /// which then stops its nodes in order.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be started.
    pub fn start(&mut self) -> Result<(), Error> {
        if self.child.is_some() {
            return Ok(());
        }
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.spec.log)
            .map_err(Error::io(format!("open {}", self.spec.log.display())))?;
        let errors = log.try_clone().map_err(Error::io("share the log file"))?;
        let mut command = Command::new(&self.exe);
        command.arg(NODE_VERB).args(self.spec.run_args());
        command.stdin(Stdio::piped()).stdout(log).stderr(errors).process_group(0);
        for name in node_variables() {
            command.env_remove(name);
        }
        for name in HOMES.into_iter().filter(|_| !self.spec.is_listed) {
            command.env_remove(name);
        }
        let child = command.spawn().map_err(Error::io(format!("start {}", self.exe.display())))?;
        self.child = Some(child);
        Ok(())
    }

    /// How it ended, if it was started and has ended by itself since.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the system does not say.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>, Error> {
        let Some(child) = self.child.as_mut() else { return Ok(None) };
        child.try_wait().map_err(Error::io(format!("ask after {}", self.spec.name)))
    }

    /// Nothing, unless it was started and has ended by itself.
    ///
    /// # Errors
    ///
    /// [`Error::Died`] with the end of its log.
    pub fn check(&mut self) -> Result<(), Error> {
        match self.ended()? {
            Some(status) => Err(self.died(status)),
            None => Ok(()),
        }
    }

    /// The error that tells of its end.
    #[must_use]
    pub fn died(&self, status: ExitStatus) -> Error {
        Error::Died {
            name: self.spec.name.clone(),
            status,
            log: self.spec.log.clone(),
            tail: tail(&self.spec.log),
        }
    }

    /// Kills all its processes with SIGKILL, those of its services too, as the end of a machine does; returns
    /// once none of them runs. Processes that an earlier picket of it left behind are killed, too.
    ///
    /// Each is stopped before its children are looked for, so that it starts no more of them.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the system refuses, [`Error::WouldNotStop`] when one of them continues.
    pub fn kill(&mut self) -> Result<(), Error> {
        let picket = self.running()?;
        let (mut all, mut found) = (Vec::new(), self.processes(picket, &[]));
        while !found.is_empty() {
            for process in &found {
                process.signal(Signal::STOP);
            }
            all.append(&mut found);
            found = self.processes(picket, &all);
        }
        // The picket is killed and reaped below.
        for process in all.iter().filter(|it| Pid::from_raw(it.pid) != picket) {
            process.signal(Signal::KILL);
        }
        let all: Vec<Pid> = all.iter().filter_map(|it| Pid::from_raw(it.pid)).collect();
        self.kill_picket()?;
        self.until_gone(&all)
    }

    /// Kills its picket with SIGKILL and reaps it; the fulcrum ends with it, services go on. Does nothing if it
    /// is not started.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the system refuses, [`Error::WouldNotStop`] when the fulcrum continues.
    pub fn kill_picket(&mut self) -> Result<(), Error> {
        let fulcrum = self.fulcrum();
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let name = &self.spec.name;
        child.kill().map_err(Error::io(format!("kill {name}")))?;
        child.wait().map_err(Error::io(format!("reap {name}")))?;
        // The system kills it with the picket, and not in the same moment.
        self.until_gone(fulcrum.as_slice())
    }

    /// Kills its fulcrum with SIGKILL and returns once that does not run: its picket starts it again.
    ///
    /// # Errors
    ///
    /// [`Error::NotRunning`] where there is none, [`Error::Io`] when the system refuses,
    /// [`Error::WouldNotStop`] when it continues.
    pub fn kill_fulcrum(&self) -> Result<(), Error> {
        let name = format!("the fulcrum of {}", self.spec.name);
        let Some(pid) = self.fulcrum() else { return Err(Error::NotRunning(name)) };
        kill_process(pid, Signal::KILL)
            .map_err(|errno| Error::io(format!("kill {name}"))(errno.into()))?;
        self.until_gone(&[pid])
    }

    /// The keepers of its services, also those that an earlier picket of it started: by the records that pickets
    /// keep.
    #[must_use]
    pub fn keepers(&self) -> Vec<Process> {
        let dirs = std::fs::read_dir(self.spec.data_dir.join("picket/i")).into_iter().flatten();
        // One that is not whole is of an instance that was not started.
        let records = dirs.flatten().filter_map(|dir| Record::read(&dir.path()).ok());
        let of_this_boot = records.filter(|record| record.is_of_this_boot().is_ok_and(|is| is));
        of_this_boot.filter_map(|record| record.keeper).filter(|it| it.is_alive()).collect()
    }

    /// The picket, the keepers and what is below any of these, but those that are `known`.
    fn processes(&self, picket: Option<Pid>, known: &[Process]) -> Vec<Process> {
        let all = Snapshot::take();
        let picket = picket.and_then(|pid| Process::now(pid.as_raw_nonzero().get()));
        let heads = picket.into_iter().chain(self.keepers());
        let below = known.iter().flat_map(|it| all.children(it.pid)).map(|stat| stat.process);
        let found: BTreeSet<_> = heads.chain(below).filter(|it| !known.contains(it)).collect();
        found.into_iter().collect()
    }

    /// The number of its picket, if that has not ended.
    fn running(&mut self) -> Result<Option<Pid>, Error> {
        Ok(if self.ended()?.is_none() { self.pid() } else { None })
    }

    /// Waits until none of these runs, which were killed.
    fn until_gone(&self, pids: &[Pid]) -> Result<(), Error> {
        let begun = Instant::now();
        while let Some(pid) = pids.iter().find(|pid| procfs::is_running(**pid)) {
            if begun.elapsed() > ENDS_WITHIN {
                let name = format!("process {} of {}", pid.as_raw_nonzero(), self.spec.name);
                return Err(Error::WouldNotStop { name, within: ENDS_WITHIN });
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Sends SIGKILL to its picket and returns at once, for a clock that runs; [`NodeProcess::until_ended`] reaps.
    ///
    /// # Errors
    ///
    /// [`Error::NotRunning`], or [`Error::Io`] when the system refuses.
    pub fn strike(&self) -> Result<(), Error> {
        self.signal(Signal::KILL)
    }

    /// Stops its processes with SIGSTOP: it keeps its sockets and answers nothing.
    ///
    /// # Errors
    ///
    /// [`Error::NotRunning`], or [`Error::Io`] when the system refuses.
    pub fn pause(&self) -> Result<(), Error> {
        // The picket first: it is to notice nothing.
        self.signal(Signal::STOP)?;
        self.signal_fulcrum(Signal::STOP)
    }

    /// Lets them go on with SIGCONT.
    ///
    /// # Errors
    ///
    /// [`Error::NotRunning`], or [`Error::Io`] when the system refuses.
    pub fn resume(&self) -> Result<(), Error> {
        self.signal_fulcrum(Signal::CONT)?;
        self.signal(Signal::CONT)
    }

    /// Takes away its disk, or gives it back: no file that it writes may then grow beyond `bytes`.
    ///
    /// It is the soft limit that is set, which needs no privileges either way. A new process has the
    /// limit of this one.
    ///
    /// # Errors
    ///
    /// [`Error::NotRunning`], or [`Error::Io`] when the system refuses.
    pub fn limit_files(&self, bytes: Option<u64>) -> Result<(), Error> {
        let name = &self.spec.name;
        self.pid().ok_or_else(|| Error::NotRunning(name.clone()))?;
        let refused = |errno: rustix::io::Errno| {
            Error::io(format!("limit the files of {name}"))(errno.into())
        };
        let maximum = getrlimit(Resource::Fsize).maximum;
        let limit = Rlimit { current: bytes.or(maximum), maximum };
        // A fulcrum that is started later has the picket's.
        self.pids().into_iter().try_for_each(|pid| {
            prlimit(Some(pid), Resource::Fsize, limit).map(drop).map_err(refused)
        })
    }

    /// Leaves its fulcrum so many bytes of address space beyond the most that it ever had. Returns the limit.
    ///
    /// # Errors
    ///
    /// [`Error::NotRunning`], or [`Error::Io`] when the system refuses.
    pub fn limit_address_space(&self, spare: u64) -> Result<u64, Error> {
        let name = &self.spec.name;
        let not_running = || Error::NotRunning(name.clone());
        let pid = self.fulcrum().or(self.pid()).ok_or_else(not_running)?;
        let (_, peak) = procfs::address_space(pid).ok_or_else(not_running)?;
        let maximum = getrlimit(Resource::As).maximum;
        let current = peak.saturating_add(spare);
        let limit = Rlimit { current: Some(current), maximum };
        prlimit(Some(pid), Resource::As, limit).map_err(|errno| {
            Error::io(format!("limit the address space of {name}"))(errno.into())
        })?;
        Ok(current)
    }

    /// Asks it to stop with SIGTERM, without waiting.
    ///
    /// # Errors
    ///
    /// [`Error::NotRunning`], or [`Error::Io`] when the system refuses.
    pub fn terminate(&self) -> Result<(), Error> {
        self.signal(Signal::TERM)
    }

    /// Closes its standard input, which is how it learns that its testnet is gone.
    pub fn close_stdin(&mut self) {
        if let Some(child) = self.child.as_mut() {
            drop(child.stdin.take());
        }
    }

    /// Waits until it has ended and reaps it.
    ///
    /// # Errors
    ///
    /// [`Error::NotRunning`] if it was not started, [`Error::TimedOut`] if it continues to run.
    pub async fn until_ended(&mut self, within: Duration) -> Result<ExitStatus, Error> {
        if self.child.is_none() {
            return Err(Error::NotRunning(self.spec.name.clone()));
        }
        let what = format!("{} has ended", self.spec.name);
        let status = wait::until(&what, within, async || {
            Ok(match self.ended()? {
                Some(status) => Seen::Done(status),
                None => Seen::NotYet("it runs".to_owned()),
            })
        })
        .await?;
        self.child = None;
        Ok(status)
    }

    /// Removes its database and keeps its key: a lost disk with a key that was kept elsewhere.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the file cannot be removed.
    pub fn wipe_database(&self) -> Result<(), Error> {
        let database = self.spec.database();
        std::fs::remove_file(&database).map_err(Error::io(format!("remove {}", database.display())))
    }

    /// Removes its data directory: a new container.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the directory cannot be removed.
    pub fn wipe_everything(&self) -> Result<(), Error> {
        let dir = &self.spec.data_dir;
        std::fs::remove_dir_all(dir).map_err(Error::io(format!("remove {}", dir.display())))
    }

    /// Its log so far, of all its starts.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read(&self.spec.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    fn signal_fulcrum(&self, signal: Signal) -> Result<(), Error> {
        let refused = Error::io(format!("signal the fulcrum of {}", self.spec.name));
        match self.fulcrum().map(|pid| kill_process(pid, signal)) {
            Some(Err(errno)) => Err(refused(errno.into())),
            Some(Ok(())) | None => Ok(()),
        }
    }

    fn signal(&self, signal: Signal) -> Result<(), Error> {
        let name = &self.spec.name;
        let pid = self.pid().ok_or_else(|| Error::NotRunning(name.clone()))?;
        kill_process(pid, signal).map_err(|errno| Error::io(format!("signal {name}"))(errno.into()))
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        // Nothing can be done about a refusal here; the closed pipe still stops the node.
        self.kill().ok();
    }
}

/// The last lines of a log file.
pub(crate) fn tail(log: &Path) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(TAIL_LINES);
    lines[from..].iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
