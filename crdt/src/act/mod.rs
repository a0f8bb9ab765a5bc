//! Membership acts: signed statements that only accumulate.
//!
//! An act counts by itself, by its signature and its author's membership. Acts of one author are
//! chained, so that a header's [`crate::record::Frontier`] can say how far they went.

use std::fmt;

use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::record::decode_incarnation;
use crate::sign::Signable;
use crate::{Digest, Principal};

/// How many acts an author may sign.
pub const ACTS_PER_AUTHOR_MAX: u64 = 10_000;

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

/// What an act says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statement {
    /// The author vouches for the subject: a handshake with both factors succeeded.
    Admit {
        /// Who is admitted.
        subject: Principal,
        /// 1 + the greatest generation the author knew. The smallest one that stands is the
        /// subject's seniority.
        generation: u64,
    },
    /// The author leaves gracefully; it may come back with a higher incarnation.
    Leave {
        /// The incarnation that ends.
        incarnation: u64,
    },
    /// The subject is gone for long. It undoes this by publishing a higher incarnation.
    Retire {
        /// Who is retired.
        subject: Principal,
        /// Headers at or below this incarnation leave the state.
        incarnation: u64,
    },
}

/// Generations, and incarnations that others are retired at, are below this, so that a retired node
/// always has a greater incarnation to come back with, whatever a lying member says.
pub const NUMBER_LIMIT: u64 = 1 << 48;

const ADMIT: u8 = 1;
const LEAVE: u8 = 2;
const RETIRE: u8 = 3;

impl Signable for Act {
    const DOMAIN: &'static str = "crux/act/1";
}

impl Canonical for Act {
    fn encode(&self, out: &mut Encoder) {
        out.u8(1).u64(self.number).digest(&self.previous);
        match &self.statement {
            Statement::Admit { subject, generation } => {
                out.u8(ADMIT).principal(subject).u64(*generation)
            }
            Statement::Leave { incarnation } => out.u8(LEAVE).u64(*incarnation),
            Statement::Retire { subject, incarnation } => {
                out.u8(RETIRE).principal(subject).u64(*incarnation)
            }
        };
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        input.version("act version", 1)?;
        let number = input.u64("act number")?;
        if !(1..=ACTS_PER_AUTHOR_MAX).contains(&number) {
            return Err(DecodeError::Invalid("act number"));
        }
        let previous = input.digest("previous act")?;
        let statement = match input.u8("act kind")? {
            ADMIT => Statement::Admit {
                subject: input.principal("subject")?,
                generation: decode_number(input, "generation")?,
            },
            LEAVE => Statement::Leave { incarnation: decode_incarnation(input)? },
            RETIRE => Statement::Retire {
                subject: input.principal("subject")?,
                incarnation: decode_number(input, "incarnation")?,
            },
            found => return Err(DecodeError::Unknown { what: "act kind", found }),
        };
        Ok(Self { number, previous, statement })
    }
}

fn decode_number(input: &mut Decoder<'_>, what: &'static str) -> Result<u64, DecodeError> {
    match input.u64(what)? {
        number if number < NUMBER_LIMIT => Ok(number),
        _ => Err(DecodeError::Invalid(what)),
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admit { subject, generation } => {
                write!(f, "admit {} (generation {generation})", subject.short())
            }
            Self::Leave { incarnation } => write!(f, "leave at incarnation {incarnation}"),
            Self::Retire { subject, incarnation } => {
                write!(f, "retire {} at incarnation {incarnation}", subject.short())
            }
        }
    }
}
