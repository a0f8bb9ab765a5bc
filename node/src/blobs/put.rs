//! Blobs that come in from this machine: as a stream, as a file to be copied, as a file in place.

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, BufWriter, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crux_crdt::blob::{BLOB_BYTES_MAX, BlobHasher, Descriptor, PIECE_BYTES, Root};

use super::BlobError;
use super::commit::{Ready, Source};
use super::depot::Depot;
use super::error::Doing as _;
use super::flush;
use super::index::{Index, Lack};
use super::layout::Layout;
use super::partial::begin_writeback;
use super::record::Place;
use super::space::BLOB_FILES;
use super::tree;

const BUFFER_BYTES: usize = 256 * 1024;
/// How much of a stream is written before the disk is told to begin with it.
const WRITEBACK_BYTES: u64 = 4 << 20;

/// A file that is deleted when this is dropped, unless it was renamed.
#[derive(Debug)]
pub(super) struct Temp {
    pub(super) path: PathBuf,
    pub(super) file: File,
}

impl Temp {
    pub(super) fn make(depot: &Depot, dir: &Layout) -> Result<Self, BlobError> {
        let path = dir.incoming(depot.next_number());
        let mut options = OpenOptions::new();
        options.create_new(true).read(true).write(true).mode(0o600);
        let file = options.open(&path).doing("making", &path)?;
        Ok(Self { path, file })
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        // Renamed, it is not there any more. One that stays is deleted at the next start.
        fs::remove_file(&self.path).ok();
    }
}

/// A stream on its way in. Dropped before it is finished, nothing of it stays.
#[derive(Debug)]
pub(super) struct Incoming {
    depot: Arc<Depot>,
    dir: Arc<Layout>,
    temp: Temp,
    hasher: BlobHasher,
    size: u64,
    // From where on the disk was not told to begin.
    begun: u64,
    claim: Claim,
}

/// The room that was made for a blob that comes in. It counts against the quota until the blob does.
#[derive(Debug)]
pub(super) struct Claim {
    depot: Arc<Depot>,
    disk: u64,
    bytes: u64,
    // What of it the disk does not show as taken yet.
    ahead: Lack,
}

impl Claim {
    /// Claims so many bytes, and promises what of the disk they will take.
    pub(super) fn make(
        depot: &Arc<Depot>,
        index: &mut Index,
        dir: &Layout,
        bytes: u64,
        ahead: Lack,
    ) -> Self {
        let disk = dir.disk();
        index.claim(bytes);
        index.promise(disk, ahead);
        Self { depot: depot.clone(), disk, bytes, ahead }
    }

    fn grow(&mut self, index: &mut Index, bytes: u64) {
        index.claim(bytes);
        index.promise(self.disk, Lack { bytes, files: 0 });
        self.bytes += bytes;
        self.ahead.bytes += bytes;
    }

    /// So many bytes are on the disk.
    pub(super) fn written(&mut self, bytes: u64) {
        let written = Lack { bytes: bytes.min(self.ahead.bytes), files: 0 };
        self.ahead.bytes -= written.bytes;
        self.depot.index().redeem(self.disk, written);
    }

    /// The blob counts from now on, under the same lock. Nothing of this is left for its end.
    pub(super) fn end(&mut self, index: &mut Index) {
        index.release(std::mem::take(&mut self.bytes));
        index.redeem(self.disk, std::mem::take(&mut self.ahead));
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let depot = self.depot.clone();
        self.end(&mut depot.index());
    }
}

impl Incoming {
    /// Begins a stream, of at least `size` bytes if that is known.
    pub(super) fn begin(depot: &Arc<Depot>, size: u64) -> Result<Self, BlobError> {
        check_size(size)?;
        let mut index = depot.index();
        let dir = depot.make_room(&mut index, size)?;
        // Its file is made now, and the others are at its end.
        let ahead = Lack { bytes: size, files: BLOB_FILES - 1 };
        let claim = Claim::make(depot, &mut index, &dir, size, ahead);
        drop(index);
        dir.check()?;
        let temp = Temp::make(depot, &dir)?;
        let (depot, hasher) = (depot.clone(), BlobHasher::default());
        Ok(Self { depot, dir, temp, hasher, size: 0, begun: 0, claim })
    }

    /// How many bytes came so far.
    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// Takes in more of the stream.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        let size = self.size + bytes.len() as u64;
        check_size(size)?;
        if size > self.claim.bytes {
            let more = (size - self.claim.bytes).max(PIECE_BYTES.min(size));
            let mut index = self.depot.index();
            // What was written shows on the disk by now, so only what is new needs room.
            self.depot.grow(&mut index, &self.dir, more)?;
            self.claim.grow(&mut index, more);
        }
        self.temp.file.write_all(bytes).doing("writing", &self.temp.path)?;
        self.claim.written(bytes.len() as u64);
        self.hasher.update(bytes);
        self.size = size;
        if size - self.begun >= WRITEBACK_BYTES {
            begin_writeback(&self.temp.file, self.begun, size - self.begun);
            self.begun = size;
        }
        Ok(())
    }

    /// The stream is complete.
    pub(super) fn finish(mut self) -> Result<Descriptor, BlobError> {
        let (depot, size) = (self.depot.clone(), self.size);
        flush::file(&self.temp.file, &self.temp.path)?;
        depot.step("stream complete");
        self.temp.file.rewind().doing("reading", &self.temp.path)?;
        let (root, pairs) = build_tree(&depot, &self.dir, &self.temp.file, size, &self.temp.path)?;
        let id = std::mem::take(&mut self.hasher).finish();
        let data = Source::Ours(self.temp.path.clone());
        let pairs_path = pairs.as_ref().map(|pairs| pairs.path.clone());
        let Self { dir, claim, temp: _temp, .. } = self;
        let (claim, partial) = (Some(claim), None);
        depot.commit(Ready { id, root, size, dir, data, pairs: pairs_path, claim, partial })
    }
}

/// Writes the hash pairs of a file from its cursor on, durably; none where there are none.
pub(super) fn build_tree(
    depot: &Depot,
    dir: &Layout,
    data: &File,
    size: u64,
    path: &Path,
) -> Result<(Root, Option<Temp>), BlobError> {
    let read_failed = |err: std::io::Error| {
        // It had that many bytes a moment ago.
        let short = err.kind() == std::io::ErrorKind::UnexpectedEof;
        if short {
            BlobError::Changed(path.to_owned())
        } else {
            BlobError::io("hashing", path, &err)
        }
    };
    let data = BufReader::with_capacity(BUFFER_BYTES, data);
    if !tree::has_pairs(size) {
        return Ok((tree::build(data, size, std::io::sink()).map_err(read_failed)?, None));
    }
    let pairs = Temp::make(depot, dir)?;
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, &pairs.file);
    let root = tree::build(data, size, &mut out).map_err(read_failed)?;
    let flushed = out.flush();
    drop(out);
    flushed.doing("writing", &pairs.path)?;
    flush::file(&pairs.file, &pairs.path)?;
    depot.step("tree written");
    Ok((root, Some(pairs)))
}

fn check_size(size: u64) -> Result<(), BlobError> {
    if size > BLOB_BYTES_MAX {
        return Err(BlobError::TooLarge { max: BLOB_BYTES_MAX });
    }
    Ok(())
}

/// A file of somebody else's, open, as it is now.
struct Foreign {
    file: File,
    size: u64,
    place: Place,
}

impl Foreign {
    fn open(path: &Path) -> Result<Self, BlobError> {
        let path = fs::canonicalize(path).doing("reading", path)?;
        // Looked at before it is opened: opening a pipe would wait for its writer.
        let is_file = fs::metadata(&path).doing("reading", &path)?.is_file();
        if !is_file {
            return Err(BlobError::NotAFile(path));
        }
        let file = File::open(&path).doing("reading", &path)?;
        let meta = file.metadata().doing("reading", &path)?;
        check_size(meta.len())?;
        let (size, place) = (meta.len(), Place::of(&path, &meta));
        Ok(Self { file, size, place })
    }

    /// Refuses when it is not as it was when it was opened.
    fn check(&self) -> Result<(), BlobError> {
        let path = &self.place.path;
        let now = self.file.metadata().doing("reading", path)?;
        if Place::of(path, &now) == self.place {
            Ok(())
        } else {
            Err(BlobError::Changed(path.clone()))
        }
    }

    /// Reads it from start to end; as many bytes as it had.
    fn read(
        &mut self,
        mut each: impl FnMut(&[u8]) -> Result<(), BlobError>,
    ) -> Result<(), BlobError> {
        let path = &self.place.path;
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut size = 0;
        loop {
            let count = self.file.read(&mut buffer).doing("reading", path)?;
            size += count as u64;
            if size > self.size || (count == 0 && size < self.size) {
                return Err(BlobError::Changed(path.clone()));
            }
            if count == 0 {
                return Ok(());
            }
            each(&buffer[..count])?;
        }
    }
}

impl Depot {
    /// Takes in bytes that are in memory.
    pub(super) fn put_bytes(self: &Arc<Self>, bytes: &[u8]) -> Result<Descriptor, BlobError> {
        let mut incoming = Incoming::begin(self, bytes.len() as u64)?;
        incoming.write(bytes)?;
        incoming.finish()
    }

    /// Copies a file in.
    pub(super) fn put_file(self: &Arc<Self>, path: &Path) -> Result<Descriptor, BlobError> {
        let mut foreign = Foreign::open(path)?;
        let mut incoming = Incoming::begin(self, foreign.size)?;
        foreign.read(|bytes| incoming.write(bytes))?;
        foreign.check()?;
        incoming.finish()
    }

    /// Takes a file as a blob where it is: it is never moved, changed, evicted or deleted.
    pub(super) fn register(&self, path: &Path) -> Result<Descriptor, BlobError> {
        let mut foreign = Foreign::open(path)?;
        let mut hasher = BlobHasher::default();
        foreign.read(|bytes| {
            hasher.update(bytes);
            Ok(())
        })?;
        let id = hasher.finish();
        let dir = self.make_room(&mut self.index(), foreign.size / PIECE_BYTES * 64)?;
        dir.check()?;
        foreign.file.rewind().doing("reading", path)?;
        let size = foreign.size;
        let (root, pairs) = build_tree(self, &dir, &foreign.file, size, &foreign.place.path)?;
        foreign.check()?;
        let pairs_path = pairs.as_ref().map(|pairs| pairs.path.clone());
        let data = Source::Place(foreign.place);
        let (claim, partial) = (None, None);
        self.commit(Ready { id, root, size, dir, data, pairs: pairs_path, claim, partial })
    }
}
