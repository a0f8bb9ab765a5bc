//! What lies where in a storage directory.
//!
//! ```text
//!   DIR/ab/abcd…          a sealed blob, under its id
//!   DIR/ab/abcd….meta     what is known of it; that and the blob together are what counts
//!   DIR/ab/abcd….tree     the inner hashes, when there is more than one piece
//!   DIR/ab/abcd….keep     that it is pinned or reserved; absent when it is neither
//!   DIR/partial/abcd….{data,tree,have}     a blob under way
//!   DIR/partial/abcd….2.{data,tree,have}   the same by another root
//!   DIR/partial/put-N     a stream that is coming in; deleted at the start
//!   DIR/partial/journal-N small blobs that came in lately; only in the first one
//!   DIR/dirs              further directories; only in the first one
//!   DIR/age               how old the store is; only in the first one
//! ```
//!
//! Every other name is somebody else's and is left alone.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crux_crdt::blob::BlobId;

use super::BlobError;
use super::error::Doing as _;
use super::flush;

/// Where one of the trees of a blob under way is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    First,
    Second,
}

impl Slot {
    pub(super) const ALL: [Self; 2] = [Self::First, Self::Second];

    fn ending(self, of: &str) -> String {
        match self {
            Self::First => of.to_owned(),
            Self::Second => format!("2.{of}"),
        }
    }
}

/// A storage directory.
#[derive(Debug)]
pub(super) struct Layout {
    root: PathBuf,
    // Tells whether somebody put another directory in its place.
    identity: (u64, u64),
    // Directories of blobs that were there when this was opened and were not flushed since: whoever
    // renamed something in them may have ended before its flush.
    found: Mutex<BTreeSet<u8>>,
}

impl Layout {
    /// Opens a storage directory; made, with mode 0700, if there is none.
    pub(super) fn open(path: &Path) -> Result<Self, BlobError> {
        let doing = "opening the blob directory";
        let make = |path: &Path| DirBuilder::new().recursive(true).mode(0o700).create(path);
        let missing = path.ancestors().take_while(|dir| !dir.exists()).count();
        make(path).doing(doing, path)?;
        let root = fs::canonicalize(path).doing(doing, path)?;
        make(&root.join("partial")).doing(doing, path)?;
        // Made now or not: the process that made them may have ended before this.
        flush::dir(&root)?;
        flush_parents(&root, missing)?;
        let identity = identity(&root).doing(doing, path)?;
        let found = Mutex::new(shards(&root).doing(doing, path)?);
        Ok(Self { root, identity, found })
    }

    /// Whether a directory was opened before: false also for the empty place where a disk is mounted.
    pub(super) fn was_used(path: &Path) -> bool {
        path.join("partial").is_dir()
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Refuses when another directory, or none, is where this one was.
    pub(super) fn check(&self) -> Result<(), BlobError> {
        match identity(&self.root) {
            Ok(found) if found == self.identity => Ok(()),
            _ => Err(BlobError::Swapped(self.root.clone())),
        }
    }

    /// The directory that a sealed blob is in; made if there is none.
    pub(super) fn make_shard(&self, id: &BlobId) -> Result<(), BlobError> {
        let shard = self.shard(id);
        match DirBuilder::new().mode(0o700).create(&shard) {
            Err(err) if err.kind() != io::ErrorKind::AlreadyExists => {
                Err(BlobError::io("making", &shard, &err))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn data(&self, id: &BlobId) -> PathBuf {
        self.shard(id).join(id.to_string())
    }

    pub(super) fn meta(&self, id: &BlobId) -> PathBuf {
        self.shard(id).join(format!("{id}.meta"))
    }

    pub(super) fn tree(&self, id: &BlobId) -> PathBuf {
        self.shard(id).join(format!("{id}.tree"))
    }

    pub(super) fn keep(&self, id: &BlobId) -> PathBuf {
        self.shard(id).join(format!("{id}.keep"))
    }

    pub(super) fn partial_data(&self, id: &BlobId, slot: Slot) -> PathBuf {
        self.partial(&format!("{id}.{}", slot.ending("data")))
    }

    pub(super) fn partial_tree(&self, id: &BlobId, slot: Slot) -> PathBuf {
        self.partial(&format!("{id}.{}", slot.ending("tree")))
    }

    pub(super) fn partial_have(&self, id: &BlobId, slot: Slot) -> PathBuf {
        self.partial(&format!("{id}.{}", slot.ending("have")))
    }

    pub(super) fn incoming(&self, number: u64) -> PathBuf {
        self.partial(&format!("put-{number}"))
    }

    pub(super) fn journal(&self, number: u64) -> PathBuf {
        self.partial(&format!("journal-{number}"))
    }

    /// The directory of what is under way.
    pub(super) fn partials_dir(&self) -> PathBuf {
        self.root.join("partial")
    }

    pub(super) fn dirs(&self) -> PathBuf {
        self.root.join("dirs")
    }

    pub(super) fn age(&self) -> PathBuf {
        self.root.join("age")
    }

    /// Makes what was renamed beside a sealed blob durable, and the place of that in the directory.
    pub(super) fn sync_shard(&self, id: &BlobId) -> Result<(), BlobError> {
        flush::dir(&self.shard(id))?;
        flush::dir(&self.root)?;
        self.found().remove(&id.0[0]);
        Ok(())
    }

    /// Whether names beside a sealed blob were there at the start and were not flushed since.
    pub(super) fn may_lose(&self, id: &BlobId) -> bool {
        self.found().contains(&id.0[0])
    }

    /// The disk that it is on.
    pub(super) const fn disk(&self) -> u64 {
        self.identity.0
    }

    /// Whether two are one directory.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.root == other.root && self.identity == other.identity
    }

    fn found(&self) -> MutexGuard<'_, BTreeSet<u8>> {
        // Every change under the lock is complete at each step.
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ids of whatever has a file of this ending: `meta` or `keep` of sealed blobs.
    pub(super) fn ids(&self, ending: &str) -> io::Result<Vec<BlobId>> {
        self.find(|name| id_with(name, ending))
    }

    fn find(&self, id_of: impl Fn(&OsStr) -> Option<BlobId>) -> io::Result<Vec<BlobId>> {
        let mut ids = Vec::new();
        for shard in fs::read_dir(&self.root)? {
            let shard = shard?;
            if is_shard(&shard.file_name()) && shard.file_type()?.is_dir() {
                for file in fs::read_dir(shard.path())? {
                    ids.extend(id_of(&file?.file_name()));
                }
            }
        }
        Ok(ids)
    }

    /// The ids of whatever bears the name of a sealed blob.
    pub(super) fn files(&self) -> io::Result<Vec<BlobId>> {
        self.find(|name| name.to_str()?.parse().ok())
    }

    /// The ids of blobs under way that have a file of this ending in a slot.
    pub(super) fn partials(&self, ending: &str, slot: Slot) -> io::Result<Vec<BlobId>> {
        let ending = slot.ending(ending);
        let mut ids = Vec::new();
        for file in fs::read_dir(self.partials_dir())? {
            ids.extend(id_with(&file?.file_name(), &ending));
        }
        Ok(ids)
    }

    /// The numbers of the segments of the journal.
    pub(super) fn journals(&self) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for file in fs::read_dir(self.partials_dir())? {
            let name = file?.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix("journal-"));
            numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        Ok(numbers)
    }

    /// Deletes the streams that were coming in when the process ended.
    pub(super) fn clear_incoming(&self) -> io::Result<()> {
        for file in fs::read_dir(self.partials_dir())? {
            let file = file?;
            let name = file.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix("put-"));
            if number.is_some_and(|number| number.parse::<u64>().is_ok()) {
                fs::remove_file(file.path())?;
            }
        }
        Ok(())
    }

    fn shard(&self, id: &BlobId) -> PathBuf {
        self.root.join(format!("{:02x}", id.0[0]))
    }

    fn partial(&self, name: &str) -> PathBuf {
        self.partials_dir().join(name)
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|meta| (meta.dev(), meta.ino()))
}

fn is_shard(name: &OsStr) -> bool {
    let hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    name.len() == 2 && name.as_encoded_bytes().iter().all(hex)
}

fn id_with(name: &OsStr, ending: &str) -> Option<BlobId> {
    let stem = name.to_str()?.strip_suffix(ending)?.strip_suffix('.')?;
    stem.parse().ok()
}

/// Removes a file that may not be there.
pub(super) fn remove(path: &Path) -> Result<(), BlobError> {
    match fs::remove_file(path) {
        Err(err) if err.kind() != io::ErrorKind::NotFound => {
            Err(BlobError::io("removing", path, &err))
        }
        _ => Ok(()),
    }
}

/// The directories of blobs that are there.
fn shards(root: &Path) -> io::Result<BTreeSet<u8>> {
    let mut found = BTreeSet::new();
    for shard in fs::read_dir(root)? {
        let name = shard?.file_name();
        let number = name.to_str().filter(|_| is_shard(&name));
        found.extend(number.and_then(|number| u8::from_str_radix(number, 16).ok()));
    }
    Ok(found)
}

/// Makes the place of a directory in its parent durable, and those of so many of its parents that were
/// made with it. A parent in which nothing was made may be one that cannot be read, or flushed.
fn flush_parents(dir: &Path, made: usize) -> Result<(), BlobError> {
    let flushed: Vec<_> = dir.ancestors().skip(1).take(made.max(1)).map(flush::dir).collect();
    if made == 0 { Ok(()) } else { flushed.into_iter().collect() }
}
