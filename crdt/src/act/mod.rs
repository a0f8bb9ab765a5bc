//! Membership acts: signed statements that only accumulate.
//!
//! An act counts by itself, by its signature and its author's membership. Acts of one author are
//! chained, so that a header's [`crate::record::Frontier`] can say how far they went.
//!
//! **Invariant**: an act whose kind this build does not know is kept and passed on byte for byte, takes
//! room as any other does, and changes nothing that is shown.

mod after;
mod fact;
mod later;
mod statement;

pub use after::{AFTER_MAX, After, PREFIX_BYTES};
pub use later::Later;
pub use statement::{NUMBER_LIMIT, Statement};

use crate::Digest;
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::sign::Signable;

/// How many acts of known kinds an author may sign; and as many of unknown ones.
pub const ACTS_PER_AUTHOR_MAX: u64 = 10_000;
/// The largest act, in bytes without its envelope: an eviction of a later version lists 8 bytes for each
/// principal that the operator knows, so some 16,000 of them.
pub const ACT_BYTES_MAX: usize = 128 * 1024;
/// How large all acts of one author of kinds that this build does not know may be together, in bytes without
/// their envelopes: 128 of the largest ones fit. Acts of known kinds are bounded by their number.
pub const ACTS_BYTES_PER_AUTHOR_MAX: usize = 16 * 1024 * 1024;

/// The version of the encoding.
const VERSION: u8 = 2;
/// What an act has before its statement: version, number and previous act.
const HEAD_BYTES: usize = 1 + 8 + 32;

/// A membership statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// Its place in the author's chain, from 1 to [`ACTS_PER_AUTHOR_MAX`].
    pub number: u64,
    /// The id of the author's act before it; zero for the first.
    pub previous: Digest,
    /// What it says.
    pub statement: Statement,
}

impl Act {
    /// How many bytes it takes without its envelope.
    pub fn bytes(&self) -> usize {
        HEAD_BYTES + self.statement.bytes()
    }

    /// What it takes in memory beyond its own size, in bytes.
    pub(crate) fn heap(&self) -> usize {
        self.statement.heap()
    }
}

impl Signable for Act {
    const DOMAIN: &'static str = "crux/act/2";
    const BODY_MAX: usize = ACT_BYTES_MAX;
}

impl Canonical for Act {
    fn encode(&self, out: &mut Encoder) {
        out.u8(VERSION).u64(self.number).digest(&self.previous);
        self.statement.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        input.version("act version", VERSION)?;
        let number = input.u64("act number")?;
        if !(1..=ACTS_PER_AUTHOR_MAX).contains(&number) {
            return Err(DecodeError::Invalid("act number"));
        }
        let previous = input.digest("previous act")?;
        Ok(Self { number, previous, statement: Statement::decode(input)? })
    }
}
