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
//!   that says so, hence a start brings nothing back that was removed.
//! * An entry is believed when its checksum holds; where one does not, the segment ends.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use crux_crdt::blob::BlobId;

use super::BlobError;
use super::error::Doing as _;
use super::layout::{Layout, remove, sync_dir};

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
    /// A journal that goes on after the segments that lie there.
    pub(super) fn open(dir: Arc<Layout>) -> Result<Self, BlobError> {
        let last = dir.journals().doing("reading", dir.root())?.into_iter().max();
        let next_number = last.map_or(0, |last| last + 1);
        Ok(Self { dir, open: None, next_number, puts: BTreeMap::new() })
    }

    /// Whose journal it is.
    pub(super) fn dir(&self) -> &Arc<Layout> {
        &self.dir
    }

    /// Appends blobs that come in. They are durable once the file that is returned is flushed.
    pub(super) fn put<'a>(
        &mut self,
        blobs: impl Iterator<Item = (BlobId, &'a [u8])> + Clone,
    ) -> Result<Arc<File>, BlobError> {
        let mut entries = Vec::new();
        for (id, bytes) in blobs.clone() {
            encode(&mut entries, PUT, &id, bytes);
        }
        let (file, number) = self.append(&entries)?;
        self.puts.extend(blobs.map(|(id, _)| (id, number)));
        Ok(file)
    }

    /// Notes that a blob left, or is kept another way from now on. Nothing happens when the journal does
    /// not have it. It is as durable as the removal itself.
    pub(super) fn gone(&mut self, id: &BlobId) -> Result<(), BlobError> {
        if self.puts.remove(id).is_none() {
            return Ok(());
        }
        let mut entry = Vec::new();
        encode(&mut entry, GONE, id, &[]);
        self.append(&entry).map(drop)
    }

    fn append(&mut self, entries: &[u8]) -> Result<(Arc<File>, u64), BlobError> {
        if self.open.is_none() {
            self.open = Some(self.begin()?);
        }
        let Some(segment) = &mut self.open else { return Err(BlobError::Closed) };
        let path = self.dir.journal(segment.number);
        if let Err(err) = (&*segment.file).write_all(entries) {
            // What comes after a torn entry would not be read.
            segment.file.set_len(segment.len).doing("writing", &path)?;
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
        sync_dir(&self.dir.partials_dir())?;
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
        for old in self.dir.journals().doing("reading", self.dir.root())? {
            if old <= number {
                remove(&self.dir.journal(old))?;
            }
        }
        Ok(())
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
