//! Checks by command: each run is a program of its own below a keeper of its own, as the service's user, in its
//! environment and its directory.
//!
//! A run that is given up kills its keeper's tree. Nothing of a run is written anywhere, so that a full disk fails no
//! check; when the picket ends, its keeper ends it at once.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crux_protocol::picket::{Record, Version};

use super::begin::Begin;
use super::environ::{PATH, filled, spec};
use super::words::{PRINTED_MAX, Words};

use crate::check::{NotRun, Ran, Runner};
use crate::handle::{Ended, Keeper, Message, Polled, Start, StartError};
use crate::image::Image;

/// Runs the commands of checks of one instance.
pub(super) struct Exec {
    pub(super) begin: Arc<Begin>,
    pub(super) record: Record,
    pub(super) version: Arc<Version>,
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
    ) -> Pin<Box<dyn Future<Output = Result<Ran, NotRun>> + Send + 'a>> {
        Box::pin(async move {
            let (begin, record) = (Arc::clone(&self.begin), self.record.clone());
            let (version, command) = (Arc::clone(&self.version), command.to_vec());
            let started =
                tokio::task::spawn_blocking(move || start(&begin, &record, &version, &command));
            let started = started.await.map_err(|err| NotRun::Node(err.to_string()))??;
            let run = Run { keeper: Polled::new(started).map_err(unwatched)? };
            run.until_gone().await
        })
    }
}

/// A keeper that cannot be waited for.
fn unwatched((keeper, err): (Keeper, io::Error)) -> NotRun {
    keeper.kill();
    NotRun::Node(err.to_string())
}

/// A run, which ends when it is dropped.
struct Run {
    keeper: Polled,
}

fn start(
    begin: &Begin,
    record: &Record,
    version: &Version,
    command: &[String],
) -> Result<Keeper, NotRun> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let (around, user) = begin.around(version, record).map_err(NotRun::Node)?;
    let mut program = spec(version, record, user, around.as_around());
    program.argv = filled(command, record, around.as_around());
    let found = find(program.argv.first().map_or("", String::as_str), version);
    let found = found.ok_or_else(|| NotRun::of_command("the command is not found in PATH"))?;
    // A program in the system's directories is as safe there as a copy of it would be.
    let image = Image::of_path(&found).map_err(|err| match err.is_of_node() {
        true => NotRun::Node(err.to_string()),
        false => NotRun::Command(err.to_string()),
    })?;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let started = Keeper::start_passing(Start {
        dir: PathBuf::new(),
        instance: format!("{}.{number}", record.instance),
        detail: serde_json::Value::Null,
        image: &image,
        program,
        orphan_time: Duration::ZERO,
        grace: Duration::ZERO,
    });
    started.map_err(|err| match err {
        StartError::Unusable(_) | StartError::Spec(_) => NotRun::Command(err.to_string()),
        StartError::Record(_) | StartError::Io { .. } => NotRun::Node(err.to_string()),
    })
}

impl Run {
    async fn until_gone(mut self) -> Result<Ran, NotRun> {
        let (mut words, mut failed, mut ended) = (Words::default(), None, None);
        loop {
            let message = tokio::select! {
                message = self.keeper.message() => message,
                () = words.too_many() => {
                    return Err(NotRun::Command(format!("it printed more than {PRINTED_MAX} bytes")));
                }
            };
            match message.map_err(|err| NotRun::Node(err.to_string()))? {
                Message::Started { output: Some(output), .. } => {
                    words = Words::new(output).map_err(|err| NotRun::Node(err.to_string()))?;
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
            (None, Some(text)) => Err(NotRun::Command(text)),
            (None, None) => Err(NotRun::of_command("its keeper was killed")),
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.keeper.keeper().kill();
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
