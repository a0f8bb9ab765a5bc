//! Facts in the tables, whatever they say.
//!
//! Under a kind and a key are the bytes that the facts there merge into, and apart from them, so that one small
//! change rewrites little, the parts that those bytes name. **Invariant**: of a kind that this build knows, there
//! are exactly these parts.

use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::Digest;
use crux_crdt::fact::{self, Fact, FactError, Gone, Kind};
use crux_crdt::sign::Terms;
use redb::ReadableTable;

use super::error::Failure;
use super::tables::{ReadTables, WriteTables};

/// Merges a fact into the tables. Returns whether they changed.
pub(super) fn put(tables: &mut WriteTables<'_>, fact: &Fact) -> Result<bool, Failure> {
    let (kind, key) = (fact.kind(), fact.key());
    let stored = stored(tables, kind, &key)?;
    let kept = fact.keep(stored.as_deref()).map_err(damaged(kind, &key))?;
    let Some(kept) = kept else { return Ok(false) };
    for part in &kept.dropped {
        tables.parts.remove((kind.0, &key.0, &part.0))?;
    }
    for (part, bytes) in &kept.added {
        tables.parts.insert((kind.0, &key.0, &part.0), bytes.as_slice())?;
    }
    tables.facts.insert((kind.0, &key.0), kept.bytes.as_slice())?;
    Ok(true)
}

/// Takes what is gone out of the tables. Returns whether they changed.
pub(super) fn leave_out(tables: &mut WriteTables<'_>, gone: &Gone) -> Result<bool, Failure> {
    let Gone { kind, key, author } = gone;
    let Some(stored) = stored(tables, *kind, key)? else { return Ok(false) };
    let damaged = damaged(*kind, key);
    let left = fact::without(*kind, &stored, author).map_err(&damaged)?;
    if left.as_ref() == Some(&stored) {
        return Ok(false);
    }
    let parts = |bytes: &[u8]| -> Result<BTreeSet<Digest>, Failure> {
        Ok(fact::parts(*kind, bytes).map_err(&damaged)?.into_iter().collect())
    };
    let needed = left.as_deref().map(parts).transpose()?.unwrap_or_default();
    for part in parts(&stored)?.difference(&needed) {
        tables.parts.remove((kind.0, &key.0, &part.0))?;
    }
    match left {
        Some(left) => tables.facts.insert((kind.0, &key.0), left.as_slice())?,
        None => tables.facts.remove((kind.0, &key.0))?,
    };
    Ok(true)
}

/// Reads and verifies every fact of a kind that this build knows, by kind and key.
pub(super) fn read_all(tables: &ReadTables, terms: &Terms<'_>) -> Result<Vec<Fact>, Failure> {
    let mut facts = Vec::new();
    for entry in tables.facts.iter()? {
        let (at, bytes) = entry?;
        let (kind, key) = at.value();
        let (kind, key) = (Kind(kind), Digest(*key));
        if kind.is_known() {
            facts.extend(restore(tables, kind, &key, bytes.value(), terms)?);
        }
    }
    Ok(facts)
}

/// Reads and verifies the facts under one key.
pub(super) fn read(
    tables: &ReadTables,
    kind: Kind,
    key: &Digest,
    terms: &Terms<'_>,
) -> Result<Vec<Fact>, Failure> {
    match tables.facts.get((kind.0, &key.0))? {
        Some(bytes) => restore(tables, kind, key, bytes.value(), terms),
        None => Ok(Vec::new()),
    }
}

fn restore(
    tables: &ReadTables,
    kind: Kind,
    key: &Digest,
    bytes: &[u8],
    terms: &Terms<'_>,
) -> Result<Vec<Fact>, Failure> {
    let damaged = damaged(kind, key);
    let mut parts = BTreeMap::new();
    for part in fact::parts(kind, bytes).map_err(&damaged)? {
        // A part that is missing is for the kind to name.
        if let Some(found) = tables.parts.get((kind.0, &key.0, &part.0))? {
            parts.insert(part, found.value().to_vec());
        }
    }
    fact::restore(kind, key, bytes, parts, terms).map_err(damaged)
}

fn stored(tables: &WriteTables<'_>, kind: Kind, key: &Digest) -> Result<Option<Vec<u8>>, Failure> {
    Ok(tables.facts.get((kind.0, &key.0))?.map(|found| found.value().to_vec()))
}

/// Says of what is under a key why it is damaged.
fn damaged(kind: Kind, key: &Digest) -> impl Fn(FactError) -> Failure {
    move |error| Failure::damaged(format_args!("{kind} {}: {error}", key.short()))
}
