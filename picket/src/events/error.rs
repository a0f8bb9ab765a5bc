use std::io;
use std::path::PathBuf;

/// Why events cannot be kept or read.
#[derive(Debug, thiserror::Error)]
#[error("{doing} {path}: {source}; events stay in memory until it can be written again")]
pub struct EventsError {
    /// The attempt that failed.
    pub doing: &'static str,
    /// With which file.
    pub path: PathBuf,
    /// The system's error.
    pub source: io::Error,
}
