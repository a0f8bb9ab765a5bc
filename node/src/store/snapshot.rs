use std::collections::BTreeSet;
use std::sync::Arc;

use crux_crdt::act::Act;
use crux_crdt::canon::Canonical;
use crux_crdt::record::{Record, ServiceKey, Slot};
use crux_crdt::sign::{Ed25519, Signed};
use crux_crdt::{Digest, Principal};
use redb::{Database, ReadableDatabase, ReadableTable};

use super::codec::{StoredRecord, Trusting, open_act, open_removed};
use super::error::Failure;
use super::tables::{INCARNATION, REMOVED, ReadTables, get};

/// Everything that was durable when the database was opened, verified again.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The newest record of each author, by author.
    pub records: Vec<Arc<Record>>,
    /// Every act, by id.
    pub acts: Vec<Arc<Signed<Act>>>,
    /// The highest fence that was accepted.
    pub fence: Option<(u64, Principal)>,
    /// The incarnation the node last ran as; 0: it never ran.
    pub incarnation: u64,
    /// What the node removed before it knew its past.
    pub removed: BTreeSet<ServiceKey>,
}

impl Snapshot {
    /// Reads and verifies everything.
    pub(super) fn read(database: &Database, flock: &Digest) -> Result<Self, Failure> {
        let tables = ReadTables::open(&database.begin_read()?)?;
        let fence = tables.fence.get(())?.map(|found| {
            let (term, principal) = found.value();
            (term, Principal(*principal))
        });
        let incarnation = get(&tables.meta, INCARNATION)?.map_or(0, u64::from_be_bytes);
        let records = read_records(&tables, flock)?;
        let removed = tables.meta.get(REMOVED)?.map(|found| open_removed(found.value()));
        let removed = removed.transpose()?.unwrap_or_default();
        Ok(Self { records, acts: read_acts(&tables, flock)?, fence, incarnation, removed })
    }
}

fn read_records(tables: &ReadTables, flock: &Digest) -> Result<Vec<Arc<Record>>, Failure> {
    let mut records = Vec::new();
    for entry in tables.records.iter()? {
        let (author, bytes) = entry?;
        let author = Principal(*author.value());
        let stored = StoredRecord::open(&author, bytes.value(), flock, &Ed25519)?;
        let record = stored.complete(|id| read_slot(tables, &author, id))?;
        records.push(Arc::new(record));
    }
    Ok(records)
}

/// The record of one author, if there is one. Its signature was verified when it was written, or when the
/// database was opened.
pub(super) fn read_record(
    tables: &ReadTables,
    author: &Principal,
    flock: &Digest,
) -> Result<Option<Record>, Failure> {
    let Some(bytes) = tables.records.get(&author.0)? else { return Ok(None) };
    let stored = StoredRecord::open(author, bytes.value(), flock, &Trusting)?;
    stored.complete(|id| read_slot(tables, author, id)).map(Some)
}

fn read_slot(tables: &ReadTables, author: &Principal, id: &Digest) -> Result<Slot, Failure> {
    let damaged = |what: &dyn std::fmt::Display| {
        Failure::damaged(format_args!("slot {} of {}: {what}", id.short(), author.short()))
    };
    let body = tables.slots.get((&author.0, &id.0))?.ok_or_else(|| damaged(&"it is missing"))?;
    Slot::from_canonical(body.value()).map_err(|err| damaged(&err))
}

fn read_acts(tables: &ReadTables, flock: &Digest) -> Result<Vec<Arc<Signed<Act>>>, Failure> {
    let mut acts = Vec::new();
    for entry in tables.acts.iter()? {
        let (id, bytes) = entry?;
        acts.push(Arc::new(open_act(&Digest(*id.value()), bytes.value(), flock, &Ed25519)?));
    }
    Ok(acts)
}
