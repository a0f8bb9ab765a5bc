use std::io;

use crate::error::{Error, Kind};

/// Why a tree was not packed or an archive not unpacked. Nothing is left of what was unpacked.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// It would write outside of its directory, or holds what no plain tree does. Its
    /// maker is at fault.
    #[error("{name:?}: {why}")]
    Unsafe {
        /// The entry.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// It is no tar archive, or cut off.
    #[error("the tar archive is not whole: {0}")]
    Malformed(&'static str),
    /// More entries, or deeper, than is taken.
    #[error("an archive has at most {max} {what}")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// The limit.
        max: u64,
    },
    /// A file changed while it was read.
    #[error("{name:?} changed while it was read")]
    Changed {
        /// The entry.
        name: String,
    },
    /// What is to be unpacked to is there already.
    #[error("{0} exists")]
    Exists(String),
    /// The system refused.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
}

impl TarError {
    pub(super) fn io(doing: &str, name: impl AsRef<[u8]>, source: impl Into<io::Error>) -> Self {
        let doing = format!("{doing} {}", shown(name.as_ref()));
        Self::Io { doing, source: source.into() }
    }

    pub(super) fn not_safe(name: &[u8], why: &'static str) -> Self {
        Self::Unsafe { name: shown(name), why }
    }
}

/// A name as a person sees it, cut to 200 characters.
pub(super) fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).chars().take(200).collect()
}

impl From<TarError> for Error {
    fn from(err: TarError) -> Self {
        let kind = match &err {
            TarError::Unsafe { .. } | TarError::Malformed(_) => Kind::UnsafeArchive,
            TarError::TooMuch { .. } => Kind::LimitReached,
            TarError::Changed { .. } => Kind::ChangedWhileRead,
            TarError::Exists(_) => Kind::AlreadyExists,
            TarError::Io { doing, source } => return Self::io(doing, source),
        };
        Self::new(kind, err.to_string())
    }
}
