//! The small files beside the data.
//!
//! They are not in the database, so that a directory holds all that belongs to its blobs: it can be
//! carried to another node, and a database that is lost loses no blob. Each is a version, a value in
//! canonical bytes and a checksum; it is replaced as a whole or not at all. One that does not check is
//! as good as none: what it said is found out again, or fetched again.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crux_crdt::blob::{BLOB_BYTES_MAX, BlobId, PieceSet, Root, piece_count};
use crux_crdt::canon::{Canonical, DecodeError, Decoder, Encoder};

use super::BlobError;
use super::error::Doing as _;
use super::flush;

const MAGIC: &[u8; 9] = b"crux-blob";
const CHECK_BYTES: usize = 32;
/// The largest of these files: the have-map of the largest blob, and some.
const RECORD_BYTES_MAX: u64 = 256 * 1024;
const PATH_BYTES_MAX: usize = 4096;

/// What is known of a sealed blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) id: BlobId,
    pub(super) root: Root,
    pub(super) size: u64,
    /// Set: the bytes are in this file, which is not ours.
    pub(super) place: Option<Place>,
}

/// A file that was registered in place, as it was then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) inode: (u64, u64),
    /// When it was last changed, by the file system's clock: seconds and nanoseconds, as bits.
    pub(super) changed: (u64, u64),
}

impl Place {
    /// How a file is now.
    pub(super) fn of(path: &Path, file: &fs::Metadata) -> Self {
        let changed = (file.ctime().cast_unsigned(), file.ctime_nsec().cast_unsigned());
        Self { path: path.to_owned(), inode: (file.dev(), file.ino()), changed }
    }
}

/// How a blob is kept from eviction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Keep {
    pub(super) pinned: bool,
    /// The age of the store at which the reservation ends, in milliseconds; 0: not reserved.
    pub(super) reserved_until: u64,
}

impl Keep {
    /// The age of the store at which the reservation ends.
    pub(super) fn reserved_until(&self) -> Option<Duration> {
        Some(self.reserved_until).filter(|until| *until > 0).map(Duration::from_millis)
    }

    /// Reserves for a while from an age on; for no time: not any more.
    pub(super) fn reserve(&mut self, now: Duration, time: Duration) {
        let until = now.saturating_add(time).as_millis().try_into().unwrap_or(u64::MAX);
        self.reserved_until = if time.is_zero() { 0 } else { until };
    }

    /// What is believed at a start, of a record that was written at some age. A reservation lasts no longer from
    /// now on than it did then: the age may have been another node's, or the wall clock of an older version.
    pub(super) fn believed(self, written: Duration, now: Duration) -> Self {
        let Some(until) = self.reserved_until() else { return self };
        let lasts = until.checked_sub(written).unwrap_or(LASTS_MAX);
        let latest = now.saturating_add(lasts).as_millis().try_into().unwrap_or(u64::MAX);
        Self { reserved_until: self.reserved_until.min(latest), ..self }
    }
}

/// How long a reservation lasts at most of which it is not known when it was made, and not ahead of the age
/// that it counts by. Wild guess.
const LASTS_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// A blob under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Have {
    pub(super) id: BlobId,
    pub(super) root: Root,
    pub(super) size: u64,
    pub(super) pieces: PieceSet,
}

/// Further directories.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Dirs(pub(super) Vec<PathBuf>);

/// How many directories there may be.
pub(super) const DIRS_MAX: usize = 64;

impl Canonical for Meta {
    fn encode(&self, out: &mut Encoder) {
        out.u8(1).fixed(&self.id.0).fixed(&self.root.0).u64(self.size);
        out.u8(u8::from(self.place.is_some()));
        if let Some(place) = &self.place {
            out.bytes(place.path.as_os_str().as_bytes());
            out.u64(place.inode.0).u64(place.inode.1).u64(place.changed.0).u64(place.changed.1);
        }
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        input.version("meta version", 1)?;
        let (id, root, size) = decode_descriptor(input)?;
        let place = input.bool("place")?.then(|| decode_place(input)).transpose()?;
        Ok(Self { id, root, size, place })
    }
}

fn decode_place(input: &mut Decoder<'_>) -> Result<Place, DecodeError> {
    Ok(Place {
        path: decode_path(input)?,
        inode: (input.u64("device")?, input.u64("inode")?),
        changed: (input.u64("seconds")?, input.u64("nanoseconds")?),
    })
}

fn decode_path(input: &mut Decoder<'_>) -> Result<PathBuf, DecodeError> {
    let bytes = input.bytes(PATH_BYTES_MAX, "path")?.to_vec();
    Ok(PathBuf::from(std::ffi::OsString::from_vec(bytes)))
}

fn decode_descriptor(input: &mut Decoder<'_>) -> Result<(BlobId, Root, u64), DecodeError> {
    let (id, root) = (BlobId(input.array("blob id")?), Root(input.array("blob root")?));
    match input.u64("blob size")? {
        size if size <= BLOB_BYTES_MAX => Ok((id, root, size)),
        _ => Err(DecodeError::Invalid("blob size")),
    }
}

impl Canonical for Keep {
    fn encode(&self, out: &mut Encoder) {
        out.u8(1).u8(u8::from(self.pinned)).u64(self.reserved_until);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        input.version("keep version", 1)?;
        Ok(Self { pinned: input.bool("pinned")?, reserved_until: input.u64("reserved until")? })
    }
}

impl Canonical for Have {
    fn encode(&self, out: &mut Encoder) {
        out.u8(1).fixed(&self.id.0).fixed(&self.root.0).u64(self.size);
        self.pieces.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        input.version("have version", 1)?;
        let (id, root, size) = decode_descriptor(input)?;
        let pieces = PieceSet::decode(input)?;
        if pieces.count() != piece_count(size) {
            return Err(DecodeError::Invalid("piece count"));
        }
        Ok(Self { id, root, size, pieces })
    }
}

impl Canonical for Dirs {
    fn encode(&self, out: &mut Encoder) {
        out.u8(1).count(self.0.len());
        for path in &self.0 {
            out.bytes(path.as_os_str().as_bytes());
        }
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        input.version("dirs version", 1)?;
        let count = input.count(DIRS_MAX, "directories")?;
        (0..count).map(|_| decode_path(input)).collect::<Result<_, _>>().map(Self)
    }
}

/// A record as it is on disk.
pub(super) fn encode<T: Canonical>(value: &T) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(value.to_canonical());
    bytes.extend(blake3::hash(&bytes).as_bytes());
    bytes
}

/// Writes a record: durable and whole when this returns, or as before. The new name itself becomes
/// durable with its directory.
pub(super) fn write<T: Canonical>(path: &Path, value: &T) -> Result<(), BlobError> {
    let bytes = encode(value);
    let unfinished = path.with_added_extension("new");
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true).mode(0o600);
    let written =
        options.open(&unfinished).and_then(|mut file| file.write_all(&bytes).map(|()| file));
    let written = written.doing("writing", path).and_then(|file| {
        flush::file(&file, &unfinished)?;
        fs::rename(&unfinished, path).doing("writing", path)
    });
    written.inspect_err(|_| drop(fs::remove_file(&unfinished)))
}

/// Reads a record; none: there is no file, or one that does not check.
pub(super) fn read<T: Canonical>(path: &Path) -> Option<T> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(RECORD_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    let (content, check) = bytes.split_last_chunk::<CHECK_BYTES>()?;
    if blake3::hash(content) != blake3::Hash::from(*check) {
        return None;
    }
    T::from_canonical(content.strip_prefix(MAGIC)?).ok()
}
