//! What concerns this node alone, as it is in the tables: the fence, the incarnation, and what was removed.
//!
//! A fence is its term, big-endian, and its principal. What was removed: a version, then the keys, ascending.

use std::collections::BTreeSet;

use crux_crdt::Principal;
use crux_crdt::canon::{Canonical, DecodeError, Decoder, Encoder};
use crux_crdt::record::{Registration, ServiceKey, SlotKind as _};
use redb::ReadableTable;

use super::error::Failure;
use super::tables::{Bytes, FENCE, INCARNATION, REMOVED, WriteTables, get};

/// The version of what was removed.
const REMOVED_VERSION: u8 = 2;
/// How many keys that may have. Further ones are not kept: who removes so many before it meets anybody has
/// little of an earlier life left.
const REMOVED_MAX: usize = 4 * Registration::ROW.most;
/// A term and a principal.
const FENCE_BYTES: usize = 8 + 32;

type Fence = (u64, Principal);

/// The highest fence that was accepted.
pub(super) fn fence(
    local: &impl ReadableTable<&'static str, Bytes>,
) -> Result<Option<Fence>, Failure> {
    let Some(bytes) = get::<FENCE_BYTES>(local, FENCE)? else { return Ok(None) };
    let mut input = Decoder::new(&bytes);
    let mut both = || Ok((input.u64("term")?, input.principal("leader")?));
    let both =
        both().map_err(|err: DecodeError| Failure::damaged(format_args!("its fence: {err}")));
    both.map(Some)
}

/// Raises the fence. Returns whether it changed.
pub(super) fn put_fence(tables: &mut WriteTables<'_>, fence: Fence) -> Result<bool, Failure> {
    if self::fence(&tables.local)?.is_some_and(|known| known >= fence) {
        return Ok(false);
    }
    let mut out = Encoder::default();
    out.u64(fence.0).principal(&fence.1);
    tables.local.insert(FENCE, out.finish().as_slice())?;
    Ok(true)
}

/// Forgets a fence if it is the one that is stored. Returns whether it was.
pub(super) fn forget_fence(tables: &mut WriteTables<'_>, fence: Fence) -> Result<bool, Failure> {
    let held = self::fence(&tables.local)? == Some(fence);
    if held {
        tables.local.remove(FENCE)?;
    }
    Ok(held)
}

/// The incarnation the node last ran as; 0: it never ran.
pub(super) fn incarnation(meta: &impl ReadableTable<&'static str, Bytes>) -> Result<u64, Failure> {
    Ok(get(meta, INCARNATION)?.map_or(0, u64::from_be_bytes))
}

/// Raises the incarnation. Returns whether it changed.
pub(super) fn put_incarnation(
    tables: &mut WriteTables<'_>,
    incarnation: u64,
) -> Result<bool, Failure> {
    if self::incarnation(&tables.meta)? >= incarnation {
        return Ok(false);
    }
    tables.meta.insert(INCARNATION, incarnation.to_be_bytes().as_slice())?;
    Ok(true)
}

/// What was removed.
pub(super) fn removed(
    local: &impl ReadableTable<&'static str, Bytes>,
) -> Result<BTreeSet<ServiceKey>, Failure> {
    let Some(found) = local.get(REMOVED)? else { return Ok(BTreeSet::new()) };
    let mut input = Decoder::new(found.value());
    let all = || {
        input.version("removals", REMOVED_VERSION)?;
        let count = input.count(REMOVED_MAX, "removals")?;
        let keys = (0..count).map(|_| ServiceKey::decode(&mut input));
        let keys = keys.collect::<Result<_, DecodeError>>()?;
        input.finish().map(|()| keys)
    };
    all().map_err(|err| Failure::damaged(format_args!("what was removed: {err}")))
}

/// Adds to what was removed, as far as there is room. Returns whether it changed.
pub(super) fn put_removed(
    tables: &mut WriteTables<'_>,
    removed: &[ServiceKey],
) -> Result<bool, Failure> {
    if removed.is_empty() {
        return Ok(false);
    }
    let mut all = self::removed(&tables.local)?;
    let before = all.len();
    let room = REMOVED_MAX.saturating_sub(before);
    let news: Vec<_> = removed.iter().filter(|key| !all.contains(*key)).take(room).collect();
    all.extend(news.into_iter().cloned());
    if all.len() == before {
        return Ok(false);
    }
    tables.local.insert(REMOVED, seal_removed(&all).as_slice())?;
    Ok(true)
}

fn seal_removed(removed: &BTreeSet<ServiceKey>) -> Vec<u8> {
    let mut out = Encoder::default();
    out.u8(REMOVED_VERSION).count(removed.len());
    removed.iter().for_each(|key| key.encode(&mut out));
    out.finish()
}
