//! Membership acts: signed statements that only accumulate.
//!
//! An act counts by itself, by its signature and its author's membership. Acts of one author are
//! chained, so that a header's [`crate::record::Frontier`] can say how far they went. An eviction counts by the key
//! of the operator, which is not a member.
//!
//! **Invariant**: an act whose kind this build does not know is kept and passed on byte for byte, takes
//! room as any other does, and changes nothing that is shown.

mod after;
mod fact;
mod known;
mod later;
mod prefixes;
mod reason;
mod statement;

pub use after::{AFTER_MAX, After};
pub use known::{KNOWN_MAX, Known};
pub use later::Later;
pub use prefixes::PREFIX_BYTES;
pub(crate) use prefixes::{Prefix, prefix};
pub use reason::{REASON_BYTES_MAX, Reason, ReasonError};
pub use statement::{NUMBER_LIMIT, Statement};

use crate::Digest;
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::sign::Signable;

/// How many acts of known kinds an author may sign; and as many of unknown ones.
pub const ACTS_PER_AUTHOR_MAX: u64 = 10_000;
/// The largest act, in bytes without its envelope: an eviction lists 8 bytes for each principal that the operator's
/// node reaches, [`KNOWN_MAX`] of them at most.
pub const ACT_BYTES_MAX: usize = 128 * 1024;
/// How large all acts of one author that are large and count for nothing may be together, in bytes without their
/// envelopes: those of kinds that this build does not know, and evictions by another key than the operator's. 128 of
/// the largest ones fit. Others are bounded by their number.
pub const ACTS_BYTES_PER_AUTHOR_MAX: usize = 16 * 1024 * 1024;
/// How large all evictions by the operator may be together, in bytes without their envelopes: 512 of the largest ones,
/// or one for each principal that a list of evicted ones can name in a flock of 8,000 members.
pub const EVICTIONS_BYTES_MAX: usize = 64 * 1024 * 1024;

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
