//! The logs of all services of a node.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crux_crdt::name::ServiceName;
use tokio::sync::Notify;

use super::service::{Budget, Notice, RETRY_AFTER, ServiceLog, lock};
use crate::clock;

/// What a service's log has in all if its config does not say: 40 MiB (`log_max`).
pub const LOG_MAX: u64 = 40 << 20;

/// How many services that were removed keep their logs: a person may want to see why one was. From then on the oldest
/// go, so that names that were used once do not fill the disk.
pub const REMOVED_KEPT: usize = 8;

/// What is not there is gone.
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
}

impl Logs {
    /// Logs below `dir`, which is made with the first of them.
    pub fn new(dir: PathBuf) -> Self {
        let (services, budget, dirty) = Default::default();
        Self { dir, services, budget, dirty, wake: Notify::new() }
    }

    /// The log of a service, begun if there is none. It keeps to `log_max` bytes from now on.
    ///
    /// # Errors
    /// What the system says: its directory cannot be made or read.
    pub fn service(&self, name: &ServiceName, log_max: u64) -> io::Result<Arc<ServiceLog>> {
        let log = self.of(name)?;
        log.set_max(log_max);
        Ok(log)
    }

    /// The same with the bound that it has: for those who read it.
    ///
    /// # Errors
    /// What the system says: its directory cannot be made or read.
    pub fn of(&self, name: &ServiceName) -> io::Result<Arc<ServiceLog>> {
        let mut services = lock(&self.services);
        if let Some(log) = services.get(name) {
            return Ok(log.clone());
        }
        let dir = self.dir.join(name.as_str());
        let log = ServiceLog::open(&dir, LOG_MAX, self.budget.clone(), clock::now().at)?;
        let log = Arc::new(log);
        services.insert(name.clone(), log.clone());
        Ok(log)
    }

    /// Whether a log is open that is none of these.
    pub fn has_others(&self, wanted: &BTreeSet<ServiceName>) -> bool {
        lock(&self.services).keys().any(|name| !wanted.contains(name))
    }

    /// Closes the logs of services that are not `wanted`, unless somebody writes or reads them, and removes the files
    /// of all but the [`REMOVED_KEPT`] of those services that wrote last. Waits for the disk.
    ///
    /// # Errors
    /// What the system says: a file cannot be removed.
    pub fn prune(&self, wanted: &BTreeSet<ServiceName>) -> io::Result<()> {
        self.close_others(wanted);
        let mut left = Vec::new();
        let entries = match fs::read_dir(&self.dir) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_str().and_then(|name| name.parse().ok());
            let Some(name) = name.filter(|name| !wanted.contains(name)) else { continue };
            let written = fs::metadata(entry.path().join("current")).and_then(|of| of.modified());
            left.push((written.unwrap_or(std::time::UNIX_EPOCH), name));
        }
        left.sort();
        left.iter().rev().skip(REMOVED_KEPT).try_for_each(|(_, name)| self.remove(name))
    }

    fn close_others(&self, wanted: &BTreeSet<ServiceName>) {
        let others = |services: &BTreeMap<ServiceName, Arc<ServiceLog>>| {
            let others = services
                .iter()
                .filter(|(name, log)| !wanted.contains(*name) && Arc::strong_count(log) == 1);
            others.map(|(name, log)| (name.clone(), Arc::clone(log))).collect::<Vec<_>>()
        };
        let all = others(&lock(&self.services));
        for (name, log) in all {
            log.flush(clock::now());
            let mut services = lock(&self.services);
            // This one and the map's. What a full disk refuses waits for the next time.
            if Arc::strong_count(&log) == 2 && log.is_written() {
                services.remove(&name);
            }
        }
    }

    /// Removes a log's files, unless it is open.
    fn remove(&self, name: &ServiceName) -> io::Result<()> {
        // The name of no service.
        let aside = self.dir.join(".removed");
        gone(fs::remove_dir_all(&aside))?;
        {
            let services = lock(&self.services);
            if services.contains_key(name) {
                return Ok(());
            }
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
