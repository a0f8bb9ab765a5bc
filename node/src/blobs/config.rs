use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::parts::Supervisor;

/// How long a blob is reserved when nobody says.
pub const RESERVE: Duration = Duration::from_secs(600);

/// What the store is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where blobs are kept: at least one directory, at most 64. The first is made if missing, and
    /// remembers the others and those that were added later. The others have to be there, since one
    /// that is missing may be a disk that is not mounted: then the store does not open.
    pub dirs: Vec<PathBuf>,
    /// How many bytes all blobs may take that the store keeps itself; `None`: what the disks hold.
    pub quota: Option<u64>,
    /// How many bytes stay free on each disk; `None`: 5 % of it, at most 1 GiB.
    pub headroom: Option<u64>,
    /// Time and disks.
    pub world: Arc<dyn World>,
    /// Starts the threads of the store.
    pub parts: Supervisor,
}

impl Config {
    /// The defaults, with these directories.
    pub fn new(dirs: Vec<PathBuf>) -> Self {
        Self {
            dirs,
            quota: None,
            headroom: None,
            world: Arc::new(System),
            parts: Supervisor::default(),
        }
    }
}

/// What the store asks of its surroundings. The tests have one in which they set the time and fill
/// the disk.
pub trait World: fmt::Debug + Send + Sync {
    /// How long ago the machine started, its sleep included: a clock that nobody sets. The store counts
    /// its own age by it; see `age`.
    fn since_boot(&self) -> Duration;

    /// The room on the disk of a directory.
    ///
    /// # Errors
    /// What the system says.
    fn room(&self, dir: &Path) -> io::Result<Room>;

    /// Called between any two steps that change a directory, each of which a crash may follow.
    fn step(&self, _what: &'static str) {}
}

/// The room on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// How many bytes this user may still write.
    pub free: u64,
    /// The size of the disk, in bytes.
    pub total: u64,
    /// How many files fit; `None`: as many as there are bytes for.
    pub files: Option<Files>,
}

/// The room for files on a disk whose file system has a fixed number of them (inodes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Files {
    /// How many this user may still make.
    pub free: u64,
    /// How many there may be in all.
    pub total: u64,
}

impl Room {
    /// The room on the disk of a directory, as the system tells it.
    ///
    /// # Errors
    /// What the system says.
    pub fn of(dir: &Path) -> io::Result<Self> {
        let disk = rustix::fs::statvfs(dir)?;
        let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
        // File systems that make inodes as they need them (btrfs, zfs on some systems) tell of none.
        let files =
            (disk.f_files > 0).then_some(Files { free: disk.f_favail, total: disk.f_files });
        Ok(Self { free: bytes(disk.f_bavail), total: bytes(disk.f_blocks), files })
    }
}

/// The real surroundings.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl World for System {
    fn since_boot(&self) -> Duration {
        crate::clock::now().since_origin()
    }

    fn room(&self, dir: &Path) -> io::Result<Room> {
        Room::of(dir)
    }
}
