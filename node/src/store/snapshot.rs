use std::collections::BTreeSet;

use crux_crdt::Principal;
use crux_crdt::fact::Fact;
use crux_crdt::record::ServiceKey;
use crux_crdt::sign::Terms;
use redb::{Database, ReadableDatabase};

use super::error::Failure;
use super::tables::ReadTables;
use super::{facts, local};

/// Everything that was durable when the database was opened, verified again.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Every fact of a kind that this build knows, by kind and key.
    pub facts: Vec<Fact>,
    /// The highest fence that was accepted.
    pub fence: Option<(u64, Principal)>,
    /// The incarnation the node last ran as; 0: it never ran.
    pub incarnation: u64,
    /// What the node removed before it knew its past.
    pub removed: BTreeSet<ServiceKey>,
}

impl Snapshot {
    /// Reads and verifies everything.
    pub(super) fn read(database: &Database, terms: &Terms<'_>) -> Result<Self, Failure> {
        let tables = ReadTables::open(&database.begin_read()?)?;
        Ok(Self {
            facts: facts::read_all(&tables, terms)?,
            fence: local::fence(&tables.local)?,
            incarnation: local::incarnation(&tables.meta)?,
            removed: local::removed(&tables.local)?,
        })
    }
}
