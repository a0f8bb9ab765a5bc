//! Files that hold a secret, and what their modes let others do.
//!
//! | mode of a regular file | what happens |
//! |---|---|
//! | everybody may write | refused: what is in it may be somebody else's |
//! | the group may read or write, or everybody may read | a warning in the log at the start, and in `doctor`, that says `chmod 600 FILE` |
//! | otherwise | nothing |
//!
//! `ssh` refuses a private key that anybody else may read. A node does not, because container engines mount
//! secrets with mode 0444 or 0644 into a place that only the container sees, and orchestrators make whole
//! volumes writable by a group of the container's own; a node that refused those could not restart there. Pipes
//! and terminals have modes that say nothing of this kind.
//!
//! The key of a person, the operator's or a user's, lies on that person's machine and no node restarts with it: a
//! command that signs with one refuses it as `ssh` does.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::error::{Error, Kind};

/// What others than the owner may do with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Open {
    /// Nothing.
    Closed,
    /// Read it, or write it if they are of its group.
    Readable,
    /// Write it, whoever they are.
    Writable,
}

impl Open {
    fn of(meta: &Metadata) -> Self {
        match meta.mode() {
            _ if !meta.is_file() => Self::Closed,
            mode if mode & 0o002 != 0 => Self::Writable,
            mode if mode & 0o077 != 0 => Self::Readable,
            _ => Self::Closed,
        }
    }

    /// What others may do with the file at a path; nothing, if it is not there.
    pub(crate) fn at(path: &Path) -> Self {
        path.metadata().map_or(Self::Closed, |meta| Self::of(&meta))
    }
}

/// Refuses a file with a secret that everybody may write.
///
/// # Errors
/// [`Kind::PermissionDenied`], and what the system says.
pub(crate) fn refuse_writable(file: &File, path: &Path) -> Result<(), Error> {
    let meta = file.metadata().map_err(|err| Error::io("looking at its mode", &err))?;
    if Open::of(&meta) < Open::Writable {
        return Ok(());
    }
    let message = format!("everybody may write it (mode {:04o})", meta.mode() & 0o7777);
    let hint = format!(
        "Make sure that it is what you put there, then run `chmod 600 {}`.",
        path.display()
    );
    Err(Error::new(Kind::PermissionDenied, message).with_hint(hint))
}

/// Refuses a file with a person's key that anybody else may read or write.
///
/// # Errors
/// [`Kind::PermissionDenied`], and what the system says.
pub(crate) fn refuse_readable(file: &File, path: &Path) -> Result<(), Error> {
    let meta = file.metadata().map_err(|err| Error::io("looking at its mode", &err))?;
    if Open::of(&meta) == Open::Closed {
        return Ok(());
    }
    let message = format!("others may read it (mode {:04o})", meta.mode() & 0o7777);
    let hint = format!("Run `chmod 600 {}`, or give the key on standard input.", path.display());
    Err(Error::new(Kind::PermissionDenied, message).with_hint(hint))
}

/// Says in the log that others may read a file with a secret, and what to do.
pub(crate) fn warn_if_readable(path: &Path) {
    if Open::at(path) > Open::Closed {
        let path = path.display();
        tracing::warn!("others may read {path}, which holds a secret: run `chmod 600 {path}`");
    }
}
