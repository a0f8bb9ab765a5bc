use std::io;
use std::path::PathBuf;

use crux_client::{Error, Kind};
use crux_crdt::service::SERVICES_MAX;

use super::written::FORMAT;

/// Why the node's service config cannot be read or written. Reading changes nothing; after an error of
/// writing the old content is there, unless [`DesiredError::Io`] says that the last flush failed.
#[derive(Debug, thiserror::Error)]
pub enum DesiredError {
    /// Services were written before, and there is no file.
    #[error(
        "{0} is missing, and this node had services. Services that run continue, and nothing is started. Put the \
         file back from a copy; or remove desired.mark beside it to begin without services"
    )]
    Missing(PathBuf),
    /// The file ends before its content does.
    #[error(
        "{path} is not whole: it ends in line {line}. Services that run continue, and nothing is started. Put the \
         file back from a copy; or remove it and desired.mark to begin without services"
    )]
    Short {
        /// Which file.
        path: PathBuf,
        /// Its last line, from 1; 0: it is empty.
        line: usize,
    },
    /// Something in it is not what this build writes: an unknown key, a value that breaks a rule.
    #[error(
        "{path}, line {line}, column {column}: {reason}. Services that run continue, and nothing is started. \
         Correct it, or put the file back from a copy"
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// Where in the line, from 1.
        column: usize,
        /// The mistake.
        reason: String,
    },
    /// An entry contradicts itself or another one.
    #[error(
        "{path}, service {service}: {reason}. Services that run continue, and nothing is started. Correct it, or put \
         the file back from a copy"
    )]
    Wrong {
        /// Which file.
        path: PathBuf,
        /// Which entry.
        service: String,
        /// The mistake.
        reason: &'static str,
    },
    /// Another build wrote it.
    #[error(
        "{path} has format {found}, and this build reads {FORMAT} at most: start the newer build again"
    )]
    Format {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// The file is older than the last one that was written here.
    #[error(
        "{path} has generation {found}, and {last} was written here: somebody put an older copy back. \
         Remove desired.mark beside it if that is meant"
    )]
    OldFile {
        /// Which file.
        path: PathBuf,
        /// Its generation.
        found: u64,
        /// The last one.
        last: u64,
    },
    /// The config to write is not newer than the one that is there.
    #[error(
        "generation {found} is not newer than {last}, the node's: read its service config again, then repeat \
         the change"
    )]
    OldGeneration {
        /// The refused one.
        found: u64,
        /// The node's.
        last: u64,
    },
    /// More services than a node runs.
    #[error(
        "{0} services, and a node runs at most {SERVICES_MAX}: remove some, or use another node"
    )]
    TooMany(usize),
    /// More bytes than a config can have.
    #[error("the service config of the node has {0} bytes, more than {max}: shorten the configs of services", max = super::written::BYTES_MAX)]
    TooLarge(u64),
    /// The system refuses.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl DesiredError {
    /// Whether the file is there and says nothing that could be trusted, or should be there and is not.
    pub const fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Missing(_) | Self::Short { .. } | Self::Damaged { .. } | Self::Wrong { .. }
        )
    }
    /// The kind for callers and for the end of `run`.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Missing(_) | Self::Short { .. } | Self::Damaged { .. } | Self::Wrong { .. } => {
                Kind::InvalidConfig
            }
            Self::Format { .. } => Kind::Refused,
            Self::OldFile { .. } | Self::OldGeneration { .. } => Kind::Generation,
            Self::TooMany(_) | Self::TooLarge(_) => Kind::LimitReached,
            Self::Io { source, .. } => Error::io("", source).kind(),
        }
    }
}
