//! A blob under way, by one root.
//!
//! A piece is checked, then written, then marked; the marks go to disk after the bytes did, every
//! [`SAVE_PIECES`]. So what is marked on disk is there, and what was written and not marked is found
//! again by checking it. The disk is told to begin with each piece at once, so that a flush finds little
//! left to do: others' flushes, the database's for one, wait for it on the same disk. The SHA-3 follows
//! behind, in order, as far as there is no gap, on a thread of its own ([`Partial::follow`]).

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use bytes::Bytes;
use crux_crdt::blob::{BlobHasher, BlobId, PIECE_BYTES, PieceSet, Root, piece_count, piece_len};
use rustix::fs::{Advice, SeekFrom};

use super::BlobError;
use super::error::Doing as _;
use super::flush;
use super::layout::{Layout, Slot, remove};
use super::record::{self, Have};
use super::tree::{Failure, Piece, Tree, has_pairs};

/// How many pieces are written before marks go to disk. What is not marked costs a look after a crash.
const SAVE_PIECES: u32 = 32;

#[derive(Debug)]
pub(super) struct Partial {
    pub(super) id: BlobId,
    pub(super) root: Root,
    pub(super) size: u64,
    pub(super) dir: Arc<Layout>,
    pub(super) slot: Slot,
    data: File,
    pairs: Option<File>,
    marks: Mutex<Marks>,
    follow: Mutex<Follow>,
    // Held while a piece is written: a file takes one writer at a time, and the kernel has the others
    // spin, on a core that the SHA-3 could use.
    writing: Mutex<()>,
    // Held while marks go to disk: two at once would take each other's file away.
    saving: Mutex<()>,
    touched: Mutex<Duration>,
    // Whether nobody fetches it.
    resting: AtomicBool,
}

#[derive(Debug)]
struct Marks {
    pieces: PieceSet,
    // Pieces that checked and are being written: room was made for them.
    coming: BTreeSet<u32>,
    // How many were added since the marks went to disk.
    unsaved: u32,
}

impl Marks {
    fn coming(&self, size: u64) -> u64 {
        self.coming.iter().map(|index| piece_len(size, *index)).sum()
    }
}

#[derive(Debug, Default)]
struct Follow {
    hasher: BlobHasher,
    next: u32,
}

impl Partial {
    /// Begins a blob, or continues one that `have` describes. The record comes first, so that no
    /// data lies about that belongs to nothing.
    pub(super) fn open(
        dir: Arc<Layout>,
        slot: Slot,
        mut have: Have,
        now: Duration,
    ) -> Result<Self, BlobError> {
        let id = have.id;
        let (data, pairs) = (dir.partial_data(&id, slot), dir.partial_tree(&id, slot));
        if !data.exists() || (has_pairs(have.size) && !pairs.exists()) {
            have.pieces = PieceSet::none(have.size);
        }
        record::write(&dir.partial_have(&id, slot), &have)?;
        let Have { root, size, pieces, .. } = have;
        let data = open(&data)?;
        let pairs = has_pairs(size).then(|| open(&pairs)).transpose()?;
        let marks = Mutex::new(Marks { pieces, coming: BTreeSet::new(), unsaved: 0 });
        let (follow, touched) = (Mutex::default(), Mutex::new(now));
        let (writing, saving, resting) = Default::default();
        #[rustfmt::skip]
        let partial = Self {
            id, root, size, dir, slot, data, pairs, marks, follow, writing, saving, touched, resting,
        };
        partial.find_unmarked()?;
        Ok(partial)
    }

    /// Which pieces are here.
    pub(super) fn pieces(&self) -> PieceSet {
        self.marks().pieces.clone()
    }

    /// The age of the store when it was begun, or gone on with.
    pub(super) fn touched(&self) -> Duration {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody fetches it.
    pub(super) fn touch(&self, now: Duration) {
        self.resting.store(false, Ordering::Relaxed);
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Nobody fetches it.
    pub(super) fn rest(&self) {
        self.resting.store(true, Ordering::Relaxed);
    }

    /// Whether nobody fetches it.
    pub(super) fn is_resting(&self) -> bool {
        self.resting.load(Ordering::Relaxed)
    }

    /// How many bytes of the disk it takes: of pieces that checked, written or being written. What the
    /// blob is said to have beyond that takes none.
    pub(super) fn bytes(&self) -> u64 {
        let marks = self.marks();
        let last = marks.pieces.count().saturating_sub(1);
        let short = PIECE_BYTES - piece_len(self.size, last).min(PIECE_BYTES);
        let short = if marks.pieces.contains(last) { short } else { 0 };
        u64::from(marks.pieces.held()) * PIECE_BYTES - short + marks.coming(self.size)
    }

    /// How many of these bytes are being written: the disk does not show them as taken yet.
    pub(super) fn coming(&self) -> u64 {
        self.marks().coming(self.size)
    }

    /// How many files it takes.
    pub(super) fn files(&self) -> u64 {
        if self.pairs.is_some() { 3 } else { 2 }
    }

    /// Whether a piece is neither here nor being written.
    pub(super) fn lacks(&self, index: u32) -> bool {
        let marks = self.marks();
        !marks.pieces.contains(index) && !marks.coming.contains(&index)
    }

    /// A piece is about to be written.
    pub(super) fn expect(&self, index: u32) {
        self.marks().coming.insert(index);
    }

    /// The error that says that another tree is fetched.
    pub(super) const fn other(&self) -> BlobError {
        BlobError::OtherRoot { id: self.id, root: self.root, size: self.size }
    }

    /// Writes a piece that checked and was expected, and marks it.
    pub(super) fn write(&self, index: u32, piece: &Piece) -> Result<(), BlobError> {
        let at = u64::from(index) * PIECE_BYTES;
        let written = self.write_bytes(piece, at).map_err(|err| self.failed("writing", &err));
        let is_due = {
            let mut marks = self.marks();
            marks.coming.remove(&index);
            written?;
            marks.pieces.insert(index);
            marks.unsaved += 1;
            marks.unsaved >= SAVE_PIECES
        };
        begin_writeback(&self.data, at, piece.data.len() as u64);
        if is_due { self.save_soon() } else { Ok(()) }
    }

    fn write_bytes(&self, piece: &Piece, at: u64) -> io::Result<()> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.data.write_all_at(&piece.data, at)?;
        self.pairs.as_ref().map_or(Ok(()), |pairs| piece.write_pairs(pairs))
    }

    /// As [`Partial::save`], unless another thread does: the next writer takes care of the rest.
    fn save_soon(&self) -> Result<(), BlobError> {
        match self.saving.try_lock() {
            Ok(saving) => self.save_with(&saving),
            Err(TryLockError::Poisoned(saving)) => self.save_with(&saving.into_inner()),
            Err(TryLockError::WouldBlock) => Ok(()),
        }
    }

    /// Makes what was written durable, and then the marks.
    pub(super) fn save(&self) -> Result<(), BlobError> {
        self.save_with(&self.saving.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn save_with(&self, _saving: &MutexGuard<'_, ()>) -> Result<(), BlobError> {
        let pieces = {
            let mut marks = self.marks();
            marks.unsaved = 0;
            marks.pieces.clone()
        };
        self.sync()?;
        let have = Have { id: self.id, root: self.root, size: self.size, pieces };
        record::write(&self.dir.partial_have(&self.id, self.slot), &have)
    }

    /// Makes the bytes and the pairs durable.
    pub(super) fn sync(&self) -> Result<(), BlobError> {
        let path = self.dir.partial_data(&self.id, self.slot);
        let mut files = std::iter::once(&self.data).chain(&self.pairs);
        files.try_for_each(|file| flush::file(file, &path))
    }

    /// A piece as it travels.
    pub(super) fn encode(&self, index: u32) -> Result<Bytes, BlobError> {
        let id = self.id;
        if !self.marks().pieces.contains(index) {
            return Err(BlobError::NoPiece { id, index });
        }
        match self.tree().encode(&self.data, index) {
            Ok(bytes) => Ok(bytes),
            Err(Failure::Io(err)) => Err(self.failed("reading", &err)),
            Err(Failure::Wrong) => {
                self.unmark(&[index])?;
                Err(BlobError::Damaged { id, bad: 1 })
            }
        }
    }

    /// The SHA-3 of all of it. Every piece is here.
    pub(super) fn hash(&self) -> Result<BlobId, BlobError> {
        let mut follow = self.follow.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffer = Vec::new();
        while follow.next < piece_count(self.size) {
            self.follow_one(&mut follow, &mut buffer)?;
        }
        Ok(std::mem::take(&mut *follow).hasher.finish())
    }

    /// Checks every piece that is marked, and unmarks those that are not what the root promises.
    /// Returns how many.
    pub(super) fn check_all(&self) -> Result<u32, BlobError> {
        let mut bad = Vec::new();
        for index in self.pieces().iter() {
            match self.tree().encode(&self.data, index) {
                Ok(_) => {}
                Err(Failure::Wrong) => bad.push(index),
                Err(Failure::Io(err)) => return Err(self.failed("reading", &err)),
            }
        }
        self.unmark(&bad)?;
        Ok(u32::try_from(bad.len()).unwrap_or(u32::MAX))
    }

    /// Deletes its files: the record last, so that nothing is left without one.
    pub(super) fn delete(&self) -> Result<(), BlobError> {
        delete(&self.dir, &self.id, self.slot)
    }

    /// Whether it is by this root and of this size.
    pub(super) fn is_of(&self, of: (Root, u64)) -> bool {
        (self.root, self.size) == of
    }

    /// Where its bytes are.
    pub(super) fn data_path(&self) -> PathBuf {
        self.dir.partial_data(&self.id, self.slot)
    }

    /// Where its inner hashes are, if it has any.
    pub(super) fn tree_path(&self) -> Option<PathBuf> {
        has_pairs(self.size).then(|| self.dir.partial_tree(&self.id, self.slot))
    }

    fn tree(&self) -> Tree<'_> {
        Tree { root: self.root, size: self.size, pairs: self.pairs.as_ref() }
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        // Every change under the lock is complete at each step.
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks what a crash left written and not marked. Looks only where the file has data, so that a size
    /// that was only claimed costs no time.
    fn find_unmarked(&self) -> Result<(), BlobError> {
        let mut next = 0;
        while let Some(index) = self.next_with_data(next)? {
            next = index + 1;
            if self.has(index) {
                continue;
            }
            match self.tree().encode(&self.data, index) {
                Ok(_) => drop(self.marks().pieces.insert(index).then_some(())),
                Err(Failure::Wrong) => {}
                Err(Failure::Io(err)) => return Err(self.failed("reading", &err)),
            }
        }
        Ok(())
    }

    /// The first piece from `index` on of which something is on the disk.
    fn next_with_data(&self, index: u32) -> Result<Option<u32>, BlobError> {
        let from = SeekFrom::Data(u64::from(index) * PIECE_BYTES);
        match rustix::fs::seek(&self.data, from) {
            Ok(at) => {
                Ok(u32::try_from(at / PIECE_BYTES).ok().filter(|at| *at < piece_count(self.size)))
            }
            Err(rustix::io::Errno::NXIO) => Ok(None),
            Err(err) => Err(self.failed("reading", &err.into())),
        }
    }

    fn unmark(&self, bad: &[u32]) -> Result<(), BlobError> {
        if bad.is_empty() {
            return Ok(());
        }
        for index in bad {
            self.marks().pieces.remove(*index);
        }
        *self.follow.lock().unwrap_or_else(PoisonError::into_inner) = Follow::default();
        self.save()
    }

    /// Hashes what is here, in order, up to the first gap; unless somebody else is about it.
    pub(super) fn follow(&self) -> Result<(), BlobError> {
        let Ok(mut follow) = self.follow.try_lock() else { return Ok(()) };
        let mut buffer = Vec::new();
        while self.has(follow.next) {
            self.follow_one(&mut follow, &mut buffer)?;
        }
        Ok(())
    }

    fn has(&self, index: u32) -> bool {
        self.marks().pieces.contains(index)
    }

    fn follow_one(&self, follow: &mut Follow, buffer: &mut Vec<u8>) -> Result<(), BlobError> {
        let len = piece_len(self.size, follow.next);
        buffer.resize(usize::try_from(len).unwrap_or(0), 0);
        let at = u64::from(follow.next) * PIECE_BYTES;
        self.data.read_exact_at(buffer, at).map_err(|err| self.failed("reading", &err))?;
        follow.hasher.update(buffer);
        follow.next += 1;
        Ok(())
    }

    fn failed(&self, doing: &str, err: &io::Error) -> BlobError {
        BlobError::io(doing, &self.data_path(), err)
    }
}

/// Has the disk begin with what was just written, without waiting for it. What is dirty stays in memory;
/// this advice drops only pages that are clean already.
pub(super) fn begin_writeback(file: &File, at: u64, len: u64) {
    // Advice: nothing is lost where it is not taken.
    rustix::fs::fadvise(file, at, NonZeroU64::new(len), Advice::DontNeed).ok();
}

/// Deletes the files of a blob under way.
pub(super) fn delete(dir: &Layout, id: &BlobId, slot: Slot) -> Result<(), BlobError> {
    remove(&dir.partial_data(id, slot))?;
    remove(&dir.partial_tree(id, slot))?;
    remove(&dir.partial_have(id, slot))
}

fn open(path: &Path) -> Result<File, BlobError> {
    let mut options = OpenOptions::new();
    // It grows as pieces are written: a length that was only claimed would be copied by backups.
    options.create(true).truncate(false).read(true).write(true).mode(0o600);
    options.open(path).doing("opening", path)
}

/// Whether a file is there, and has this length.
pub(super) fn has_len(path: &Path, len: u64) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() == len)
}
