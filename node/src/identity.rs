//! The node's long-lived key: made at the first start, mode 0600, never printed.

use core::fmt;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::error::{Error, Kind};
use crate::secret::{Format, random, read_line, write_new};

/// The name of the key file in the data directory.
pub const KEY_NAME: &str = "principal.key";

const FORMAT: Format = Format { prefix: "crux-principal", version: 1 };

/// Where the key of a data directory is.
pub fn path_in(data_dir: &Path) -> PathBuf {
    data_dir.join(KEY_NAME)
}

/// The key of a data directory.
pub struct Key {
    /// The Ed25519 seed.
    pub seed: Zeroizing<[u8; 32]>,
    /// Whether it was made just now, so that nothing was ever said under it.
    pub is_new: bool,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("is_new", &self.is_new).finish_non_exhaustive()
    }
}

/// The key in a data directory; made if there is none.
///
/// # Errors
/// [`Kind::InvalidSecret`] when the file holds something else, which is never replaced: the node would
/// be another one. Otherwise what the system says.
pub fn load_or_make(data_dir: &Path) -> Result<Key, Error> {
    let path = path_in(data_dir);
    let doing = || format!("the node's key {}", path.display());
    match File::open(&path) {
        Ok(file) => {
            let seed = read(file).map_err(|err| err.augment(doing()))?;
            Ok(Key { seed, is_new: false })
        }
        Err(err) if err.kind() == ErrorKind::NotFound => {
            let seed = random()?;
            write_new(&path, &FORMAT.encode(&*seed))?;
            tracing::info!(path = %path.display(), "made a key for this node");
            Ok(Key { seed, is_new: true })
        }
        Err(err) => Err(Error::io(doing(), &err)),
    }
}

fn read(file: File) -> Result<Zeroizing<[u8; 32]>, Error> {
    let line = read_line(file)?;
    let content = FORMAT.decode(line.trim_end()).map_err(Error::from)?;
    let seed = content.as_slice().try_into().map(Zeroizing::new);
    seed.map_err(|_| {
        Error::new(Kind::InvalidSecret, "the key has another length than 32 bytes").with_hint(
            "Restore the file from a copy. Without it this node can only come back as another one.",
        )
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let made = load_or_make(dir.path()).unwrap();
        let loaded = load_or_make(dir.path()).unwrap();
        assert_eq!(*loaded.seed, *made.seed);
        assert_eq!((made.is_new, loaded.is_new), (true, false));
        let mode = path_in(dir.path()).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_key_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        drop(load_or_make(dir.path()));
        std::fs::write(path_in(dir.path()), "crux-principal1-aaaa\n").unwrap();
        assert_eq!(load_or_make(dir.path()).unwrap_err().kind(), Kind::InvalidSecret);
        assert_eq!(std::fs::read(path_in(dir.path())).unwrap(), b"crux-principal1-aaaa\n");
    }
}
