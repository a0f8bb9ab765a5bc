use std::fmt;
use std::path::Path;

use crux_crdt::Digest;
use crux_crdt::fact::{Fact, Kind};
use crux_crdt::sign::Terms;
use redb::{Database, ReadableDatabase};

use super::disk::{Disk, FileDisk, guard};
use super::error::Failure;
use super::migrate::{self, STEPS};
use super::tables::{self, FLOCK, FORMAT, ReadTables, WriteTables};
use super::{Batch, OpenError, Snapshot, WriteError, facts, local};

/// A file with less free space than this is left as it is at a start.
const COMPACT_MIN: u64 = 16 << 20;

/// An open database. See the module for its invariant.
pub struct Store {
    disk: Box<dyn Disk>,
    terms: Terms<'static>,
    // None after a failure, until the next write opens it again.
    database: Option<Database>,
}

impl Store {
    /// Opens the database of a flock, making it (readable by its owner only) if there is none, and
    /// reads and verifies what it holds. Blocks, for one signature check for each fact.
    ///
    /// # Errors
    /// [`OpenError`], whose variants say whose fault it is and whether to try again. What the file
    /// held, it still holds.
    pub fn open(path: &Path, terms: Terms<'static>) -> Result<(Self, Snapshot), OpenError> {
        Self::open_on(Box::new(FileDisk::new(path)), terms)
            .map_err(|failure| OpenError::new(path, failure))
    }

    pub(super) fn open_on(
        disk: Box<dyn Disk>,
        terms: Terms<'static>,
    ) -> Result<(Self, Snapshot), Failure> {
        guard(|| {
            disk.create(&|database| fill(database, &terms.flock))?;
            let database = open(&*disk, &terms.flock)?;
            let snapshot = Snapshot::read(&database, &terms)?;
            let database = shrunk(database, &*disk, &terms.flock)?;
            Ok((Self { disk, terms, database: Some(database) }, snapshot))
        })
    }

    /// Makes a batch durable, in one transaction. Blocks for the disk. A batch that brings nothing
    /// new does not touch the disk.
    ///
    /// # Errors
    /// [`WriteError`]: nothing of the batch counts as durable, what was durable before still is.
    /// The database is opened again by the next call, so that writing continues when there is room.
    pub fn commit(&mut self, batch: &Batch) -> Result<(), WriteError> {
        let Self { disk, terms, database } = self;
        let done = guard(|| {
            let database = match database {
                Some(database) => database,
                None => database.insert(open(&**disk, &terms.flock)?),
            };
            write(database, batch)
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

    /// The facts under a key as they are stored, verified. Blocks for the disk.
    ///
    /// # Errors
    /// [`WriteError`], as the next [`Store::commit`] would have; nothing was written.
    pub fn facts(&self, kind: Kind, key: &Digest) -> Result<Vec<Fact>, WriteError> {
        let Some(database) = &self.database else { return Ok(Vec::new()) };
        let tables = || ReadTables::open(&database.begin_read()?);
        Ok(guard(|| facts::read(&tables()?, kind, key, &self.terms))?)
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
        f.debug_struct("Store").field("terms", &self.terms).field("open", &open).finish()
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

fn write(database: &Database, batch: &Batch) -> Result<(), Failure> {
    let transaction = database.begin_write()?;
    let mut tables = WriteTables::open(&transaction)?;
    let changed = put(&mut tables, batch)?;
    drop(tables);
    if changed { Ok(transaction.commit()?) } else { Ok(transaction.abort()?) }
}

/// Merges a batch into the tables. Returns whether they changed.
fn put(tables: &mut WriteTables<'_>, batch: &Batch) -> Result<bool, Failure> {
    let mut changed = false;
    for fact in &batch.facts {
        changed |= facts::put(tables, fact)?;
    }
    for gone in &batch.gone {
        changed |= facts::leave_out(tables, gone)?;
    }
    if let Some(incarnation) = batch.incarnation {
        changed |= local::put_incarnation(tables, incarnation)?;
    }
    for fence in &batch.forgotten {
        changed |= local::forget_fence(tables, *fence)?;
    }
    if let Some(fence) = batch.fence {
        changed |= local::put_fence(tables, fence)?;
    }
    changed |= local::put_removed(tables, &batch.removed)?;
    Ok(changed)
}
