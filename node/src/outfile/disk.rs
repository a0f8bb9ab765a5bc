use std::fmt::Debug;
use std::fs::File;
use std::io;

/// What makes writes durable, and when. Tests have one that counts and looks in between.
pub(crate) trait Disk: Debug {
    /// Makes the content of a file, or the names in a directory, durable.
    fn sync(&self, file: &File) -> io::Result<()>;

    /// Makes everything on a file system durable.
    fn sync_file_system(&self, dir: &File) -> io::Result<()>;

    /// Called after each step, each of which a crash may follow.
    fn step(&self, _what: &'static str) {}
}

/// The real one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Real;

impl Disk for Real {
    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn sync_file_system(&self, dir: &File) -> io::Result<()> {
        Ok(rustix::fs::syncfs(dir)?)
    }
}

/// Makes the names in a directory durable. Some file systems have no flush for that, and a directory that
/// may be written to and not read cannot be flushed.
pub(crate) fn sync_names(disk: &dyn Disk, dir: io::Result<File>) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, PermissionDenied};
    match dir.and_then(|dir| disk.sync(&dir)) {
        Err(err) if matches!(err.kind(), InvalidInput | PermissionDenied) => Ok(()),
        flushed => flushed,
    }
}
