//! The tables. A name ends in the version of its layout, so that a build never reads bytes it
//! understands otherwise. `meta` keeps its name and layout for ever: it says which format the rest
//! has.

use crux_crdt::Digest;
use redb::{
    ReadOnlyTable, ReadTransaction, ReadableTable, Table, TableDefinition, WriteTransaction,
};

use super::error::Failure;

/// What the database is: see the keys below.
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta-1");
/// Principal → header envelope ‖ profile ‖ slot ids; see [`super::codec`].
const RECORDS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("records-1");
/// (Principal, slot id) → body. Apart from the records, so that one changed registration among 250
/// rewrites one body.
const SLOTS: TableDefinition<'_, (&[u8; 32], &[u8; 32]), &[u8]> = TableDefinition::new("slots-1");
/// Act id → envelope.
const ACTS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("acts-2");
/// The highest fence that was accepted.
const FENCE: TableDefinition<'_, (), (u64, &[u8; 32])> = TableDefinition::new("fence-1");

/// The format of the database: a big-endian `u32`.
pub(super) const FORMAT: &str = "format";
/// The id of the flock to which the database belongs.
pub(super) const FLOCK: &str = "flock";
/// The incarnation this node runs as: a big-endian `u64`.
pub(super) const INCARNATION: &str = "incarnation";
/// What this node removed before it knew its past, if anything; see [`super::codec`].
pub(super) const REMOVED: &str = "removed";

type Key = &'static [u8; 32];
type Bytes = &'static [u8];

/// The tables of a write transaction. They MUST be dropped before it commits.
#[derive(Debug)]
pub(super) struct WriteTables<'t> {
    pub(super) meta: Table<'t, &'static str, Bytes>,
    pub(super) records: Table<'t, Key, Bytes>,
    pub(super) slots: Table<'t, (Key, Key), Bytes>,
    pub(super) acts: Table<'t, Key, Bytes>,
    pub(super) fence: Table<'t, (), (u64, Key)>,
}

impl<'t> WriteTables<'t> {
    /// Opens all tables, making those that are not there.
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, Failure> {
        Ok(Self {
            meta: transaction.open_table(META)?,
            records: transaction.open_table(RECORDS)?,
            slots: transaction.open_table(SLOTS)?,
            acts: transaction.open_table(ACTS)?,
            fence: transaction.open_table(FENCE)?,
        })
    }
}

/// The tables of a read transaction.
#[derive(Debug)]
pub(super) struct ReadTables {
    pub(super) meta: ReadOnlyTable<&'static str, Bytes>,
    pub(super) records: ReadOnlyTable<Key, Bytes>,
    pub(super) slots: ReadOnlyTable<(Key, Key), Bytes>,
    pub(super) acts: ReadOnlyTable<Key, Bytes>,
    pub(super) fence: ReadOnlyTable<(), (u64, Key)>,
}

impl ReadTables {
    /// Opens all tables; a missing one is damage, because all are made together.
    pub(super) fn open(transaction: &ReadTransaction) -> Result<Self, Failure> {
        Ok(Self {
            meta: transaction.open_table(META)?,
            records: transaction.open_table(RECORDS)?,
            slots: transaction.open_table(SLOTS)?,
            acts: transaction.open_table(ACTS)?,
            fence: transaction.open_table(FENCE)?,
        })
    }
}

/// The format of a database, whatever its other tables are.
pub(super) fn format(transaction: &ReadTransaction) -> Result<u32, Failure> {
    let format = get(&transaction.open_table(META)?, FORMAT)?;
    format.map(u32::from_be_bytes).ok_or_else(|| Failure::damaged("it has no format"))
}

/// The flock to which a database of the present format belongs.
pub(super) fn flock(transaction: &ReadTransaction) -> Result<Digest, Failure> {
    let flock = get(&transaction.open_table(META)?, FLOCK)?;
    flock.map(Digest).ok_or_else(|| Failure::damaged("it has no flock"))
}

/// Reads a value of fixed size from `meta`.
pub(super) fn get<const N: usize>(
    meta: &impl ReadableTable<&'static str, Bytes>,
    key: &str,
) -> Result<Option<[u8; N]>, Failure> {
    let Some(found) = meta.get(key)? else { return Ok(None) };
    let bytes = found.value().try_into();
    bytes.map(Some).map_err(|_| Failure::damaged(format_args!("its {key} has another size")))
}
