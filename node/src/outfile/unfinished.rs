//! What has a name already and is not finished: removed on an error, and when a signal ends the process.
//!
//! A name is registered under the lock under which it is made, and leaves the registry under the lock
//! under which it gets its final name. The handler of a signal takes the lock for
//! good. So nothing half-written stays, and nothing that is being removed gets its final name.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::AtFlags;

/// How often a tree is removed again that somebody still writes to.
const TRIES: usize = 1000;
/// How many names are tried: a process that was killed may have left some.
const NAMES: usize = 100;

static ALL: Mutex<BTreeMap<u64, Leftover>> = Mutex::new(BTreeMap::new());
static NUMBERS: AtomicU64 = AtomicU64::new(0);

/// What there is to remove.
#[derive(Debug, Clone)]
pub(crate) enum Leftover {
    /// A name in a directory.
    File {
        /// The directory, open.
        dir: Arc<File>,
        /// The name.
        name: OsString,
    },
    /// A directory with all that is in it.
    Tree(PathBuf),
}

/// A name that is removed when this is dropped, or a signal ends the process.
#[derive(Debug)]
pub(crate) struct Unfinished {
    number: u64,
}

impl Unfinished {
    /// Registers what `make` makes. Nothing is registered when that fails.
    fn make<T>(what: Leftover, make: impl FnOnce() -> io::Result<T>) -> io::Result<(Self, T)> {
        let mut all = all();
        let made = make()?;
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        all.insert(number, what);
        Ok((Self { number }, made))
    }

    /// Makes something under a hidden name that nothing else has, and registers it.
    pub(crate) fn under_a_name<T>(
        what: impl Fn(&OsStr) -> Leftover,
        make: impl Fn(&OsStr) -> io::Result<T>,
    ) -> io::Result<(Self, OsString, T)> {
        for _ in 0..NAMES {
            let name = hidden_name();
            match Self::make(what(&name), || make(&name)) {
                Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.map(|(unfinished, made)| (unfinished, name, made)),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Gives it its final name. When that fails it is removed.
    pub(crate) fn keep<T>(self, name: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let mut all = all();
        let named = name();
        if named.is_ok() {
            all.remove(&self.number);
        }
        // Dropped under the lock, this would wait for itself.
        drop(all);
        drop(self);
        named
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(left) = all().remove(&self.number) {
            left.remove();
        }
    }
}

impl Leftover {
    fn remove(&self) {
        match self {
            Self::File { dir, name } => drop(rustix::fs::unlinkat(dir, name, AtFlags::empty())),
            Self::Tree(path) => remove_tree(path),
        }
    }
}

/// A short name for what is written beside a place. A process of this number that was killed may have left
/// something there: in a container each start has the same.
fn hidden_name() -> OsString {
    let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
    format!(".crux-{}-{number}", std::process::id()).into()
}

/// As processes of this number that were killed left them: the next so many names are taken.
#[cfg(test)]
pub(crate) fn leave_names(dir: &Path, count: u64) {
    let next = NUMBERS.load(Ordering::Relaxed);
    for number in next..next + count {
        fs::create_dir(dir.join(format!(".crux-{}-{number}", std::process::id()))).unwrap();
    }
}

/// Removes all there is. The caller ends the process: nothing gets its final name any more.
pub(super) fn remove_all() -> MutexGuard<'static, BTreeMap<u64, Leftover>> {
    let all = all();
    all.values().for_each(Leftover::remove);
    all
}

fn all() -> MutexGuard<'static, BTreeMap<u64, Leftover>> {
    // Every change under the lock is complete at each step.
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes a directory that another thread may still be writing to. This does not follow links.
fn remove_tree(path: &Path) {
    for _ in 0..TRIES {
        match fs::remove_dir_all(path) {
            Err(err) if err.kind() == io::ErrorKind::DirectoryNotEmpty => {}
            Err(err) if err.kind() == io::ErrorKind::PermissionDenied => open_up(path),
            _ => return,
        }
    }
}

/// Makes a tree one that its owner may remove: what was unpacked may be read-only.
fn open_up(dir: &Path) {
    fs::set_permissions(dir, Permissions::from_mode(0o700)).ok();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_up(&entry.path());
        }
    }
}
