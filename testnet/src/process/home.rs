//! The directory of a testnet and what is remembered in it.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Error;

/// What is remembered of a testnet, in its directory.
const MANIFEST: &str = "testnet.json";

/// The directory a testnet lives in: temporary and removed at the end, or given and kept.
#[derive(Debug)]
pub struct Home {
    path: PathBuf,
    /// Removes the directory when dropped; `None` when it is to stay.
    temporary: Option<tempfile::TempDir>,
    /// `testnet.json`, locked: one testnet at a time runs in a given directory. The system gives the lock
    /// up with the process.
    _lock: Option<File>,
}

/// What `testnet.json` holds.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Remembered {
    /// Base port by node name.
    ports: BTreeMap<String, u16>,
}

impl Home {
    /// A directory of its own, removed when this is dropped.
    ///
    /// Its name is short, because a unix socket path has at most 107 bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be made.
    pub fn temporary() -> Result<Self, Error> {
        let dir = tempfile::Builder::new()
            .prefix("crux-")
            .tempdir()
            .map_err(Error::io("create a temporary directory"))?;
        Ok(Self { path: dir.path().to_owned(), temporary: Some(dir), _lock: None })
    }

    /// A given directory, made if it is missing and never removed. Nobody else has it while this lives.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be made, [`Error::HomeTaken`] when another testnet runs in it.
    pub fn at(path: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(path).map_err(Error::io(format!("create {}", path.display())))?;
        let path = path.canonicalize().map_err(Error::io(format!("find {}", path.display())))?;
        let manifest = path.join(MANIFEST);
        let opened = File::options().create(true).append(true).open(&manifest);
        let lock = opened.map_err(Error::io(format!("open {}", manifest.display())))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, temporary: None, _lock: Some(lock) }),
            Err(TryLockError::WouldBlock) => Err(Error::HomeTaken(path)),
            Err(TryLockError::Error(error)) => {
                Err(Error::io(format!("lock {}", manifest.display()))(error))
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps a temporary directory, for someone to look at what went wrong.
    pub fn keep(&mut self) {
        if let Some(dir) = self.temporary.take() {
            self.path = dir.keep();
        }
    }

    /// The file with the initial secret.
    #[must_use]
    pub fn secret(&self) -> PathBuf {
        self.path.join("secret")
    }

    /// Base port by node name, from an earlier testnet in this directory; empty if there was none.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the file is there and cannot be understood.
    pub fn remembered_ports(&self) -> Result<BTreeMap<String, u16>, Error> {
        let file = self.manifest();
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Error::io(format!("read {}", file.display()))(error)),
        };
        if text.is_empty() {
            return Ok(BTreeMap::new());
        }
        let remembered: Remembered = serde_json::from_str(&text)
            .map_err(|error| Error::io(format!("understand {}", file.display()))(error.into()))?;
        Ok(remembered.ports)
    }

    /// Remembers the base ports, so that the same flock comes up again at the same addresses.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the file cannot be written.
    pub fn remember_ports(&self, ports: BTreeMap<String, u16>) -> Result<(), Error> {
        let file = self.manifest();
        let text = serde_json::to_string_pretty(&Remembered { ports })
            .map_err(|error| Error::io(format!("write {}", file.display()))(error.into()))?;
        std::fs::write(&file, text).map_err(Error::io(format!("write {}", file.display())))
    }

    fn manifest(&self) -> PathBuf {
        self.path.join(MANIFEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_remembered_over_testnets() {
        let home = Home::temporary().expect("a directory");
        assert!(home.remembered_ports().expect("nothing yet").is_empty());
        let ports = BTreeMap::from([("n1".to_owned(), 20_000)]);
        home.remember_ports(ports.clone()).expect("written");
        assert_eq!(home.remembered_ports().expect("read"), ports);
    }

    /// A second one would find the first one's nodes at the remembered addresses, and take them for its own.
    #[test]
    fn a_directory_has_one_testnet_at_a_time() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = Home::at(dir.path()).expect("nobody has it");
        assert!(first.remembered_ports().expect("nothing yet").is_empty());
        let ports = BTreeMap::from([("n1".to_owned(), 20_000)]);
        first.remember_ports(ports.clone()).expect("written");
        match Home::at(dir.path()) {
            Err(Error::HomeTaken(path)) => assert_eq!(path, first.path()),
            other => panic!("{other:?}"),
        }
        drop(first);
        let again = Home::at(dir.path()).expect("the first one ended");
        assert_eq!(again.remembered_ports().expect("read"), ports);
    }

    #[test]
    fn a_temporary_home_goes_away_and_a_kept_one_stays() {
        let home = Home::temporary().expect("a directory");
        let gone = home.path().to_owned();
        drop(home);
        assert!(!gone.exists());

        let mut home = Home::temporary().expect("a directory");
        home.keep();
        let kept = home.path().to_owned();
        drop(home);
        assert!(kept.exists());
        std::fs::remove_dir_all(kept).expect("removed by hand");
    }
}
