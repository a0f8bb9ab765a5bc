//! Checks by command: each run is a program of its own below a keeper of its own, as the service's user, in its
//! environment and its directory.
//!
//! A run that is given up kills its keeper's tree. One that is left over by a picket that ended is found by the next,
//! as every instance is, and killed: its record has no detail.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crux_protocol::picket::{Record, Version};

use super::environ::{PATH, filled, spec};
use super::words::Words;
use super::work::Begin;
use crate::check::{Ran, Runner};
use crate::handle::{Ended, Keeper, Message, Polled, Start};
use crate::image::Image;
use crate::record;
use crate::tree::Process;

/// The keepers of runs: children of this process that are no orphans.
#[derive(Debug, Default)]
pub(super) struct Runs(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    starting: u32,
    running: BTreeSet<Process>,
}

impl Runs {
    /// All keepers of runs; none: one is being started, and is not known yet.
    pub(super) fn known(&self) -> Option<BTreeSet<Process>> {
        let known = self.lock();
        (known.starting == 0).then(|| known.running.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs the commands of checks of one instance.
pub(super) struct Exec {
    pub(super) begin: Arc<Begin>,
    pub(super) record: Record,
    pub(super) version: Arc<Version>,
    pub(super) runs: Arc<Runs>,
}

impl std::fmt::Debug for Exec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exec").field("instance", &self.record.instance).finish_non_exhaustive()
    }
}

impl Runner for Exec {
    fn run<'a>(
        &'a self,
        command: &'a [String],
    ) -> Pin<Box<dyn Future<Output = Result<Ran, String>> + Send + 'a>> {
        Box::pin(async move {
            let (begin, record) = (Arc::clone(&self.begin), self.record.clone());
            let (version, runs) = (Arc::clone(&self.version), Arc::clone(&self.runs));
            let command = command.to_vec();
            let started = tokio::task::spawn_blocking(move || {
                start(&begin, &record, &version, &command, runs)
            });
            let mut run = started.await.map_err(|err| err.to_string())??;
            run.until_gone().await
        })
    }
}

/// A run.
struct Run {
    dir: PathBuf,
    keeper: Polled,
    runs: Arc<Runs>,
}

fn start(
    begin: &Begin,
    record: &Record,
    version: &Version,
    command: &[String],
    runs: Arc<Runs>,
) -> Result<Run, String> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let (around, user) = begin.around(version, record)?;
    let command = filled(command, record, around.as_around());
    let program = find(command.first().map_or("", String::as_str), version);
    let program = program.ok_or_else(|| "the command is not found in PATH".to_owned())?;
    // A program in the system's directories is as safe there as a copy of it would be.
    let image = Image::of_path(&program).map_err(|err| err.to_string())?;
    let mut program = spec(version, record, user, around.as_around());
    program.argv = command;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let instance = format!("{}.{number}", record.instance);
    let dir = begin.places.instances().join(&instance);
    runs.lock().starting += 1;
    let started = Keeper::start(Start {
        dir: dir.clone(),
        instance,
        detail: serde_json::Value::Null,
        image: &image,
        program,
        orphan_time: std::time::Duration::ZERO,
        grace: std::time::Duration::ZERO,
    });
    let mut known = runs.lock();
    known.starting -= 1;
    match started {
        Ok(keeper) => {
            known.running.extend(keeper.process());
            drop(known);
            let keeper = Polled::new(keeper).map_err(|err| err.to_string())?;
            Ok(Run { dir, keeper, runs })
        }
        Err(err) => {
            record::remove(&dir).ok();
            Err(err.to_string())
        }
    }
}

impl Run {
    async fn until_gone(&mut self) -> Result<Ran, String> {
        let (mut words, mut failed, mut ended) = (Words::default(), None, None);
        loop {
            let message = tokio::select! {
                message = self.keeper.message() => message.map_err(|err| err.to_string())?,
                () = words.read() => continue,
            };
            match message {
                Message::Started { output: Some(output), .. } => {
                    words = Words::new(output).map_err(|err| err.to_string())?;
                }
                Message::Failed { text } => failed = Some(text),
                Message::Exited(exit) => {
                    ended = Some(exit);
                    self.keeper.keeper().kill();
                }
                Message::Gone { .. } => break,
                Message::Started { output: None, .. }
                | Message::Stuck { .. }
                | Message::Adopted { .. } => {}
            }
        }
        match (ended, failed) {
            (Some(exit), _) => {
                let (code, signal) = match exit.ended {
                    Ended::Code(code) => (Some(code), None),
                    Ended::Signal(signal) => (None, Some(signal)),
                };
                Ok(Ran { code, signal, output: words.last() })
            }
            (None, Some(text)) => Err(text),
            (None, None) => Err("its keeper was killed".to_owned()),
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let keeper = self.keeper.keeper();
        keeper.kill();
        if let Some(process) = keeper.process() {
            self.runs.lock().running.remove(&process);
        }
        record::remove(&self.dir).ok();
    }
}

/// The file of a command: an absolute path, or a name in the PATH that the service has.
fn find(command: &str, version: &Version) -> Option<PathBuf> {
    if command.starts_with('/') {
        return Some(command.into());
    }
    let path = version.config.env.get("PATH").map_or(PATH, String::as_str);
    let mut all =
        path.split(':').filter(|dir| dir.starts_with('/')).map(|dir| Path::new(dir).join(command));
    all.find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
