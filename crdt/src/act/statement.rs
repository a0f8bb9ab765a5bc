use std::fmt;

use super::{After, Known, Later, Reason};
use crate::Principal;
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::record::decode_incarnation;

/// Generations, and incarnations that others are retired at, are below this, so that a retired node
/// always has a greater incarnation to come back with, whatever a lying member says.
pub const NUMBER_LIMIT: u64 = 1 << 48;

const ADMIT: u8 = 1;
const LEAVE: u8 = 2;
const RETIRE: u8 = 3;
const EVICT: u8 = 4;

/// What an act says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// The author vouches for the subject: a handshake with both factors succeeded.
    Admit {
        /// The newcomer.
        subject: Principal,
        /// 1 + the greatest generation the author knew. The smallest admission that counts is the
        /// subject's seniority.
        generation: u64,
        /// The evicted principals that the join key of the handshake excludes.
        after: After,
    },
    /// The author leaves gracefully; it may come back with a higher incarnation.
    Leave {
        /// The incarnation that ends.
        incarnation: u64,
    },
    /// The subject is gone for long. It undoes this by publishing a higher incarnation.
    Retire {
        /// The member that is retired.
        subject: Principal,
        /// Headers at or below this incarnation leave the state.
        incarnation: u64,
    },
    /// The subject is out, for ever. Counts if the author is the operator.
    Evict {
        /// The principal that is evicted.
        subject: Principal,
        /// The reason, as everybody is shown it.
        reason: Reason,
        /// The principals that the operator's node reached.
        known: Known,
        /// The evicted ones of which it knew: `known` counts for these, too.
        after: After,
    },
    /// Something that this build does not know. It counts for nothing.
    Later(Later),
}

impl Statement {
    /// An admission under the initial secret, which excludes nobody.
    pub fn admit(subject: Principal, generation: u64) -> Self {
        Self::Admit { subject, generation, after: After::default() }
    }

    /// How many bytes its encoding takes.
    pub(super) fn bytes(&self) -> usize {
        1 + match self {
            Self::Admit { after, .. } => 32 + 8 + after.bytes(),
            Self::Leave { .. } => 8,
            Self::Retire { .. } => 32 + 8,
            Self::Evict { reason, known, after, .. } => {
                32 + 4 + reason.as_str().len() + known.bytes() + after.bytes()
            }
            Self::Later(later) => later.body().len(),
        }
    }

    /// How many bytes it takes in memory beyond its own size.
    pub(super) fn heap(&self) -> usize {
        match self {
            Self::Admit { after, .. } => after.heap(),
            Self::Leave { .. } | Self::Retire { .. } => 0,
            Self::Evict { reason, known, after, .. } => {
                reason.as_str().len() + known.heap() + after.heap()
            }
            Self::Later(later) => later.body().len(),
        }
    }
}

impl Canonical for Statement {
    fn encode(&self, out: &mut Encoder) {
        match self {
            Self::Admit { subject, generation, after } => {
                after.encode(out.u8(ADMIT).principal(subject).u64(*generation));
            }
            Self::Leave { incarnation } => _ = out.u8(LEAVE).u64(*incarnation),
            Self::Retire { subject, incarnation } => {
                out.u8(RETIRE).principal(subject).u64(*incarnation);
            }
            Self::Evict { subject, reason, known, after } => {
                reason.encode(out.u8(EVICT).principal(subject));
                known.encode(out);
                after.encode(out);
            }
            Self::Later(later) => later.encode(out),
        }
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(match input.u8("act kind")? {
            ADMIT => Self::Admit {
                subject: input.principal("subject")?,
                generation: decode_number(input, "generation")?,
                after: After::decode(input)?,
            },
            LEAVE => Self::Leave { incarnation: decode_incarnation(input)? },
            RETIRE => Self::Retire {
                subject: input.principal("subject")?,
                incarnation: decode_number(input, "incarnation")?,
            },
            EVICT => Self::Evict {
                subject: input.principal("subject")?,
                reason: Reason::decode(input)?,
                known: Known::decode(input)?,
                after: After::decode(input)?,
            },
            kind => Self::Later(Later::decode(kind, input)?),
        })
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
            Self::Admit { subject, generation, .. } => {
                write!(f, "admit {} (generation {generation})", subject.short())
            }
            Self::Leave { incarnation } => write!(f, "leave at incarnation {incarnation}"),
            Self::Retire { subject, incarnation } => {
                write!(f, "retire {} at incarnation {incarnation}", subject.short())
            }
            Self::Evict { subject, reason, known, .. } => {
                write!(f, "evict {} ({reason}; {} listed)", subject.short(), known.len())
            }
            Self::Later(later) => {
                write!(f, "kind {} of a later version ({} bytes)", later.kind(), later.body().len())
            }
        }
    }
}
