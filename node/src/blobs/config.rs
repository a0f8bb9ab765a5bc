use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

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
}

impl Config {
    /// The defaults, with these directories.
    pub fn new(dirs: Vec<PathBuf>) -> Self {
        Self { dirs, quota: None, headroom: None, world: Arc::new(System) }
    }
}

/// What the store asks of its surroundings. The tests have one in which they set the time and fill
/// the disk.
pub trait World: fmt::Debug + Send + Sync {
    /// The wall clock: reservations and last accesses outlive the process. When it is set back,
    /// blobs stay longer than they had to.
    fn now(&self) -> SystemTime;

    /// The room on the disk of a directory.
    ///
    /// # Errors
    /// What the system says.
    fn room(&self, dir: &Path) -> io::Result<Room>;

    /// Called between any two steps that change a directory, each of which a crash may follow.
    fn step(&self, _what: &'static str) {}
}

/// The room on a disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// What this user may still write.
    pub free: u64,
    /// The size of the disk.
    pub total: u64,
}

/// The real surroundings.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl World for System {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn room(&self, dir: &Path) -> io::Result<Room> {
        let disk = rustix::fs::statvfs(dir)?;
        let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
        Ok(Room { free: bytes(disk.f_bavail), total: bytes(disk.f_blocks) })
    }
}
