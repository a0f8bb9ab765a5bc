//! Reads and replaces the file.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crux_crdt::service::SERVICES_MAX;
use crux_protocol::picket::Desired;
use serde_json::error::Category;
use tracing::warn;

use super::error::DesiredError;
use super::written::{BYTES_MAX, FORMAT, FORMAT_OLDEST, File, Header};
use crate::crash::Write;
use crate::durable::{self, Sync};

/// The file's name in the picket's directory.
const NAME: &str = "desired.json";
/// The mark's: which generation was written last. It tells a node that never had services from one whose
/// file is lost.
const MARK: &str = "desired.mark";

/// The file, with the generation that is in it. One picket has it: the data directory is locked.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    mark: PathBuf,
    generation: u64,
    is_marked: bool,
}

impl Store {
    /// Opens the file in the picket's directory, which exists, and reads it. Without file and mark: no
    /// services, generation 0.
    ///
    /// # Errors
    /// [`DesiredError`]. Nothing was changed.
    pub fn open(dir: &Path) -> Result<(Self, Desired), DesiredError> {
        let (path, mark) = (dir.join(NAME), dir.join(MARK));
        // The picket before may have ended between the rename and its flush. Acted upon, the file must outlive a loss
        // of power.
        if let Err(error) = durable::sync_parent(&path) {
            warn!(%error, path = %path.display(), "the service config is read, and may not be durable yet");
        }
        let last = read_mark(&mark)?;
        let Some(bytes) = read(&path)? else {
            if last.is_some() {
                return Err(DesiredError::Missing(path));
            }
            let store = Self { path, mark, generation: 0, is_marked: false };
            return Ok((store, Desired::default()));
        };
        let desired = parse(&path, &bytes)?;
        let found = desired.generation;
        if let Some(last) = last.filter(|last| *last > found) {
            return Err(DesiredError::OldFile { path, found, last });
        }
        let store = Self { path, mark, generation: found, is_marked: last.is_some() };
        Ok((store, desired))
    }

    /// The generation that is on the disk.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Replaces the file, and returns once it would outlive a loss of power.
    ///
    /// # Errors
    /// [`DesiredError::OldGeneration`], [`DesiredError::TooMany`], [`DesiredError::TooLarge`], or
    /// [`DesiredError::Io`], as of a full disk.
    pub fn write(&mut self, desired: &Desired) -> Result<(), DesiredError> {
        let (found, last) = (desired.generation, self.generation);
        if found <= last {
            return Err(DesiredError::OldGeneration { found, last });
        }
        let services = desired.services.len().max(desired.accepted.blocked.len());
        if services > SERVICES_MAX {
            return Err(DesiredError::TooMany(services));
        }
        let io = |path: &Path, source| DesiredError::Io { path: path.to_owned(), source };
        // No value of it fails to be written; if one did, nothing would have been changed.
        let mut bytes = serde_json::to_vec_pretty(&File::from(desired))
            .map_err(|err| io(&self.path, err.into()))?;
        bytes.push(b'\n');
        if bytes.len() as u64 > BYTES_MAX {
            return Err(DesiredError::TooLarge(bytes.len() as u64));
        }
        durable::write(Write::Desired, &self.path, &bytes, Sync::Disk)
            .map_err(|err| io(&self.path, err))?;
        self.generation = found;
        self.write_mark();
        Ok(())
    }

    /// The first mark is durable. Later ones need not be: an older one is right as well. So a mark that
    /// cannot be written is written with the next change.
    fn write_mark(&mut self) {
        let sync = if self.is_marked { Sync::Memory } else { Sync::Disk };
        let text = format!("{}\n", self.generation);
        let written = durable::write(Write::DesiredMark, &self.mark, text.as_bytes(), sync);
        self.is_marked |= written.is_ok();
    }
}

/// The generation in the mark; 0 if a loss of power took its content; none without a mark.
fn read_mark(path: &Path) -> Result<Option<u64>, DesiredError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.strip_suffix('\n').and_then(|it| it.parse().ok()).unwrap_or(0))),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(err) if err.kind() == io::ErrorKind::InvalidData => Ok(Some(0)),
        Err(source) => Err(DesiredError::Io { path: path.to_owned(), source }),
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, DesiredError> {
    let mut bytes = Vec::new();
    let read =
        fs::File::open(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes));
    match read {
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(DesiredError::Io { path: path.to_owned(), source }),
        Ok(_) if bytes.len() as u64 > BYTES_MAX => Err(DesiredError::TooLarge(bytes.len() as u64)),
        Ok(_) => Ok(Some(bytes)),
    }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Desired, DesiredError> {
    let path = || path.to_owned();
    let refused = |err: serde_json::Error| match err.classify() {
        Category::Eof => DesiredError::Short { path: path(), line: err.line() },
        _ => {
            let (line, column) = (err.line(), err.column());
            let text = err.to_string();
            // The place is said in our words.
            let reason = text.split(" at line ").next().unwrap_or(&text).to_owned();
            DesiredError::Damaged { path: path(), line, column, reason }
        }
    };
    if bytes.trim_ascii().is_empty() {
        return Err(DesiredError::Short { path: path(), line: 0 });
    }
    let Header { format } = serde_json::from_slice(bytes).map_err(refused)?;
    if !(FORMAT_OLDEST..=FORMAT).contains(&format) {
        return Err(DesiredError::Format { path: path(), found: format });
    }
    let file: File = serde_json::from_slice(bytes).map_err(refused)?;
    if file.services() > SERVICES_MAX {
        return Err(DesiredError::TooMany(file.services()));
    }
    let wrong = |(service, reason)| DesiredError::Wrong { path: path(), service, reason };
    file.into_desired().map_err(wrong)
}
