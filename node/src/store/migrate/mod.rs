//! From older formats to the one this build writes.
//!
//! Each step brings a database from one format to the next, and all that are needed run in one
//! transaction together with the new format number: a crash leaves the old database whole. A step
//! reads tables under their old names, writes them under new ones and deletes the old ones; it
//! stays here, with its own definitions of the old layout, as long as that format may be met.
//!
//! A step copies bytes as they are, so it needs neither key nor decoder; the start that runs it verifies them
//! afterwards. Where there is no room for the copy, the start is refused and the old database remains.
//!
//! Formats below [`OLDEST`] have no step: their records and acts are signed by their authors in encodings that
//! this build does not read, and nobody else can bring them up to date. They were never released.

mod one_table;

use redb::{Database, WriteTransaction};

use super::error::Failure;
use super::tables::{FORMAT, WriteTables};

/// Brings a database from format `n` to `n + 1`.
pub(super) type Step = fn(&WriteTransaction) -> Result<(), Failure>;

/// The oldest format that this build reads. Format 1 had profiles of version 1, format 2 acts of version 1.
pub(super) const OLDEST: u32 = 3;

/// `STEPS[i]` starts from format `OLDEST + i`.
pub(super) const STEPS: &[Step] = &[one_table::step];

/// The format that `steps` lead to; with [`STEPS`], the one this build writes.
pub(super) fn format_after(steps: &[Step]) -> u32 {
    u32::try_from(steps.len()).map_or(u32::MAX, |steps| steps.saturating_add(OLDEST))
}

/// The steps that a database of format `found` still needs.
///
/// # Errors
/// It is newer than `steps` lead to, older than what they start from, or there is no such format.
pub(super) fn remaining(found: u32, steps: &[Step]) -> Result<&[Step], Failure> {
    if found == 0 {
        return Err(Failure::damaged("it has format 0"));
    }
    let Some(done) = found.checked_sub(OLDEST) else {
        return Err(Failure::Older { found, known: OLDEST });
    };
    let rest = usize::try_from(done).ok().and_then(|done| steps.get(done..));
    rest.ok_or(Failure::Newer { found, known: format_after(steps) })
}

/// Runs steps that lead to the format `reached`, if there are any.
pub(super) fn run(database: &Database, steps: &[Step], reached: u32) -> Result<(), Failure> {
    if steps.is_empty() {
        return Ok(());
    }
    let transaction = database.begin_write()?;
    for step in steps {
        step(&transaction)?;
    }
    let mut tables = WriteTables::open(&transaction)?;
    tables.meta.insert(FORMAT, reached.to_be_bytes().as_slice())?;
    drop(tables);
    Ok(transaction.commit()?)
}
