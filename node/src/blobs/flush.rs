//! Flushes: the one way by which the store has the disk keep something.
//!
//! What was not flushed may be lost when the machine loses power: the bytes of a file, or its name, each
//! without the other. The tests have a disk that loses it (`tests::power`), and hear of every flush here.

use std::fs::File;
use std::path::Path;

use super::BlobError;
use super::error::Doing as _;

/// Makes the bytes of a file durable; its name is its directory's.
pub(super) fn file(file: &File, path: &Path) -> Result<(), BlobError> {
    file.sync_data().doing("writing", path)?;
    #[cfg(test)]
    super::tests::power::file(file, path);
    Ok(())
}

/// Makes the names in a directory durable.
pub(super) fn dir(path: &Path) -> Result<(), BlobError> {
    File::open(path).and_then(|dir| dir.sync_all()).doing("writing", path)?;
    #[cfg(test)]
    super::tests::power::dir(path);
    Ok(())
}

/// Makes everything on the file system of a directory durable: once for many files.
pub(super) fn file_system(path: &Path) -> Result<(), BlobError> {
    let synced = File::open(path).and_then(|dir| Ok(rustix::fs::syncfs(dir)?));
    synced.doing("writing", path)?;
    #[cfg(test)]
    super::tests::power::file_system(path);
    Ok(())
}
