//! The logs of all services of a node.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use crux_crdt::name::ServiceName;
use tokio::sync::Notify;

use super::disk::path_of;
use super::service::{Budget, Notice, RETRY_AFTER, ServiceLog, lock};
use crate::clock;

/// The size of a service's log if its config does not say: 40 MiB in all (`log_max`).
pub const LOG_MAX: u64 = 40 << 20;

/// How many logs of removed services are kept, for those who look why they were removed. From then on the oldest go, so
/// that names that were used once do not fill the disk.
pub const REMOVED_MAX: usize = 16;

/// Where a log is while it is being removed. No service has this name.
const ASIDE: &str = ".removed";

/// A file that is missing is no error.
fn gone(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// The logs below a directory, one subdirectory a service.
#[derive(Debug)]
pub struct Logs {
    dir: PathBuf,
    services: Mutex<BTreeMap<ServiceName, Arc<ServiceLog>>>,
    budget: Budget,
    /// Services with lines to be written.
    dirty: Mutex<VecDeque<ServiceName>>,
    wake: Notify,
    /// Held by the one that removes logs.
    pruning: Mutex<()>,
}

impl Logs {
    /// Logs below `dir`, which is made with the first of them.
    pub fn new(dir: PathBuf) -> Self {
        let (services, budget, dirty, pruning) = Default::default();
        Self { dir, services, budget, dirty, wake: Notify::new(), pruning }
    }

    /// The log of a service, begun if there is none. It keeps to `log_max` bytes from now on.
    ///
    /// # Errors
    /// Those of the system: its directory cannot be made or read.
    pub fn service(&self, name: &ServiceName, log_max: u64) -> io::Result<Arc<ServiceLog>> {
        let mut services = lock(&self.services);
        if let Some(log) = services.get(name) {
            log.set_max(log_max);
            log.set_over(false);
            return Ok(log.clone());
        }
        self.open(&mut services, name, log_max)
    }

    /// The log of a service, if this picket has opened it. Changes nothing about it.
    pub fn get(&self, name: &ServiceName) -> Option<Arc<ServiceLog>> {
        lock(&self.services).get(name).cloned()
    }

    /// The log that a removed service left, if it is still kept.
    ///
    /// # Errors
    /// Those of the system: its directory cannot be read.
    pub fn left(&self, name: &ServiceName) -> io::Result<Option<Arc<ServiceLog>>> {
        let mut services = lock(&self.services);
        if let Some(log) = services.get(name) {
            return Ok(Some(log.clone()));
        }
        if !self.dir.join(name.as_str()).is_dir() {
            return Ok(None);
        }
        let log = self.open(&mut services, name, LOG_MAX)?;
        log.set_over(true);
        Ok(Some(log))
    }

    fn open(
        &self,
        services: &mut BTreeMap<ServiceName, Arc<ServiceLog>>,
        name: &ServiceName,
        log_max: u64,
    ) -> io::Result<Arc<ServiceLog>> {
        let dir = self.dir.join(name.as_str());
        let log = ServiceLog::open(&dir, log_max, self.budget.clone(), clock::now().at)?;
        let log = Arc::new(log);
        services.insert(name.clone(), log.clone());
        Ok(log)
    }

    /// A service is removed: those who follow its log come to its end.
    pub fn end(&self, name: &ServiceName) {
        if let Some(log) = self.get(name) {
            log.set_over(true);
        }
    }

    /// The same for all services but these. Whether the log of another one is open: [`Logs::prune`] closes it.
    pub fn end_others(&self, services: &BTreeSet<ServiceName>) -> bool {
        let open = lock(&self.services);
        let others = open.iter().filter(|(name, _)| !services.contains(*name));
        others.inspect(|(_, log)| log.set_over(true)).count() > 0
    }

    /// Closes the logs of removed services, unless somebody writes or reads them, and removes all but the [`REMOVED_MAX`]
    /// that were written last. Waits for the disk.
    ///
    /// # Errors
    /// Those of the system: a file cannot be removed.
    pub fn prune(&self, services: &BTreeSet<ServiceName>) -> io::Result<()> {
        let _alone = lock(&self.pruning);
        self.close_others(services);
        // A picket may have ended while it removed this.
        gone(fs::remove_dir_all(self.dir.join(ASIDE)))?;
        let entries = match fs::read_dir(&self.dir) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        let mut left = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_str().and_then(|name| name.parse().ok());
            let Some(name) = name.filter(|name| !services.contains(name)) else { continue };
            if entry.file_type()?.is_dir() {
                let path = entry.path();
                let written = fs::metadata(path_of(&path, 0)).or_else(|_| fs::metadata(&path));
                let written = written.and_then(|meta| meta.modified());
                left.push((written.unwrap_or(SystemTime::UNIX_EPOCH), name));
            }
        }
        left.sort();
        left.iter().rev().skip(REMOVED_MAX).try_for_each(|(_, name)| self.remove(name))
    }

    fn close_others(&self, services: &BTreeSet<ServiceName>) {
        let all: Vec<_> = {
            let open = lock(&self.services);
            let others = open.iter().filter(|(name, log)| {
                !services.contains(*name) && log.is_over() && Arc::strong_count(log) == 1
            });
            others.map(|(name, log)| (name.clone(), Arc::clone(log))).collect()
        };
        for (name, log) in all {
            log.flush(clock::now());
            let mut open = lock(&self.services);
            // This one and the map's. Lines that a full disk refuses wait for the next time.
            if Arc::strong_count(&log) == 2 && log.is_over() && log.is_written() {
                open.remove(&name);
            }
        }
    }

    /// Removes a log's files, unless it is open: then somebody reads or writes it, or there is a service of that name
    /// again.
    fn remove(&self, name: &ServiceName) -> io::Result<()> {
        let aside = self.dir.join(ASIDE);
        {
            let open = lock(&self.services);
            if open.contains_key(name) {
                return Ok(());
            }
            // At once, so that a service of that name begins with a log of its own.
            gone(fs::rename(self.dir.join(name.as_str()), &aside))?;
        }
        gone(fs::remove_dir_all(&aside))
    }

    /// Has lines of a service be written soon. Never blocks.
    pub fn kick(&self, name: &ServiceName) {
        let mut dirty = lock(&self.dirty);
        // At most one for each service: the queue is as bounded as they are.
        if !dirty.contains(name) {
            dirty.push_back(name.clone());
            self.wake.notify_one();
        }
    }

    /// Writes what waits, for ever: a part of the picket. One thread of the runtime's blocking pool is
    /// used while there is something to write.
    ///
    /// # Panics
    /// If a write panics: a bug.
    pub async fn write(self: Arc<Self>, mut tell: impl FnMut(&ServiceName, Notice)) {
        let mut refused: VecDeque<ServiceName> = VecDeque::new();
        loop {
            let next = lock(&self.dirty).pop_front();
            let Some(name) = next else {
                let pause = if refused.is_empty() { Duration::MAX } else { RETRY_AFTER };
                if tokio::time::timeout(pause, self.wake.notified()).await.is_err() {
                    refused.drain(..).for_each(|name| self.kick(&name));
                }
                continue;
            };
            let Some(log) = lock(&self.services).get(&name).cloned() else { continue };
            let writing = log.clone();
            let written = tokio::task::spawn_blocking(move || writing.flush(clock::now()));
            match written.await {
                Ok(Some(notice)) => tell(&name, notice),
                Ok(None) => {}
                Err(failed) => match failed.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // The runtime shuts down.
                    Err(_) => return,
                },
            }
            if log.retry_at().is_some() && !refused.contains(&name) {
                refused.push_back(name);
            }
        }
    }

    /// Writes what waits, now and in this thread: before the process ends.
    pub fn flush(&self) {
        let all: Vec<_> = lock(&self.services).values().cloned().collect();
        for log in all {
            log.flush(clock::now());
        }
    }
}
