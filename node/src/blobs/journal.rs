//! The journal: many small blobs made durable by one flush.
//!
//! A small blob as files of its own takes a flush for its bytes, one for its record and one for the
//! directory. Here a batch of them is appended to one file instead, and flushed once; then they are
//! acknowledged, and written as files without any flush. When a segment of the journal is full, one flush
//! of the file system makes all of its files durable, and the segment is deleted.
//!
//! **Invariants**
//!
//! * What was acknowledged is whole in a segment that is on disk, or in files that are.
//! * A segment is deleted only after all its blobs' files were written and flushed.
//! * The last entry about a blob decides. One that left, or that is kept another way since, has an entry
//!   that says so, hence a start brings nothing back that was removed. The entry follows the removal, which
//!   makes room for it on a disk that is full; until it is there, a start brings the blob back whole.
//! * An entry is believed when its checksum holds; where one does not, the segment ends.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use crux_crdt::blob::BlobId;

use super::BlobError;
use super::error::Doing as _;
use super::flush;
use super::layout::{Layout, remove};

/// How long a segment gets, in bytes: what a start after a crash reads and writes again at most twice.
const SEGMENT_BYTES: u64 = 16 << 20;
/// The longest entry that is believed, in bytes.
const ENTRY_BYTES_MAX: usize = 1 << 20;
const CHECK_BYTES: usize = 32;
const ID_BYTES: usize = 32;

const PUT: u8 = 1;
const GONE: u8 = 2;

/// The journal of one directory.
#[derive(Debug)]
pub(super) struct Journal {
    dir: Arc<Layout>,
    /// The segment that is written to, once there is one.
    open: Option<Segment>,
    next_number: u64,
    /// The last segment that says that a blob is here.
    puts: BTreeMap<BlobId, u64>,
    /// Those of them that left while the disk had no room for an entry that says so: it is written with
    /// the next one.
    owed: BTreeSet<BlobId>,
}

#[derive(Debug)]
struct Segment {
    number: u64,
    file: Arc<File>,
    len: u64,
}

/// What a start finds of a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// It was put, with these bytes.
    Put(Bytes),
    /// It left, or is kept another way.
    Gone,
}

impl Journal {
    /// A journal that continues after the segments on the disk.
    pub(super) fn open(dir: Arc<Layout>) -> Result<Self, BlobError> {
        let last = dir.journals().doing("reading", dir.root())?.into_iter().max();
        let next_number = last.map_or(0, |last| last + 1);
        Ok(Self { dir, open: None, next_number, puts: BTreeMap::new(), owed: BTreeSet::new() })
    }

    /// The directory that it is the journal of.
    pub(super) fn dir(&self) -> &Arc<Layout> {
        &self.dir
    }

    /// Appends blobs that come in. They are durable once the file that is returned is flushed.
    pub(super) fn put<'a>(
        &mut self,
        blobs: impl Iterator<Item = (BlobId, &'a [u8])> + Clone,
    ) -> Result<Arc<File>, BlobError> {
        // First: what left may be among what comes.
        let mut entries = self.owed();
        for (id, bytes) in blobs.clone() {
            encode(&mut entries, PUT, &id, bytes);
        }
        let (file, number) = self.append(&entries)?;
        self.settle_owed();
        self.puts.extend(blobs.map(|(id, _)| (id, number)));
        Ok(file)
    }

    /// Notes that a blob is about to leave, or to be kept another way. Nothing happens when the journal does
    /// not have it, or when this fails. It is as durable as the removal itself.
    pub(super) fn gone(&mut self, id: &BlobId) -> Result<(), BlobError> {
        if !self.puts.contains_key(id) {
            return Ok(());
        }
        let is_new = self.owed.insert(*id);
        self.write_owed().inspect_err(|_| {
            if is_new {
                self.owed.remove(id);
            }
        })
    }

    /// As [`Journal::gone`], of a blob that left already, which may have made the room for this. Where the
    /// disk has none all the same it is noted with the next entry: a start before that brings the blob back.
    pub(super) fn left(&mut self, id: &BlobId) {
        if !self.puts.contains_key(id) {
            return;
        }
        self.owed.insert(*id);
        if let Err(error) = self.write_owed() {
            tracing::warn!(blob = %id, %error, "the journal does not say yet that a blob left");
        }
    }

    fn write_owed(&mut self) -> Result<(), BlobError> {
        let entries = self.owed();
        self.append(&entries)?;
        self.settle_owed();
        Ok(())
    }

    fn owed(&self) -> Vec<u8> {
        let mut entries = Vec::new();
        self.owed.iter().for_each(|id| encode(&mut entries, GONE, id, &[]));
        entries
    }

    /// What was owed is written.
    fn settle_owed(&mut self) {
        for id in std::mem::take(&mut self.owed) {
            self.puts.remove(&id);
        }
    }

    fn append(&mut self, entries: &[u8]) -> Result<(Arc<File>, u64), BlobError> {
        if self.open.is_none() {
            self.open = Some(self.begin()?);
        }
        let Some(segment) = &mut self.open else { return Err(BlobError::Closed) };
        let path = self.dir.journal(segment.number);
        if let Err(err) = (&*segment.file).write_all(entries) {
            // What comes after a torn entry would not be read.
            if segment.file.set_len(segment.len).is_err() {
                self.open = None;
            }
            return Err(BlobError::io("writing", &path, &err));
        }
        segment.len += entries.len() as u64;
        Ok((segment.file.clone(), segment.number))
    }

    fn begin(&mut self) -> Result<Segment, BlobError> {
        let number = self.next_number;
        self.next_number += 1;
        let path = self.dir.journal(number);
        let mut options = OpenOptions::new();
        // Appended to: where one was cut off, the next begins there.
        let file = options.create_new(true).append(true).mode(0o600).open(&path);
        let file = Arc::new(file.doing("making", &path)?);
        flush::dir(&self.dir.partials_dir())?;
        Ok(Segment { number, file, len: 0 })
    }

    /// Ends the segment if it is full, or however long it is: returns its number, for [`Journal::drop_to`]
    /// once all of its blobs are durable as files.
    pub(super) fn end_segment(&mut self, however_long: bool) -> Option<u64> {
        let is_due = |segment: &mut Segment| however_long || segment.len >= SEGMENT_BYTES;
        self.open.take_if(is_due).map(|segment| segment.number)
    }

    /// Deletes the segments up to a number: what they hold is durable elsewhere.
    pub(super) fn drop_to(&mut self, number: u64) -> Result<(), BlobError> {
        self.puts.retain(|_, of| *of > number);
        self.owed.retain(|id| self.puts.contains_key(id));
        for old in self.dir.journals().doing("reading", self.dir.root())? {
            if old <= number {
                remove(&self.dir.journal(old))?;
            }
        }
        Ok(())
    }

    /// The disk is full, until the segment is found to be torn and another one begins.
    #[cfg(test)]
    pub(super) fn fill_disk(&mut self) {
        let full = OpenOptions::new().append(true).open("/dev/full").unwrap();
        self.open.as_mut().unwrap().file = Arc::new(full);
    }

    /// Remembers that a blob is in the newest of the segments that a start found.
    pub(super) fn remember(&mut self, id: BlobId) {
        self.puts.insert(id, self.next_number.saturating_sub(1));
    }
}

/// What the segments of a directory say last of each blob.
pub(super) fn read(dir: &Layout) -> Result<BTreeMap<BlobId, Found>, BlobError> {
    let mut found = BTreeMap::new();
    let mut numbers = dir.journals().doing("reading", dir.root())?;
    numbers.sort_unstable();
    for number in numbers {
        read_segment(&dir.journal(number), &mut found)?;
    }
    Ok(found)
}

fn read_segment(path: &Path, found: &mut BTreeMap<BlobId, Found>) -> Result<(), BlobError> {
    let mut bytes = Vec::new();
    let file = File::open(path).doing("reading", path)?;
    // A batch may have gone in when the segment was all but full.
    file.take(SEGMENT_BYTES * 2).read_to_end(&mut bytes).doing("reading", path)?;
    let mut rest = Bytes::from(bytes);
    while let Some((id, what)) = decode(&mut rest) {
        found.insert(id, what);
    }
    Ok(())
}

fn encode(out: &mut Vec<u8>, kind: u8, id: &BlobId, bytes: &[u8]) {
    let len = 1 + ID_BYTES + bytes.len();
    out.extend(u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
    let start = out.len();
    out.push(kind);
    out.extend(id.0);
    out.extend(bytes);
    let check = blake3::hash(&out[start..]);
    out.extend(check.as_bytes());
}

/// The next entry; none: there is no other that is whole.
fn decode(rest: &mut Bytes) -> Option<(BlobId, Found)> {
    let len = u32::from_be_bytes(*rest.first_chunk()?);
    let len = usize::try_from(len).ok().filter(|len| *len <= ENTRY_BYTES_MAX)?;
    if rest.len() < 4 + len + CHECK_BYTES {
        return None;
    }
    let entry = rest.slice(4..4 + len);
    let check = &rest[4 + len..4 + len + CHECK_BYTES];
    if blake3::hash(&entry).as_bytes() != check {
        return None;
    }
    let (kind, after) = entry.split_first()?;
    let id = BlobId(*after.first_chunk()?);
    let found = match *kind {
        PUT => Found::Put(entry.slice(1 + ID_BYTES..)),
        GONE => Found::Gone,
        _ => return None,
    };
    *rest = rest.slice(4 + len + CHECK_BYTES..);
    Some((id, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal() -> (tempfile::TempDir, Journal) {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(Arc::new(Layout::open(dir.path()).unwrap())).unwrap();
        (dir, journal)
    }

    fn id(n: u8) -> BlobId {
        BlobId([n; 32])
    }

    #[test]
    fn the_last_entry_about_a_blob_decides() {
        let (_dir, mut journal) = journal();
        journal
            .put([(id(1), &b"a"[..]), (id(2), &b"b"[..]), (id(3), &b""[..])].into_iter())
            .unwrap();
        journal.gone(&id(1)).unwrap();
        journal.gone(&id(9)).unwrap();
        journal.end_segment(true).unwrap();
        journal.gone(&id(2)).unwrap();
        journal.put([(id(1), &b"a"[..])].into_iter()).unwrap();
        let found = read(journal.dir()).unwrap();
        let put = |bytes: &'static [u8]| Found::Put(Bytes::from_static(bytes));
        let expected = [(id(1), put(b"a")), (id(2), Found::Gone), (id(3), put(b""))];
        assert_eq!(found, expected.into_iter().collect());
    }

    #[test]
    fn what_left_while_the_disk_was_full_is_written_later_and_what_could_not_leave_stays() {
        let (_dir, mut journal) = journal();
        let put = |journal: &mut Journal, n| journal.put([(id(n), &b"a"[..])].into_iter());
        put(&mut journal, 1).unwrap();
        put(&mut journal, 2).unwrap();
        put(&mut journal, 3).unwrap();
        journal.fill_disk();
        journal.left(&id(1));
        let here = |journal: &Journal| {
            let found = read(journal.dir()).unwrap().into_iter();
            let put = found.filter(|(_, found)| *found != Found::Gone);
            put.map(|(id, _)| id.0[0]).collect::<Vec<_>>()
        };
        assert_eq!(here(&journal), [1, 2, 3]);
        put(&mut journal, 4).unwrap();
        assert_eq!(here(&journal), [2, 3, 4]);
        journal.fill_disk();
        journal.gone(&id(2)).unwrap_err();
        journal.left(&id(3));
        assert_eq!(here(&journal), [2, 4]);
        // What comes back while it is owed is here.
        journal.fill_disk();
        journal.left(&id(4));
        put(&mut journal, 4).unwrap();
        assert_eq!(here(&journal), [2, 4]);
        journal.gone(&id(2)).unwrap();
        assert_eq!(here(&journal), [4]);
    }

    #[test]
    fn a_segment_ends_where_it_is_torn() {
        let (_dir, mut journal) = journal();
        let file = journal.put([(id(1), &b"abc"[..]), (id(2), &b"def"[..])].into_iter()).unwrap();
        let len = file.metadata().unwrap().len();
        for left in [len - 1, len / 2 + 1, len / 2] {
            file.set_len(left).unwrap();
            assert_eq!(read(journal.dir()).unwrap().into_keys().collect::<Vec<_>>(), [id(1)]);
        }
        file.set_len(len / 2 - 1).unwrap();
        assert!(read(journal.dir()).unwrap().is_empty());
    }

    #[test]
    fn a_segment_that_is_durable_elsewhere_goes_and_the_next_stays() {
        let (_dir, mut journal) = journal();
        journal.put([(id(1), &b"a"[..])].into_iter()).unwrap();
        assert_eq!(journal.end_segment(false), None, "it is not full");
        let ended = journal.end_segment(true).unwrap();
        journal.put([(id(2), &b"b"[..])].into_iter()).unwrap();
        journal.drop_to(ended).unwrap();
        assert_eq!(read(journal.dir()).unwrap().into_keys().collect::<Vec<_>>(), [id(2)]);
        let again = Journal::open(journal.dir().clone()).unwrap();
        assert!(again.next_number > ended + 1, "no number is used twice");
    }
}
