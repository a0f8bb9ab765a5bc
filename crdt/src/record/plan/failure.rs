use core::fmt;

use crate::canon::{Canonical, DecodeError, Decoder, Encoder};

/// Why a version failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// It was not ready by the deadline of its roll-out.
    Deadline,
    /// It ended again and again.
    CrashLoop,
    /// It ran and made no progress.
    Wedged,
    /// A reason of a later build.
    Later(LaterFailure),
}

/// The number of a [`Failure`] that this build does not know. Only decoding makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaterFailure(u8);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deadline => "not ready within the deadline of its roll-out",
            Self::CrashLoop => "it ends again and again",
            Self::Wedged => "it runs and makes no progress",
            Self::Later(_) => "a reason that this build does not know",
        })
    }
}

impl Canonical for Failure {
    fn encode(&self, out: &mut Encoder) {
        out.u8(match self {
            Self::Deadline => 1,
            Self::CrashLoop => 2,
            Self::Wedged => 3,
            Self::Later(LaterFailure(number)) => *number,
        });
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(match input.u8("failure of a version")? {
            0 => return Err(DecodeError::Invalid("failure of a version")),
            1 => Self::Deadline,
            2 => Self::CrashLoop,
            3 => Self::Wedged,
            later => Self::Later(LaterFailure(later)),
        })
    }
}
