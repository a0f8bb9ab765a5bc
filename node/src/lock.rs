//! One process per data directory.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::error::{Error, Kind};

/// The name of the lock file in the data directory. It stays when the node stops; only the lock on
/// it counts.
const LOCK_NAME: &str = "lock";

/// A locked data directory. Unlocked when dropped, also when the process is killed.
#[derive(Debug)]
pub struct DataDir {
    _file: File,
}

impl DataDir {
    /// Makes the directory if there is none (mode 0700), and locks it.
    ///
    /// # Errors
    /// [`Kind::DataDirInUse`] when another process has it; [`Kind::InvalidConfig`] when a file is there;
    /// otherwise what the system says. Nothing was
    /// changed but that the directory may have been made.
    pub fn lock(path: &Path) -> Result<Self, Error> {
        let doing = || format!("opening the data directory {}", path.display());
        if path.metadata().is_ok_and(|meta| !meta.is_dir()) {
            let message = format!("{} is a file, not a directory", path.display());
            return Err(Error::new(Kind::InvalidConfig, message)
                .augment("opening the data directory")
                .with_hint(
                    "Give --data-dir a directory, or a path at which there is nothing yet.",
                ));
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|err| Error::io(doing(), &err))?;
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join(LOCK_NAME))
            .map_err(|err| Error::io(doing(), &err))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => {
                let message =
                    format!("another process runs on the data directory {}", path.display());
                Err(Error::new(Kind::DataDirInUse, message)
                    .with_hint("Stop it, or give this node a data directory of its own."))
            }
            Err(TryLockError::Error(err)) => Err(Error::io(doing(), &err)),
        }
    }
}
