//! The logs of all services of a node.

use std::collections::{BTreeMap, VecDeque};
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
        let mut services = lock(&self.services);
        if let Some(log) = services.get(name) {
            log.set_max(log_max);
            return Ok(log.clone());
        }
        let dir = self.dir.join(name.as_str());
        let log = ServiceLog::open(&dir, log_max, self.budget.clone(), clock::now().at)?;
        let log = Arc::new(log);
        services.insert(name.clone(), log.clone());
        Ok(log)
    }

    /// Removes a service's log with its files. What its instances still write is lost.
    ///
    /// # Errors
    /// What the system says: a file cannot be removed.
    pub fn remove(&self, name: &ServiceName) -> io::Result<()> {
        lock(&self.services).remove(name);
        match fs::remove_dir_all(self.dir.join(name.as_str())) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
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
