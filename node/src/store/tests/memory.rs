//! A disk in memory that remembers what was synced, fills up, and fails on command.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::{Database, StorageBackend};

use crate::store::disk::{Disk, builder};
use crate::store::error::Failure;

const PAGE: u64 = 4096;

/// A change that a power failure may lose.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Write(u64, Vec<u8>),
    Length(u64),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Length(len) => bytes.resize(usize::try_from(*len).unwrap(), 0),
            Self::Write(at, data) => {
                let at = usize::try_from(*at).unwrap();
                let end = at + data.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[at..end].copy_from_slice(data);
            }
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Image {
    pub(super) bytes: Vec<u8>,
    /// As of the last sync.
    pub(super) synced: Vec<u8>,
    /// What came after it.
    pub(super) unsynced: Vec<Change>,
    pub(super) written: u64,
    pub(super) syncs: u64,
    /// How many pages the disk has room for; none: enough.
    pub(super) room: Option<usize>,
    /// Syncing fails, as it does where blocks are found only then.
    pub(super) sync_fails: bool,
    pages: BTreeSet<u64>,
}

impl Image {
    /// What a power failure leaves: what was synced, and of the rest only what `kept` says.
    pub(super) fn after_power_failure(&self, mut kept: impl FnMut() -> bool) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        for change in &self.unsynced {
            if kept() {
                change.apply(&mut bytes);
            }
        }
        bytes
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.bytes);
        self.unsynced.push(change);
    }

    fn allocate(&mut self, at: u64, len: u64) -> io::Result<()> {
        let wanted =
            (at / PAGE..(at + len).div_ceil(PAGE)).filter(|page| !self.pages.contains(page));
        let wanted: Vec<_> = wanted.collect();
        let fits = |room| self.pages.len() + wanted.len() <= room;
        if !wanted.is_empty() && !self.room.is_none_or(fits) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.pages.extend(wanted);
        Ok(())
    }
}

/// Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub(super) struct MemoryDisk(Arc<Mutex<Image>>);

impl MemoryDisk {
    /// A disk with these bytes on it.
    pub(super) fn holding(bytes: Vec<u8>) -> Self {
        let pages = (0..(bytes.len() as u64).div_ceil(PAGE)).collect();
        let image = Image { synced: bytes.clone(), bytes, pages, ..Image::default() };
        Self(Arc::new(Mutex::new(image)))
    }

    pub(super) fn image(&self) -> MutexGuard<'_, Image> {
        self.0.lock().unwrap()
    }
}

impl Disk for MemoryDisk {
    fn create(&self, fill: &dyn Fn(&Database) -> Result<(), Failure>) -> Result<(), Failure> {
        if self.image().bytes.is_empty() {
            let database = builder().create_with_backend(MemoryFile(self.clone()))?;
            fill(&database)?;
            database.close()?;
        }
        Ok(())
    }

    fn open(&self) -> Result<Database, Failure> {
        Ok(builder().create_with_backend(MemoryFile(self.clone()))?)
    }

    fn len(&self) -> Result<u64, Failure> {
        Ok(self.image().bytes.len() as u64)
    }
}

#[derive(Debug)]
struct MemoryFile(MemoryDisk);

impl StorageBackend for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.image().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let image = self.0.image();
        let found = usize::try_from(offset).ok().and_then(|at| image.bytes.get(at..));
        let found = found.and_then(|found| found.get(..out.len()));
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut image = self.0.image();
        image.pages.retain(|page| page * PAGE < len);
        image.change(Change::Length(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut image = self.0.image();
        if image.sync_fails {
            return Err(io::ErrorKind::StorageFull.into());
        }
        image.syncs += 1;
        image.synced = image.bytes.clone();
        image.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut image = self.0.image();
        image.allocate(offset, data.len() as u64)?;
        image.written += data.len() as u64;
        image.change(Change::Write(offset, data.to_vec()));
        Ok(())
    }
}
