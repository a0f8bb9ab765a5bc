use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use crux_crdt::canon::{Canonical, Encoder};
use crux_crdt::record::{Record, ServiceKey};
use crux_crdt::{Digest, Principal};
use redb::{Database, ReadableDatabase, ReadableTable};

use super::codec::{REMOVED_MAX, StoredRecord, Trusting, open_removed, seal_removed};
use super::disk::{Disk, FileDisk, guard};
use super::error::Failure;
use super::migrate::{self, STEPS};
use super::snapshot::read_record;
use super::tables::{self, FLOCK, FORMAT, INCARNATION, REMOVED, ReadTables, WriteTables, get};
use super::{Batch, OpenError, Snapshot, WriteError};

/// A file with less free space than this is left as it is at a start.
const COMPACT_MIN: u64 = 16 << 20;

/// An open database. See the module for its invariant.
pub struct Store {
    disk: Box<dyn Disk>,
    flock: Digest,
    // None after a failure, until the next write opens it again.
    database: Option<Database>,
}

impl Store {
    /// Opens the database of a flock, making it (readable by its owner only) if there is none, and
    /// reads and verifies what it holds. Blocks, for one signature check for each record and act.
    ///
    /// # Errors
    /// [`OpenError`], whose variants say whose fault it is and whether to try again. What the file
    /// held, it still holds.
    pub fn open(path: &Path, flock: Digest) -> Result<(Self, Snapshot), OpenError> {
        Self::open_on(Box::new(FileDisk::new(path)), flock)
            .map_err(|failure| OpenError::new(path, failure))
    }

    pub(super) fn open_on(disk: Box<dyn Disk>, flock: Digest) -> Result<(Self, Snapshot), Failure> {
        guard(|| {
            disk.create(&|database| fill(database, &flock))?;
            let database = open(&*disk, &flock)?;
            let snapshot = Snapshot::read(&database, &flock)?;
            let database = shrunk(database, &*disk, &flock)?;
            Ok((Self { disk, flock, database: Some(database) }, snapshot))
        })
    }

    /// Makes a batch durable, in one transaction. Blocks for the disk. A batch that brings nothing
    /// new does not touch the disk.
    ///
    /// # Errors
    /// [`WriteError`]: nothing of the batch counts as durable, what was durable before still is.
    /// The database is opened again by the next call, so that writing continues when there is room.
    pub fn commit(&mut self, batch: &Batch) -> Result<(), WriteError> {
        let Self { disk, flock, database } = self;
        let done = guard(|| {
            let database = match database {
                Some(database) => database,
                None => database.insert(open(&**disk, flock)?),
            };
            write(database, flock, batch)
        });
        if done.is_err() {
            // redb refuses everything after an I/O error. Dropping it may panic after a panic.
            let broken = self.database.take();
            drop(guard(|| {
                drop(broken);
                Ok(())
            }));
        }
        Ok(done?)
    }

    /// The record of an author as it is stored. Blocks for the disk.
    ///
    /// # Errors
    /// [`WriteError`], as the next [`Store::commit`] would have; nothing was written.
    pub fn record(&self, author: &Principal) -> Result<Option<Record>, WriteError> {
        let Some(database) = &self.database else { return Ok(None) };
        Ok(guard(|| read_record(&ReadTables::open(&database.begin_read()?)?, author, &self.flock))?)
    }

    #[cfg(test)]
    pub(super) const fn database(&self) -> Option<&Database> {
        self.database.as_ref()
    }

    /// Closes the database, so that it opens without repair, and releases its lock. Blocks.
    ///
    /// # Errors
    /// [`WriteError`]: everything that was committed is durable all the same.
    pub fn close(mut self) -> Result<(), WriteError> {
        let Some(database) = self.database.take() else { return Ok(()) };
        Ok(guard(|| Ok(database.close()?))?)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.database.is_some();
        f.debug_struct("Store").field("flock", &self.flock).field("open", &open).finish()
    }
}

/// Makes all tables and says whose database it is.
fn fill(database: &Database, flock: &Digest) -> Result<(), Failure> {
    let transaction = database.begin_write()?;
    let mut tables = WriteTables::open(&transaction)?;
    let format = migrate::format_after(STEPS);
    tables.meta.insert(FORMAT, format.to_be_bytes().as_slice())?;
    tables.meta.insert(FLOCK, flock.0.as_slice())?;
    drop(tables);
    Ok(transaction.commit()?)
}

/// Opens a database that is there, of this flock, and brings it to the format of this build.
fn open(disk: &dyn Disk, flock: &Digest) -> Result<Database, Failure> {
    let database = disk.open()?;
    let read = database.begin_read()?;
    // The format first: a newer one may keep its flock in another way.
    let steps = migrate::remaining(tables::format(&read)?, STEPS)?;
    let found = tables::flock(&read)?;
    if found != *flock {
        return Err(Failure::OtherFlock { found, expected: *flock });
    }
    drop(read);
    migrate::run(&database, steps, migrate::format_after(STEPS))?;
    Ok(database)
}

/// The database, with its file shrunk if it is large and most of it is free. The file does not shrink by itself
/// when members are forgotten; what is free is used first.
fn shrunk(mut database: Database, disk: &dyn Disk, flock: &Digest) -> Result<Database, Failure> {
    let transaction = database.begin_write()?;
    let stats = transaction.stats()?;
    transaction.abort()?;
    let held = stats.allocated_pages() * stats.page_size() as u64;
    let free = disk.len()?.saturating_sub(held);
    if free < COMPACT_MIN || free < held {
        return Ok(database);
    }
    match database.compact() {
        Ok(_) => Ok(database),
        Err(error) => {
            // It takes room to make room. What was there is there still.
            tracing::warn!(%error, "the database is not compacted");
            drop(database);
            open(disk, flock)
        }
    }
}

fn write(database: &Database, flock: &Digest, batch: &Batch) -> Result<(), Failure> {
    let transaction = database.begin_write()?;
    let mut tables = WriteTables::open(&transaction)?;
    let changed = put(&mut tables, flock, batch)?;
    drop(tables);
    if changed { Ok(transaction.commit()?) } else { Ok(transaction.abort()?) }
}

/// Merges a batch into the tables. Returns whether they changed.
fn put(tables: &mut WriteTables<'_>, flock: &Digest, batch: &Batch) -> Result<bool, Failure> {
    let mut changed = false;
    for record in &batch.records {
        changed |= put_record(tables, flock, record)?;
    }
    for act in &batch.acts {
        if tables.acts.get(&act.id().0)?.is_none() {
            let mut envelope = Encoder::default();
            act.seal(&mut envelope);
            tables.acts.insert(&act.id().0, envelope.finish().as_slice())?;
            changed = true;
        }
    }
    if let Some(incarnation) = batch.incarnation {
        changed |= put_incarnation(tables, incarnation)?;
    }
    for fence in &batch.forgotten {
        changed |= forget_fence(tables, *fence)?;
    }
    if let Some(fence) = batch.fence {
        changed |= put_fence(tables, fence)?;
    }
    changed |= put_removed(tables, &batch.removed)?;
    Ok(changed)
}

fn put_record(
    tables: &mut WriteTables<'_>,
    flock: &Digest,
    record: &Record,
) -> Result<bool, Failure> {
    let author = record.author();
    let stored = tables.records.get(&author.0)?;
    let stored = stored.map(|found| StoredRecord::open(&author, found.value(), flock, &Trusting));
    let stored = stored.transpose()?;
    if stored.as_ref().is_some_and(|stored| !is_news(stored, record)) {
        return Ok(false);
    }
    let before: BTreeSet<_> = stored.into_iter().flat_map(|stored| stored.slots).collect();
    for id in before.iter().filter(|id| !record.slots().contains_key(id)) {
        tables.slots.remove((&author.0, &id.0))?;
    }
    for (id, slot) in record.slots().iter().filter(|(id, _)| !before.contains(id)) {
        tables.slots.insert((&author.0, &id.0), slot.to_canonical().as_slice())?;
    }
    tables.records.insert(&author.0, StoredRecord::seal(record).as_slice())?;
    Ok(true)
}

/// Whether a record replaces the stored one: it is newer, or its author departed and its slots can go.
fn is_news(stored: &StoredRecord, record: &Record) -> bool {
    let same = stored.total() == record.total();
    stored.total() < record.total() || (same && record.is_stripped() && !stored.stripped)
}

fn put_incarnation(tables: &mut WriteTables<'_>, incarnation: u64) -> Result<bool, Failure> {
    let known = get(&tables.meta, INCARNATION)?.map_or(0, u64::from_be_bytes);
    if known >= incarnation {
        return Ok(false);
    }
    tables.meta.insert(INCARNATION, incarnation.to_be_bytes().as_slice())?;
    Ok(true)
}

fn put_removed(tables: &mut WriteTables<'_>, removed: &[ServiceKey]) -> Result<bool, Failure> {
    if removed.is_empty() {
        return Ok(false);
    }
    let stored = tables.meta.get(REMOVED)?.map(|found| open_removed(found.value()));
    let mut all = stored.transpose()?.unwrap_or_default();
    let before = all.len();
    let room = REMOVED_MAX.saturating_sub(before);
    let news: Vec<_> = removed.iter().filter(|key| !all.contains(*key)).take(room).collect();
    all.extend(news.into_iter().cloned());
    if all.len() == before {
        return Ok(false);
    }
    tables.meta.insert(REMOVED, seal_removed(&all).as_slice())?;
    Ok(true)
}

fn stored_fence(tables: &WriteTables<'_>) -> Result<Option<(u64, Principal)>, Failure> {
    let stored = tables.fence.get(())?.map(|found| {
        let (term, principal) = found.value();
        (term, Principal(*principal))
    });
    Ok(stored)
}

fn forget_fence(tables: &mut WriteTables<'_>, fence: (u64, Principal)) -> Result<bool, Failure> {
    let held = stored_fence(tables)? == Some(fence);
    if held {
        tables.fence.remove(())?;
    }
    Ok(held)
}

fn put_fence(tables: &mut WriteTables<'_>, fence: (u64, Principal)) -> Result<bool, Failure> {
    let known = stored_fence(tables)?;
    if known.is_some_and(|known| known >= fence) {
        return Ok(false);
    }
    tables.fence.insert((), (fence.0, &fence.1.0))?;
    Ok(true)
}
