//! A disk that loses power: what was flushed is there afterwards, and of the rest the worst.
//!
//! A [`Disk`] hears of every flush below its root, and remembers what is durable: of each file the bytes
//! that it had at its last flush, of each directory the names. After a loss of power a file system may
//! have more than that, each by itself: so a loss leaves the names as they were flushed, or all of
//! them; and of the bytes the flushed ones, or all.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tempfile::TempDir;

static DISKS: Mutex<Vec<Weak<Disk>>> = Mutex::new(Vec::new());

/// What of the names, or of the bytes, is there after the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::blobs) enum Left {
    /// What was flushed.
    Flushed,
    /// Everything.
    All,
}

/// Names and bytes after each loss that there may be.
pub(super) const LOSSES: [(Left, Left); 4] = [
    (Left::Flushed, Left::Flushed),
    (Left::Flushed, Left::All),
    (Left::All, Left::Flushed),
    (Left::All, Left::All),
];

#[derive(Debug)]
pub(in crate::blobs) struct Disk {
    root: PathBuf,
    durable: Mutex<Durable>,
}

#[derive(Debug, Default)]
struct Durable {
    /// By inode. Each is open, so that no other file gets its number.
    files: BTreeMap<u64, Kept>,
    dirs: BTreeMap<PathBuf, BTreeMap<OsString, Name>>,
}

#[derive(Debug)]
struct Kept {
    file: File,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Name {
    Dir,
    File(u64),
}

/// Hears of the flush of a file.
pub(in crate::blobs) fn file(file: &File, path: &Path) {
    each(path, |disk| {
        disk.durable().keep(file, true);
    });
}

/// Hears of the flush of a directory.
pub(in crate::blobs) fn dir(path: &Path) {
    each(path, |disk| disk.durable().keep_names(path));
}

/// Hears of the flush of everything.
pub(in crate::blobs) fn file_system(path: &Path) {
    each(path, |disk| disk.durable().keep_all(&disk.root));
}

fn each(path: &Path, then: impl Fn(&Disk)) {
    let disks: Vec<_> = disks().iter().filter_map(Weak::upgrade).collect();
    disks.iter().filter(|disk| path.starts_with(&disk.root)).for_each(|disk| then(disk));
}

fn disks() -> MutexGuard<'static, Vec<Weak<Disk>>> {
    DISKS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Disk {
    /// A disk at a directory, with what is in it by now.
    pub(super) fn at(root: &Path) -> Arc<Self> {
        let root = fs::canonicalize(root).unwrap();
        let disk = Arc::new(Self { root, durable: Mutex::default() });
        disk.durable().keep_all(&disk.root);
        let mut disks = disks();
        disks.retain(|disk| disk.strong_count() > 0);
        disks.push(Arc::downgrade(&disk));
        disk
    }

    /// What there is after a loss of power now.
    pub(super) fn lose(&self, names: Left, bytes: Left) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        let mut durable = self.durable();
        // Names that were not flushed lead to files of which nothing may be durable.
        durable.pin_all(&self.root);
        durable.restore((names, bytes), &self.root, copy.path());
        copy
    }

    fn durable(&self) -> MutexGuard<'_, Durable> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Durable {
    /// Remembers a file, and its bytes if they were flushed.
    fn keep(&mut self, file: &File, flushed: bool) -> u64 {
        let inode = file.metadata().unwrap().ino();
        // It may be open for writing only, and have another name by now, or none.
        let open = || File::open(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap();
        let kept =
            self.files.entry(inode).or_insert_with(|| Kept { file: open(), bytes: Vec::new() });
        if flushed {
            kept.bytes = kept.now();
        }
        inode
    }

    fn keep_names(&mut self, dir: &Path) {
        let names = self.names(dir, false);
        self.dirs.insert(dir.to_owned(), names);
    }

    fn keep_all(&mut self, dir: &Path) {
        let names = self.names(dir, true);
        for name in names.iter().filter(|(_, what)| matches!(what, Name::Dir)) {
            self.keep_all(&dir.join(name.0));
        }
        self.dirs.insert(dir.to_owned(), names);
    }

    fn pin_all(&mut self, dir: &Path) {
        for (name, what) in self.names(dir, false) {
            if matches!(what, Name::Dir) {
                self.pin_all(&dir.join(name));
            }
        }
    }

    /// The names that are in a directory now.
    fn names(&mut self, dir: &Path, flushed: bool) -> BTreeMap<OsString, Name> {
        let mut names = BTreeMap::new();
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let what = if entry.file_type().unwrap().is_dir() {
                Name::Dir
            } else {
                // A worker beside may have renamed it.
                let Ok(file) = File::open(entry.path()) else { continue };
                Name::File(self.keep(&file, flushed))
            };
            names.insert(entry.file_name(), what);
        }
        names
    }

    fn restore(&mut self, (left, bytes): (Left, Left), dir: &Path, to: &Path) {
        let names = match left {
            Left::Flushed => self.dirs.get(dir).cloned().unwrap_or_default(),
            Left::All => self.names(dir, false),
        };
        for (name, what) in names {
            let to = to.join(&name);
            match what {
                Name::Dir => {
                    fs::create_dir(&to).unwrap();
                    self.restore((left, bytes), &dir.join(&name), &to);
                }
                Name::File(inode) => {
                    let kept = &self.files[&inode];
                    let content = if bytes == Left::All { kept.now() } else { kept.bytes.clone() };
                    fs::write(to, content).unwrap();
                }
            }
        }
    }
}

impl Kept {
    fn now(&self) -> Vec<u8> {
        use std::os::unix::fs::FileExt as _;

        let mut bytes = vec![0; usize::try_from(self.file.metadata().unwrap().len()).unwrap()];
        self.file.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    }
}
