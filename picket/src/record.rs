//! `instance.json`: what a later picket needs to take over an instance.
//!
//! It is written before the keeper is started, and says so without one; again with the keeper's
//! identity before the keeper is told what to run. So a keeper that runs anything is in a record.
//!
//! The record is worth something only in the boot that wrote it: after a restart of the machine its
//! process ids name others. Whether a keeper holds the instance is told by its socket, not by an id:
//! the system connects nobody to a socket whose listener has ended.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustix::rand::{GetRandomFlags, getrandom};
use serde::{Deserialize, Serialize};

use crate::crash::{self, Write};
use crate::durable::{self, Sync};
use crate::tree::Process;

/// The record's name in the directory of an instance.
pub const RECORD: &str = "instance.json";
/// The keeper's socket in that directory.
pub const SOCKET: &str = "keeper.sock";
/// The form that this build writes and reads.
pub const VERSION: u32 = 1;
/// The largest record. Its detail is the picket's: image, ports and a few names.
pub const RECORD_MAX: u64 = 64 << 10;
/// The bytes of a token: it is guessed by nobody.
const TOKEN_BYTES: usize = 16;

/// The secret with which a picket proves to a keeper that it has read the record. Never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token(String);

impl Token {
    /// A random one.
    ///
    /// # Errors
    /// If the system gives no randomness.
    pub fn random() -> io::Result<Self> {
        use std::fmt::Write as _;

        let mut bytes = [0; TOKEN_BYTES];
        // So few bytes are given whole.
        getrandom(&mut bytes, GetRandomFlags::empty())?;
        let mut text = String::new();
        for byte in bytes {
            let _ = write!(text, "{byte:02x}");
        }
        Ok(Self(text))
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// One instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`VERSION`].
    pub version: u32,
    /// The boot in which it was written.
    pub boot: String,
    /// The id of the instance.
    pub instance: String,
    /// The token that the keeper wants to see.
    pub token: Token,
    /// The keeper; none while it has not been told what to run.
    pub keeper: Option<Process>,
    /// The facts that the picket wants to find again: service, revision, image, ports.
    pub detail: serde_json::Value,
    /// The program, once it is executed: with its keeper dead, the processes of its session are found by this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<Process>,
}

/// Why a record says nothing.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The directory has none: its instance ended, or was never started.
    #[error("{0} is missing: the instance was not started, or has ended")]
    Missing(PathBuf),
    /// It is not whole.
    #[error(
        "{path} is damaged ({reason}): nothing is adopted from it and nothing is signalled; a keeper \
         that still runs ends its program by itself"
    )]
    Cut {
        /// Which file.
        path: PathBuf,
        /// The mistake in it.
        reason: String,
    },
    /// Another build wrote it.
    #[error(
        "{path} has form {version}, and this build reads {known}; start the newer build again",
        known = VERSION
    )]
    Version {
        /// Which file.
        path: PathBuf,
        /// Its form.
        version: u64,
    },
    /// The detail is too large.
    #[error("the record of an instance would have {0} bytes, more than {max}", max = RECORD_MAX)]
    TooLarge(usize),
    /// The system refuses.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

impl Record {
    /// A record of this boot, with a token of its own and no keeper yet.
    ///
    /// # Errors
    /// If the system tells no boot or gives no randomness.
    pub fn new(instance: &str, detail: serde_json::Value) -> io::Result<Self> {
        let (boot, token) = (boot_id()?, Token::random()?);
        let instance = instance.to_owned();
        let (keeper, program) = (None, None);
        Ok(Self { version: VERSION, boot, instance, token, keeper, detail, program })
    }

    /// Reads the record of a directory.
    ///
    /// # Errors
    /// [`RecordError`]; a record of another boot is none, see [`Record::is_of_this_boot`].
    pub fn read(dir: &Path) -> Result<Self, RecordError> {
        let path = dir.join(RECORD);
        let mut bytes = Vec::new();
        let read = open(&path).and_then(|file| file.take(RECORD_MAX + 1).read_to_end(&mut bytes));
        match read {
            Err(err) if err.kind() == io::ErrorKind::NotFound => {
                return Err(RecordError::Missing(path));
            }
            Err(source) => return Err(RecordError::Io { path, source }),
            Ok(_) => {}
        }
        if bytes.len() as u64 > RECORD_MAX {
            return Err(RecordError::Cut { path, reason: "it is too large".to_owned() });
        }
        Self::parse(path, &bytes)
    }

    fn parse(path: PathBuf, bytes: &[u8]) -> Result<Self, RecordError> {
        let value: serde_json::Value = match serde_json::from_slice(bytes) {
            Ok(value) => value,
            Err(err) => return Err(RecordError::Cut { path, reason: err.to_string() }),
        };
        match value.get("version").and_then(serde_json::Value::as_u64) {
            Some(version) if version != u64::from(VERSION) => {
                return Err(RecordError::Version { path, version });
            }
            _ => {}
        }
        serde_json::from_value(value)
            .map_err(|err| RecordError::Cut { path, reason: err.to_string() })
    }

    /// Writes the record into a directory that is there.
    ///
    /// # Errors
    /// If it is too large, or the system refuses.
    pub fn write(&self, dir: &Path, sync: Sync) -> Result<(), RecordError> {
        let path = dir.join(RECORD);
        let bytes = serde_json::to_vec(self)
            .map_err(|err| RecordError::Io { path: path.clone(), source: err.into() })?;
        if bytes.len() as u64 > RECORD_MAX {
            return Err(RecordError::TooLarge(bytes.len()));
        }
        durable::write(Write::Record, &path, &bytes, sync)
            .map_err(|source| RecordError::Io { path, source })
    }

    /// Itself, if it is that of the directory's instance: a copy of a directory is not another instance.
    fn of(self, dir: &Path) -> Result<Self, RecordError> {
        if dir.file_name().is_some_and(|name| name == &*self.instance) {
            return Ok(self);
        }
        let reason = format!("it is that of {}, in another directory", self.instance);
        Err(RecordError::Cut { path: dir.join(RECORD), reason })
    }

    /// Whether its processes can still be there.
    ///
    /// # Errors
    /// If the system tells no boot.
    pub fn is_of_this_boot(&self) -> io::Result<bool> {
        Ok(self.boot == boot_id()?)
    }
}

/// Removes the directory of an instance of which nothing is left: the record first, so that a crash in
/// between leaves a directory without one.
///
/// # Errors
/// Those of the system; what is not there is removed already.
pub fn remove(dir: &Path) -> io::Result<()> {
    let gone = |done: io::Result<()>| match done {
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    };
    crash::point("record.remove.before");
    gone(fs::remove_file(dir.join(RECORD)))?;
    crash::point("record.remove.after");
    gone(fs::remove_dir_all(dir))
}

/// The instances below a directory, each with its record or what is wrong with it, in order of their
/// names.
///
/// # Errors
/// If the directory cannot be listed. One that is not there has none.
pub fn all(root: &Path) -> io::Result<Vec<(PathBuf, Result<Record, RecordError>)>> {
    let entries = match fs::read_dir(root) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut dirs = Vec::new();
    for entry in entries {
        let entry = entry?;
        // Anything else there is somebody's: a file that an editor left, `lost+found` of a file system.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            dirs.push(entry.path());
        }
    }
    dirs.sort();
    Ok(dirs
        .into_iter()
        .map(|dir| (dir.clone(), Record::read(&dir).and_then(|it| it.of(&dir))))
        .collect())
}

/// Opens a record, if it is a regular file: whatever else has its name holds nobody up.
fn open(path: &Path) -> io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;

    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is not a regular file")),
    }
}

/// Adds the program to the record of an instance that was started. It waits for no disk.
///
/// # Errors
/// [`RecordError`]
pub fn note_program(dir: &Path, program: Process) -> Result<(), RecordError> {
    let mut record = Record::read(dir)?;
    record.program = Some(program);
    record.write(dir, Sync::Memory)
}

/// The id of this boot.
///
/// # Errors
/// If `/proc` does not say.
pub fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let mut record = Record::new("web-v1-0-00c0ffee", serde_json::json!({"port": 27200}))
            .expect("a boot and randomness");
        record.keeper = Some(Process { pid: 4, started: 99 });
        record
    }

    #[test]
    fn a_record_reads_back_and_tells_no_token() {
        let dir = tempfile::tempdir().expect("a directory");
        let (one, two) = (record(), record());
        assert_ne!(one.token, two.token);
        for sync in [Sync::Disk, Sync::Memory] {
            one.write(dir.path(), sync).expect("written");
            assert_eq!(Record::read(dir.path()).expect("read"), one);
        }
        assert!(one.is_of_this_boot().expect("a boot"));
        assert!(!format!("{one:?}").contains(&one.token.0));
        assert_eq!(one.token.0.len(), 2 * TOKEN_BYTES);
    }

    #[test]
    fn every_cut_is_a_named_error() {
        let dir = tempfile::tempdir().expect("a directory");
        record().write(dir.path(), Sync::Disk).expect("written");
        let path = dir.path().join(RECORD);
        let whole = fs::read(&path).expect("read");
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).expect("cut");
            let read = Record::read(dir.path());
            assert!(matches!(read, Err(RecordError::Cut { .. })), "{length}: {read:?}");
        }
        fs::write(&path, vec![b' '; 1 << 20]).expect("written");
        assert!(matches!(Record::read(dir.path()), Err(RecordError::Cut { .. })));
        fs::remove_file(&path).expect("removed");
        assert!(matches!(Record::read(dir.path()), Err(RecordError::Missing(_))));
    }

    #[test]
    fn other_forms_and_too_much_detail_are_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let newer = Record { version: 2, ..record() };
        newer.write(dir.path(), Sync::Disk).expect("written");
        let read = Record::read(dir.path());
        assert!(matches!(read, Err(RecordError::Version { version: 2, .. })), "{read:?}");
        let large = Record { detail: "x".repeat(1 << 17).into(), ..record() };
        assert!(matches!(large.write(dir.path(), Sync::Disk), Err(RecordError::TooLarge(_))));
    }

    #[test]
    fn instances_are_listed_in_order_and_removed() {
        let root = tempfile::tempdir().expect("a directory");
        assert!(all(&root.path().join("none")).expect("nothing").is_empty());
        for name in ["b", "a"] {
            fs::create_dir(root.path().join(name)).expect("made");
        }
        // A file is not an instance; a directory that has another's record is damaged.
        fs::write(root.path().join("stray"), "").expect("written");
        let mut own = record();
        own.instance = "b".to_owned();
        own.write(&root.path().join("b"), Sync::Disk).expect("written");
        let found = all(root.path()).expect("listed");
        assert_eq!(found.len(), 2);
        assert!(matches!(&found[0].1, Err(RecordError::Missing(_))) && found[1].1.is_ok());
        own.write(&root.path().join("a"), Sync::Disk).expect("written");
        let found = all(root.path()).expect("listed");
        assert!(matches!(&found[0].1, Err(RecordError::Cut { .. })) && found[1].1.is_ok());
        for (dir, _) in found {
            remove(&dir).expect("removed");
            remove(&dir).expect("removed already");
        }
        assert!(all(root.path()).expect("listed").is_empty());
    }
}
