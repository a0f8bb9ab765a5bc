//! One node per data directory.
//!
//! | file | held by | what it keeps apart |
//! |---|---|---|
//! | `lock` | `run`: the picket, or the node where that is one process | two nodes |
//! | `fulcrum.lock` | the process with the database and the port | a fulcrum and the one before it |
//!
//! A picket that is killed takes its fulcrum with it, a moment later: the next `run` has `lock` by then, and its
//! fulcrum waits for that moment. The files stay when the node stops; only the locks on them count, and those
//! end with the process.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::error::{Error, Kind};

/// The name of the lock file in the data directory.
const LOCK_NAME: &str = "lock";
/// The name of the fulcrum's.
const FULCRUM_NAME: &str = "fulcrum.lock";
/// How long a fulcrum that was killed may take to end. Only a disk that does not answer makes it more than a
/// moment.
const PREDECESSOR_MAX: Duration = Duration::from_secs(5);
/// How often to look whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(5);

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
        let file = open(&path.join(LOCK_NAME)).map_err(|err| Error::io(doing(), &err))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => {
                Err(in_use(path)
                    .with_hint("Stop it, or give this node a data directory of its own."))
            }
            Err(TryLockError::Error(err)) => Err(Error::io(doing(), &err)),
        }
    }
}

/// What only one process on a data directory may use: the database, the port. Given back when dropped, also
/// when the process is killed.
#[derive(Debug)]
pub struct FulcrumLock {
    _file: File,
}

impl FulcrumLock {
    /// Takes the lock, in a directory that is there and whose [`DataDir`] this node has. Waits for a fulcrum that
    /// was killed and has not ended yet, five seconds at most.
    ///
    /// # Errors
    /// [`Kind::DataDirInUse`] when it does not end; otherwise what the system says.
    pub async fn take(data_dir: &Path) -> Result<Self, Error> {
        Self::take_within(data_dir, PREDECESSOR_MAX).await
    }

    async fn take_within(data_dir: &Path, patience: Duration) -> Result<Self, Error> {
        let path = data_dir.join(FULCRUM_NAME);
        let doing = || format!("locking {}", path.display());
        let file = open(&path).map_err(|err| Error::io(doing(), &err))?;
        let until = Instant::now() + patience;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if Instant::now() < until => sleep(LOOK_EVERY).await,
                Err(TryLockError::WouldBlock) => {
                    return Err(in_use(data_dir).with_hint(
                        "It is the fulcrum of a node that was killed, and does not end: a disk that does not answer \
                         is the usual cause. Start the node again once it has ended.",
                    ));
                }
                Err(TryLockError::Error(err)) => return Err(Error::io(doing(), &err)),
            }
        }
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)
}

fn in_use(data_dir: &Path) -> Error {
    let message = format!("another process runs on the data directory {}", data_dir.display());
    Error::new(Kind::DataDirInUse, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_fulcrum_waits_for_the_one_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let _node = DataDir::lock(dir.path()).unwrap();
        assert_eq!(DataDir::lock(dir.path()).unwrap_err().kind(), Kind::DataDirInUse);
        let before = FulcrumLock::take(dir.path()).await.unwrap();
        let next = FulcrumLock::take(dir.path());
        tokio::pin!(next);
        assert!(tokio::time::timeout(Duration::from_millis(30), &mut next).await.is_err());
        drop(before);
        next.await.unwrap();
    }

    #[tokio::test]
    async fn one_that_does_not_end_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let _before = FulcrumLock::take(dir.path()).await.unwrap();
        let soon = Duration::from_millis(30);
        let refused = FulcrumLock::take_within(dir.path(), soon).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::DataDirInUse);
    }
}
