//! From format 3, which had tables for each kind of fact and one for the fence, to one table of facts, one of
//! their parts and one of what concerns the node alone. The bytes of facts are the same in both.

use redb::{ReadableTable, TableDefinition, TableHandle, WriteTransaction};

use crate::store::error::Failure;

type Key = &'static [u8; 32];
type Bytes = &'static [u8];
const ACTS: TableDefinition<'_, Key, Bytes> = TableDefinition::new("acts-2");
const RECORDS: TableDefinition<'_, Key, Bytes> = TableDefinition::new("records-1");
const SLOTS: TableDefinition<'_, (Key, Key), Bytes> = TableDefinition::new("slots-1");
const FENCE: TableDefinition<'_, (), (u64, Key)> = TableDefinition::new("fence-1");
const META: TableDefinition<'_, &str, Bytes> = TableDefinition::new("meta-1");
const FACTS: TableDefinition<'_, (u8, Key), Bytes> = TableDefinition::new("facts-1");
const PARTS: TableDefinition<'_, (u8, Key, Key), Bytes> = TableDefinition::new("parts-1");
const LOCAL: TableDefinition<'_, &str, Bytes> = TableDefinition::new("local-1");
const ACT: u8 = 1;
const RECORD: u8 = 2;

/// See the module.
pub(super) fn step(transaction: &WriteTransaction) -> Result<(), Failure> {
    // A transaction that writes makes a table that is missing, and would lose what was in it.
    require(transaction, &["acts-2", "records-1", "slots-1", "fence-1"])?;
    let mut facts = transaction.open_table(FACTS)?;
    for (kind, table) in [(ACT, ACTS), (RECORD, RECORDS)] {
        for entry in transaction.open_table(table)?.iter()? {
            let (key, bytes) = entry?;
            facts.insert((kind, key.value()), bytes.value())?;
        }
        transaction.delete_table(table)?;
    }
    let mut parts = transaction.open_table(PARTS)?;
    for entry in transaction.open_table(SLOTS)?.iter()? {
        let (at, bytes) = entry?;
        let (key, part) = at.value();
        parts.insert((RECORD, key, part), bytes.value())?;
    }
    transaction.delete_table(SLOTS)?;
    let mut local = transaction.open_table(LOCAL)?;
    if let Some(found) = transaction.open_table(FENCE)?.get(())? {
        let (term, principal) = found.value();
        let bytes = [&term.to_be_bytes()[..], principal].concat();
        local.insert("fence", bytes.as_slice())?;
    }
    transaction.delete_table(FENCE)?;
    if let Some(removed) = transaction.open_table(META)?.remove("removed")? {
        local.insert("removed", removed.value())?;
    }
    Ok(())
}

/// Makes sure that tables are there: all of a format are made together.
fn require(transaction: &WriteTransaction, names: &[&str]) -> Result<(), Failure> {
    let found: Vec<_> = transaction.list_tables()?.map(|it| it.name().to_owned()).collect();
    match names.iter().find(|name| !found.iter().any(|it| it == *name)) {
        Some(name) => Err(Failure::damaged(format_args!("its table {name} is missing"))),
        None => Ok(()),
    }
}
