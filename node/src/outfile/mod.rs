//! Files that a command writes for its caller: one rule for all of them.
//!
//! | what is at the place | what happens |
//! |---|---|
//! | nothing | the file appears with all of its content, or not at all |
//! | a regular file | the same; it keeps its mode and owner. A secret replaces only an empty file |
//! | a link | its target is written, and the link stays. A secret is never written through one |
//! | a file that a process has open, by `/proc` or `/dev/fd` | it is appended to; a secret goes only to pipes and devices |
//! | a device, a pipe | it is written into; what it took before an error stays there |
//! | a directory, a socket | refused |
//! | `-`, `/dev/stdout` | standard output; see [`is_stdout`] |
//!
//! **How.** A regular file is written without a name where the file system can do that (`O_TMPFILE`), so
//! that no end of the process leaves anything behind. Elsewhere, and for directories, it is written under a
//! short name in the same directory; that name is registered in `unfinished` before it is made, and removed
//! on an error and on SIGINT, SIGTERM and SIGHUP. The content is flushed before it gets its name, and the
//! directory after. So after a crash of the machine a file is as before, or whole; never empty.
//!
//! **Invariant.** A file that gets its name while a signal is handled is whole: naming and removing exclude
//! each other.
//!
//! In a sticky directory where everybody writes, such as `/tmp`, no command follows, writes into or replaces
//! a file of another user, except of the directory's owner. Links on the way are checked, too. The kernel
//! does the same where it is configured to (`fs.protected_symlinks` and its like), but not for all of this.
//!
//! If two secrets are written to one empty file at once, one remains, and the other write fails.

mod aside;
mod disk;
mod place;
mod signals;
#[cfg(test)]
mod tests;
pub(crate) mod unfinished;

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use aside::Aside;
pub(crate) use disk::{Disk, Real, sync_names};
use place::Place;
pub use place::is_stdout;
pub use signals::clean_up_on_signals;

use crate::error::Error;
#[cfg(doc)]
use crate::error::Kind;

/// What may be replaced, and who may read the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Replaces a regular file, and keeps its mode and owner.
    Plain,
    /// Never replaces anything but an empty file, and gets mode 0600.
    Secret,
}

/// Output on its way to a place. Dropped before [`OutFile::finish`], nothing of it stays, except in
/// devices and pipes.
#[derive(Debug)]
pub struct OutFile {
    shown: PathBuf,
    to: To,
}

#[derive(Debug)]
enum To {
    Aside(Aside),
    Stream(File),
}

impl OutFile {
    /// Begins. A pipe without a reader makes this wait.
    ///
    /// # Errors
    /// [`Kind::AlreadyExists`] for a directory, and for a secret whatever is there already;
    /// [`Kind::InvalidArgument`] for a path that names no file; [`Kind::PermissionDenied`] when the owner of
    /// the file cannot be kept; otherwise what the system says. Nothing was changed.
    pub fn create(path: &Path, content: Content) -> Result<Self, Error> {
        let to = match Place::find(path, content)? {
            Place::Stream { path, append } => {
                let opened = File::options().write(true).append(append).open(&path);
                To::Stream(opened.map_err(|err| doing("opening", &path, &err))?)
            }
            Place::File(spot) => To::Aside(Aside::make(spot, content, true)?),
        };
        Ok(Self { shown: path.to_owned(), to })
    }

    /// Whether this is going to be a regular file, not a device or a pipe.
    pub const fn is_file(&self) -> bool {
        matches!(self.to, To::Aside(_))
    }

    /// Makes what was written the file, durably.
    ///
    /// # Errors
    /// [`Kind::AlreadyExists`] when somebody made the file of a secret meanwhile; otherwise what the system
    /// says. There is no new file then.
    pub fn finish(self) -> Result<(), Error> {
        self.finish_on(&Real)
    }

    pub(crate) fn finish_on(self, disk: &dyn Disk) -> Result<(), Error> {
        let finished = match self.to {
            To::Aside(aside) => aside.finish(disk),
            To::Stream(file) => flush_stream(&file),
        };
        finished.map_err(|err| match err.kind() {
            io::ErrorKind::AlreadyExists => place::exists(&self.shown),
            _ => doing("writing", &self.shown, &err),
        })
    }
}

impl Write for OutFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.to {
            To::Aside(aside) => aside.file().write(bytes),
            To::Stream(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes all of a file.
///
/// # Errors
/// As [`OutFile::create`] and [`OutFile::finish`].
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut out = OutFile::create(path, Content::Plain)?;
    out.write_all(bytes).map_err(|err| doing("writing", path, &err))?;
    out.finish()
}

/// Disks take a flush; pipes and terminals have none.
fn flush_stream(file: &File) -> io::Result<()> {
    match file.sync_all() {
        Err(err) if err.kind() == io::ErrorKind::InvalidInput => Ok(()),
        flushed => flushed,
    }
}

fn doing(what: &str, path: &Path, err: &io::Error) -> Error {
    Error::io(format!("{what} {}", path.display()), err)
}
