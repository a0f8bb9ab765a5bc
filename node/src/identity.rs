//! The node's long-lived key: made at the first start, mode 0600, never printed.

use core::fmt;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::error::{Error, Kind};
use crate::modes;
use crate::outfile::{Disk, Real};
use crate::secret::{Format, random, read_line, write_new_on};
use crate::store::DATABASE_NAME;

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
/// A key has its name only when it is whole and durable. So an empty one, which a full disk or a crash of
/// an earlier version left, was never used, and a new one takes its place: unless there is a database
/// beside it, which says that the node ran.
///
/// # Errors
/// [`Kind::InvalidSecret`] when the file holds something else, which is never replaced: the node would
/// be another one; [`Kind::PermissionDenied`] when everybody may write it. Otherwise what the system says.
pub fn load_or_make(data_dir: &Path) -> Result<Key, Error> {
    load_or_make_on(data_dir, &Real)
}

fn load_or_make_on(data_dir: &Path, disk: &dyn Disk) -> Result<Key, Error> {
    let path = path_in(data_dir);
    let doing = || format!("the node's key {}", path.display());
    match File::open(&path) {
        Ok(file) if is_empty(&file).map_err(|err| Error::io(doing(), &err))? => {
            if data_dir.join(DATABASE_NAME).exists() {
                return Err(lost().augment(doing()));
            }
            tracing::warn!(path = %path.display(), "the key of this node is empty: it was never used");
            make(&path, disk)
        }
        Ok(file) => {
            let seed = read(file, &path).map_err(|err| err.augment(doing()))?;
            Ok(Key { seed, is_new: false })
        }
        Err(err) if err.kind() == ErrorKind::NotFound => make(&path, disk),
        Err(err) => Err(Error::io(doing(), &err)),
    }
}

fn make(path: &Path, disk: &dyn Disk) -> Result<Key, Error> {
    let seed = random()?;
    write_new_on(path, &FORMAT.encode(&*seed), disk)?;
    tracing::info!(path = %path.display(), "made a key for this node");
    Ok(Key { seed, is_new: true })
}

fn is_empty(file: &File) -> std::io::Result<bool> {
    file.metadata().map(|meta| meta.is_file() && meta.len() == 0)
}

fn lost() -> Error {
    Error::new(Kind::InvalidSecret, "the key is empty, and the database beside it was in use").with_hint(
        "Restore the file from a copy. Without it this node can only come back as another one: then \
         remove the file.",
    )
}

fn read(file: File, path: &Path) -> Result<Zeroizing<[u8; 32]>, Error> {
    modes::refuse_writable(&file, path)?;
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

    #[test]
    fn a_key_that_everybody_may_write_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        drop(load_or_make(dir.path()).unwrap());
        let chmod = |mode| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(path_in(dir.path()), mode).unwrap();
        };
        chmod(0o660);
        assert!(load_or_make(dir.path()).is_ok(), "the log warns");
        chmod(0o606);
        let err = load_or_make(dir.path()).unwrap_err();
        assert_eq!(err.kind(), Kind::PermissionDenied);
        assert!(err.to_string().contains("principal.key"), "{err}");
    }

    /// A step, and the key file after it.
    type Seen = (&'static str, Option<Vec<u8>>);

    /// Looks at the directory after each step, as a crash would leave it.
    #[derive(Debug)]
    struct Crashing {
        dir: std::path::PathBuf,
        flushed: std::sync::Mutex<Vec<bool>>,
        seen: std::sync::Mutex<Vec<Seen>>,
    }

    impl Disk for Crashing {
        fn sync(&self, file: &File) -> std::io::Result<()> {
            self.flushed.lock().unwrap().push(file.metadata()?.is_dir());
            Ok(())
        }

        fn sync_file_system(&self, _: &File) -> std::io::Result<()> {
            Ok(())
        }

        fn step(&self, what: &'static str) {
            let flushed = self.flushed.lock().unwrap().len();
            assert_eq!(flushed, usize::from(what != "written"), "the content before the name");
            self.seen.lock().unwrap().push((what, std::fs::read(path_in(&self.dir)).ok()));
        }
    }

    fn crashing(dir: &Path) -> Crashing {
        let (flushed, seen) = Default::default();
        Crashing { dir: dir.to_owned(), flushed, seen }
    }

    #[test]
    fn a_crash_at_any_step_leaves_no_key_or_all_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let disk = crashing(dir.path());
        let made = load_or_make_on(dir.path(), &disk).unwrap();
        let whole = Some(std::fs::read(path_in(dir.path())).unwrap());
        let expected = [("written", None), ("durable", None), ("named", whole.clone())];
        assert_eq!(*disk.seen.lock().unwrap(), expected);
        assert_eq!(*disk.flushed.lock().unwrap(), [false, true], "the file, then its directory");
        for (what, found) in expected {
            let after = tempfile::tempdir().unwrap();
            if let Some(found) = &found {
                std::fs::write(path_in(after.path()), found).unwrap();
            }
            let key = load_or_make(after.path()).unwrap();
            assert_eq!(
                (key.is_new, *key.seed == *made.seed),
                (found.is_none(), found.is_some()),
                "{what}"
            );
        }
    }

    #[test]
    fn an_empty_key_was_never_used() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(path_in(dir.path()), "").unwrap();
        let disk = crashing(dir.path());
        let key = load_or_make_on(dir.path(), &disk).unwrap();
        assert!(key.is_new);
        let empty = Some(Vec::new());
        let seen: Vec<_> = disk.seen.lock().unwrap().drain(..2).map(|(_, found)| found).collect();
        assert_eq!(seen, [empty.clone(), empty], "until a whole one takes its place");
        assert_eq!(*load_or_make(dir.path()).unwrap().seed, *key.seed);
        let mode = path_in(dir.path()).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn an_empty_key_beside_a_database_was_lost() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(path_in(dir.path()), "").unwrap();
        std::fs::write(dir.path().join(DATABASE_NAME), "").unwrap();
        let err = load_or_make(dir.path()).unwrap_err();
        assert_eq!(err.kind(), Kind::InvalidSecret);
        assert_eq!(std::fs::read(path_in(dir.path())).unwrap(), b"");
    }
}
