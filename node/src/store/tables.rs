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
/// (Kind, key) → bytes that the kind reads; see [`super::facts`].
const FACTS: TableDefinition<'_, (u8, &[u8; 32]), &[u8]> = TableDefinition::new("facts-1");
/// Kind, key and part.
type PartKey<'a> = (u8, &'a [u8; 32], &'a [u8; 32]);

/// [`PartKey`] → the bytes of the part. Apart from the facts, so that one changed registration among 250
/// rewrites one part.
const PARTS: TableDefinition<'_, PartKey<'_>, &[u8]> = TableDefinition::new("parts-1");
/// Name → what concerns this node alone; see [`super::local`].
const LOCAL: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("local-1");

/// The format of the database: a big-endian `u32`.
pub(super) const FORMAT: &str = "format";
/// The id of the flock to which the database belongs.
pub(super) const FLOCK: &str = "flock";
/// The incarnation this node runs as: a big-endian `u64`, in `meta` as it has always been.
pub(super) const INCARNATION: &str = "incarnation";
/// The highest fence that was accepted, in `local`.
pub(super) const FENCE: &str = "fence";
/// What this node removed before it knew its past, if anything, in `local`.
pub(super) const REMOVED: &str = "removed";

type Key = &'static [u8; 32];
/// The values of every table.
pub(super) type Bytes = &'static [u8];

/// The tables of a write transaction. They MUST be dropped before it commits.
#[derive(Debug)]
pub(super) struct WriteTables<'t> {
    pub(super) meta: Table<'t, &'static str, Bytes>,
    pub(super) facts: Table<'t, (u8, Key), Bytes>,
    pub(super) parts: Table<'t, (u8, Key, Key), Bytes>,
    pub(super) local: Table<'t, &'static str, Bytes>,
}

impl<'t> WriteTables<'t> {
    /// Opens all tables, making those that are not there.
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, Failure> {
        Ok(Self {
            meta: transaction.open_table(META)?,
            facts: transaction.open_table(FACTS)?,
            parts: transaction.open_table(PARTS)?,
            local: transaction.open_table(LOCAL)?,
        })
    }
}

/// The tables of a read transaction.
#[derive(Debug)]
pub(super) struct ReadTables {
    pub(super) meta: ReadOnlyTable<&'static str, Bytes>,
    pub(super) facts: ReadOnlyTable<(u8, Key), Bytes>,
    pub(super) parts: ReadOnlyTable<(u8, Key, Key), Bytes>,
    pub(super) local: ReadOnlyTable<&'static str, Bytes>,
}

impl ReadTables {
    /// Opens all tables; a missing one is damage, because all are made together.
    pub(super) fn open(transaction: &ReadTransaction) -> Result<Self, Failure> {
        Ok(Self {
            meta: transaction.open_table(META)?,
            facts: transaction.open_table(FACTS)?,
            parts: transaction.open_table(PARTS)?,
            local: transaction.open_table(LOCAL)?,
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

/// Reads a value of fixed size from `meta` or `local`.
pub(super) fn get<const N: usize>(
    table: &impl ReadableTable<&'static str, Bytes>,
    key: &str,
) -> Result<Option<[u8; N]>, Failure> {
    let Some(found) = table.get(key)? else { return Ok(None) };
    let bytes = found.value().try_into();
    bytes.map(Some).map_err(|_| Failure::damaged(format_args!("its {key} has another size")))
}
