//! The directory of a testnet and what is remembered in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Error;

/// The directory a testnet lives in: temporary and removed at the end, or given and kept.
#[derive(Debug)]
pub struct Home {
    path: PathBuf,
    /// Removes the directory when dropped; `None` when it is to stay.
    temporary: Option<tempfile::TempDir>,
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
        Ok(Self { path: dir.path().to_owned(), temporary: Some(dir) })
    }

    /// A given directory, made if it is missing and never removed.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be made.
    pub fn at(path: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(path).map_err(Error::io(format!("create {}", path.display())))?;
        let path = path.canonicalize().map_err(Error::io(format!("find {}", path.display())))?;
        Ok(Self { path, temporary: None })
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
        if !file.exists() {
            return Ok(BTreeMap::new());
        }
        let text = std::fs::read_to_string(&file)
            .map_err(Error::io(format!("read {}", file.display())))?;
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
        self.path.join("testnet.json")
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
