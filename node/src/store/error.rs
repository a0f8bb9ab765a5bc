//! Why the database cannot be opened or written.

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crux_crdt::Digest;

/// Why a database cannot be opened. The file keeps its content in every case.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It belongs to another flock. The operator's doing: the wrong directory or the wrong secret.
    #[error(
        "the database {} belongs to another flock: {}… instead of {}…",
        .path.display(), .found.short(), .expected.short()
    )]
    OtherFlock {
        /// The database.
        path: PathBuf,
        /// The flock it belongs to.
        found: Digest,
        /// The flock it should belong to.
        expected: Digest,
    },
    /// A newer Crux made it; this one does not know its format and does not touch it.
    #[error(
        "the database {} was made by a newer Crux: it has format {found}, this build knows {known}",
        .path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format this build knows.
        known: u32,
    },
    /// An older Crux made it, and this one does not read what its members signed.
    #[error(
        "the database {} was made by an older Crux: it has format {found}, this build reads {known}",
        .path.display()
    )]
    Older {
        /// The database.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The oldest format this build reads.
        known: u32,
    },
    /// It is damaged, or no database. The fault is the disk's, or of a program that changed the file. Trying
    /// again does not help.
    #[error("the database {} is damaged: {what}", .path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What does not hold.
        what: String,
    },
    /// Another process has it open. Trying again helps once that one has ended.
    #[error("the database {} is open in another process", .path.display())]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// The system refused. Trying again helps once the cause is gone.
    #[error("the database {} cannot be opened: {source}", .path.display())]
    Io {
        /// The database.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl OpenError {
    /// What to do about it, in one or two sentences.
    pub fn hint(&self) -> String {
        match self {
            Self::OtherFlock { .. } => {
                "give this node a data directory of its own, or the initial \
                secret of the flock the database belongs to"
                    .to_owned()
            }
            Self::Newer { .. } => "run the version of Crux that made it, or a newer one".to_owned(),
            Self::Older { path, .. } => {
                let [from, to] = [path.clone(), aside(path, "older")].map(|path| quoted(&path));
                format!(
                    "run the version of Crux that made it; or set it aside with `mv {from} {to}` and \
                     start again: the node keeps its key, and what it had registered has to be registered again"
                )
            }
            Self::Damaged { path, .. } => {
                let [from, to] = [path.clone(), aside(path, "damaged")].map(|path| quoted(&path));
                format!(
                    "set it aside with `mv {from} {to}` and start again: the node takes the \
                     flock's state from its peers; what no peer has is only in that file"
                )
            }
            Self::InUse { .. } => "stop the other crux-node, or give this one a data directory of \
                its own"
                .to_owned(),
            Self::Io { source, .. } if is_full(source) => {
                "make room on the disk or raise the quota, and start again".to_owned()
            }
            Self::Io { source, .. } if source.kind() == ErrorKind::NotFound => {
                "make the directory first".to_owned()
            }
            Self::Io { .. } => "check the disk and who may read and write the file".to_owned(),
        }
    }

    pub(super) fn new(path: &Path, failure: Failure) -> Self {
        let path = path.to_owned();
        match failure {
            Failure::Damaged(what) => Self::Damaged { path, what },
            Failure::InUse => Self::InUse { path },
            Failure::Io(source) => Self::Io { path, source },
            Failure::OtherFlock { found, expected } => Self::OtherFlock { path, found, expected },
            Failure::Newer { found, known } => Self::Newer { path, found, known },
            Failure::Older { found, known } => Self::Older { path, found, known },
        }
    }
}

/// Why a write failed.
///
/// What it held does not count as durable; where the disk failed at the last moment it may be in
/// the file all the same, as a whole. So a node MUST NOT use the marker of a failed write again.
/// What was durable before still is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The disk or a quota is full. Writing succeeds again once there is room.
    #[error("the disk is full: {0}")]
    Full(String),
    /// The database is damaged. Writing again does not help; the node has to be stopped.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// The system refused. Writing again may help.
    #[error("the database cannot be written: {0}")]
    Io(String),
    /// Too many writes wait to become durable. Nothing was taken in; try again later.
    #[error("too many writes wait for the disk")]
    Busy,
    /// The store is closed. Nothing was taken in.
    #[error("the database is closed")]
    Closed,
}

impl WriteError {
    /// What to do about it, in one sentence.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Full(_) => {
                "make room on the disk or raise the quota; nothing has to be restarted"
            }
            Self::Damaged(_) => {
                "stop the node and start it: it then says how to set the file aside"
            }
            Self::Io(_) => "check the disk and who may read and write the file",
            Self::Busy => "the disk is slower than what is asked of it; try again later",
            Self::Closed => "the node is shutting down",
        }
    }
}

/// What goes wrong below: one word for what redb, the system and the content say.
#[derive(Debug)]
pub(super) enum Failure {
    Damaged(String),
    InUse,
    Io(io::Error),
    OtherFlock { found: Digest, expected: Digest },
    Newer { found: u32, known: u32 },
    Older { found: u32, known: u32 },
}

impl Failure {
    pub(super) fn damaged(what: impl Display) -> Self {
        Self::Damaged(what.to_string())
    }
}

impl From<Failure> for WriteError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Io(err) if is_full(&err) => Self::Full(err.to_string()),
            Failure::Io(err) => Self::Io(err.to_string()),
            Failure::InUse => Self::Io("another process has opened it".to_owned()),
            Failure::Damaged(what) => Self::Damaged(what),
            Failure::OtherFlock { .. } | Failure::Newer { .. } | Failure::Older { .. } => {
                Self::Damaged("another database has taken its place".to_owned())
            }
        }
    }
}

impl From<redb::Error> for Failure {
    fn from(err: redb::Error) -> Self {
        use redb::Error;
        match err {
            Error::DatabaseAlreadyOpen => Self::InUse,
            // What redb says of a file that is cut short or is none of its own.
            Error::Io(err)
                if matches!(err.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) =>
            {
                Self::damaged(err)
            }
            Error::Io(err) => Self::Io(err),
            err @ (Error::Corrupted(_)
            | Error::UpgradeRequired(_)
            | Error::TableTypeMismatch { .. }
            | Error::TableIsMultimap(_)
            | Error::TableIsNotMultimap(_)
            | Error::TypeDefinitionChanged { .. }
            | Error::TableDoesNotExist(_)) => Self::damaged(err),
            err => Self::Io(io::Error::other(err)),
        }
    }
}

macro_rules! by_way_of_redb_error {
    ($($name:ident),*) => {
        $(impl From<redb::$name> for Failure {
            fn from(err: redb::$name) -> Self {
                redb::Error::from(err).into()
            }
        })*
    };
}

by_way_of_redb_error!(DatabaseError, TransactionError, TableError, StorageError, CommitError);

fn is_full(err: &io::Error) -> bool {
    // EFBIG: a limit on the size of files, which is a quota too.
    matches!(
        err.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}

/// A free name beside a database, so that setting aside never overwrites an earlier one.
fn aside(path: &Path, why: &str) -> PathBuf {
    let named = |suffix: String| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let numbered = (2..100).map(|n| named(format!(".{why}-{n}")));
    let mut names = std::iter::once(named(format!(".{why}"))).chain(numbered);
    names.find(|name| !name.exists()).unwrap_or_else(|| named(format!(".{why}")))
}

/// The path as a shell takes it.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}
