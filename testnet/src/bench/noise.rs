//! Files of random bytes: nothing in them can be found twice, compressed or left out.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use rand::Rng as _;

use crate::Error;

const CHUNK: usize = 1 << 20;

/// Writes a file of random bytes, durably: what the kernel has yet to write would be part of what is
/// measured next.
///
/// # Errors
///
/// [`Error::Io`].
pub(super) fn write(path: &Path, bytes: u64) -> Result<(), Error> {
    let file = write_unsynced(path, bytes)?;
    file.sync_all().map_err(Error::io(format!("write {}", path.display())))
}

/// Writes a file of random bytes.
///
/// # Errors
///
/// [`Error::Io`].
pub(super) fn write_unsynced(path: &Path, bytes: u64) -> Result<File, Error> {
    let failed = || Error::io(format!("write {}", path.display()));
    let mut file = File::create(path).map_err(failed())?;
    let mut buffer = vec![0; usize::try_from(bytes).unwrap_or(CHUNK).min(CHUNK)];
    let mut rng = rand::rng();
    let mut left = bytes;
    while left > 0 {
        let count = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        rng.fill_bytes(&mut buffer[..count]);
        file.write_all(&buffer[..count]).map_err(failed())?;
        left -= count as u64;
    }
    Ok(file)
}
