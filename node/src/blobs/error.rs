//! Why an operation on blobs failed.

use std::io;
use std::path::{Path, PathBuf};

use crux_crdt::blob::{BlobId, Root};

use crate::error::{Error, Kind};

/// Why an operation on blobs failed. Unless a variant says otherwise, nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// This node holds no such blob, sealed or under way.
    #[error("this node does not hold the blob {0}")]
    Unknown(BlobId),
    /// The blob is under way, and this needs all of it.
    #[error("the blob {0} is still being fetched")]
    Unsealed(BlobId),
    /// The piece is not there yet, or beyond the end.
    #[error("the blob {id} has no piece {index} here")]
    NoPiece {
        /// Of which blob.
        id: BlobId,
        /// Which one.
        index: u32,
    },
    /// What is on the disk is no longer what was sealed. Pieces that are still good were kept; the
    /// rest can be fetched again.
    #[error("the blob {id} is damaged on disk: {bad} of its pieces have to be fetched again")]
    Damaged {
        /// Which one.
        id: BlobId,
        /// How many pieces are lost.
        bad: u32,
    },
    /// Every piece is what the root promised, and all together are not the blob. The signer of
    /// that root for this blob lied. The fetched bytes were deleted.
    #[error("the bytes fetched as the blob {id} are {found}: the root {root} is of another file")]
    Mismatch {
        /// What was asked for.
        id: BlobId,
        /// What it is.
        found: BlobId,
        /// The root that was followed.
        root: Root,
    },
    /// A piece is not what the root promises. Nothing of it was written.
    #[error("piece {index} of the blob {id} is not what its root promises")]
    WrongPiece {
        /// Of which blob.
        id: BlobId,
        /// Which one.
        index: u32,
    },
    /// The blob is here, or under way, with another root or size.
    #[error("the blob {id} is under way with another root or size ({root}, {size} bytes)")]
    OtherRoot {
        /// Which one.
        id: BlobId,
        /// The root it is under way with.
        root: Root,
        /// The size it is under way with.
        size: u64,
    },
    /// It is pinned, and only what is not was to be removed.
    #[error("the blob {0} is pinned")]
    Pinned(BlobId),
    /// A service of this node runs it, or ran it before its last update, and only what nobody needs was to be removed.
    #[error("the blob {0} is the image of a service")]
    Image(BlobId),
    /// Over the quota, and nothing that may be evicted makes enough room.
    #[error("{needed} bytes more do not fit into the quota of {quota} bytes for blobs")]
    Quota {
        /// How many bytes were needed.
        needed: u64,
        /// How many there may be.
        quota: u64,
    },
    /// The disk would be left with less room than has to stay free.
    #[error("no room for {needed} bytes: {free} are free and {headroom} have to stay so")]
    DiskFull {
        /// How many bytes were needed.
        needed: u64,
        /// How many are free.
        free: u64,
        /// How many have to stay free.
        headroom: u64,
    },
    /// The disk would be left with fewer files (inodes) than have to stay free.
    #[error(
        "no room for another file: {free} files (inodes) are free and {headroom} have to stay so"
    )]
    NoFiles {
        /// How many files fit on the disk.
        free: u64,
        /// How many have to stay free.
        headroom: u64,
    },
    /// Larger than any blob may be.
    #[error("a blob has at most {max} bytes")]
    TooLarge {
        /// The limit.
        max: u64,
    },
    /// More blobs or directories than the store counts.
    #[error("there are {max} {what} already, and no more are taken")]
    Limit {
        /// Of what.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// The file is not what it was when it was registered, or changed while it was read. If it was
    /// registered, it is so no longer.
    #[error("the file {} changed", .0.display())]
    Changed(PathBuf),
    /// Not a regular file.
    #[error("{} is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// A storage directory is no longer the one that was opened.
    #[error("the blob directory {} was replaced by another one", .0.display())]
    Swapped(PathBuf),
    /// A storage directory is not there, or is empty though blobs were kept in it.
    #[error("the blob directory {} is missing", .0.display())]
    Missing(PathBuf),
    /// A stream of a blob ended before its writer said that it was complete.
    #[error("the stream ended before the blob was complete")]
    Truncated,
    /// The store is closed.
    #[error("the blob store is closed")]
    Closed,
    /// The system refused.
    #[error("{doing}: {message}")]
    Io {
        /// What was being done.
        doing: String,
        /// What the system said.
        message: String,
        /// Its kind.
        kind: io::ErrorKind,
    },
}

impl BlobError {
    /// The system's error, with what was being done to which file.
    pub(super) fn io(doing: &str, path: &Path, err: &io::Error) -> Self {
        let doing = format!("{doing} {}", path.display());
        Self::Io { doing, message: err.to_string(), kind: err.kind() }
    }

    const fn kind(&self) -> Kind {
        match self {
            Self::Unknown(_) | Self::NoPiece { .. } => Kind::BlobUnknown,
            Self::Unsealed(_) => Kind::BlobUnsealed,
            Self::Damaged { .. } => Kind::BlobDamaged,
            Self::Mismatch { .. } | Self::WrongPiece { .. } => Kind::BlobMismatch,
            Self::OtherRoot { .. } | Self::Swapped(_) => Kind::Refused,
            Self::Pinned(_) | Self::Image(_) => Kind::NotConfirmed,
            Self::Quota { .. } => Kind::Quota,
            Self::DiskFull { .. } | Self::NoFiles { .. } => Kind::DiskFull,
            Self::TooLarge { .. } | Self::Limit { .. } => Kind::LimitReached,
            Self::Changed(_) => Kind::ChangedWhileRead,
            Self::NotAFile(_) | Self::Truncated => Kind::InvalidArgument,
            Self::Missing(_) => Kind::NotFound,
            Self::Closed => Kind::ShuttingDown,
            Self::Io { .. } => Kind::Io,
        }
    }

    const fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Unknown(_) => "`blob ls` lists what this node holds.",
            Self::Damaged { .. } => "`blob get` fetches the rest from other nodes; check the disk.",
            Self::Pinned(_) => "Unpin it first, or remove it with `blob rm --yes`.",
            Self::Image(_) => {
                "Remove the service first. `blob rm --yes` removes the blob all the same: the service runs on, and \
                 fetches the blob again when it needs it."
            }
            Self::Quota { .. } => {
                "Remove or unpin blobs, or raise the quota with --blob-quota. Blobs that are \
                 pinned, reserved, registered or in use are never evicted."
            }
            Self::DiskFull { .. } => "Make room on the disk; nothing has to be restarted.",
            Self::NoFiles { .. } => {
                "Remove files from the disk, or make its file system with more inodes; `df -i` counts them."
            }
            Self::Changed(_) => "Register or put it again once nobody writes to it.",
            Self::Missing(_) => {
                "Mount its disk, or make the directory and `partial` in it, or take it out of the \
                 settings (--blob-dir); blobs in it are then fetched again when they are wanted."
            }
            Self::Swapped(_) => "Put the directory back, or start the node again.",
            _ => return None,
        })
    }
}

impl From<BlobError> for Error {
    fn from(err: BlobError) -> Self {
        let error = match &err {
            BlobError::Io { doing, message, kind } => {
                Self::io(doing, &io::Error::new(*kind, message.clone()))
            }
            _ => Self::new(err.kind(), err.to_string()),
        };
        match err.hint() {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

/// Adds what was being done to an error of the system.
pub(super) trait Doing<T> {
    /// See [`BlobError::io`].
    fn doing(self, doing: &str, path: &Path) -> Result<T, BlobError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, doing: &str, path: &Path) -> Result<T, BlobError> {
        self.map_err(|err| BlobError::io(doing, path, &err))
    }
}
