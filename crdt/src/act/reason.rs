use core::fmt;

use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::text::is_plain;

/// How long the reason of an eviction may be, in bytes: a line in a list, as the note of a target.
pub const REASON_BYTES_MAX: usize = 256;

/// The reason that the operator gives for an eviction. Everybody is shown it, the evicted node too.
///
/// **Invariant**: from 1 to [`REASON_BYTES_MAX`] bytes, of characters that are shown as themselves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason(Box<str>);

/// Why a text is not a reason. Nothing was changed; the caller's input is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReasonError {
    /// It is empty.
    #[error("the reason is empty")]
    Empty,
    /// It has more than [`REASON_BYTES_MAX`] bytes.
    #[error("the reason has {0} bytes; at most {REASON_BYTES_MAX} are allowed")]
    TooLong(usize),
    /// It has a character that is not shown as itself: a control character, or an invisible one.
    #[error("the reason has the character U+{:04X}, which is not shown as itself", u32::from(*.0))]
    NotPlain(char),
}

impl Reason {
    /// The reason with this text.
    ///
    /// # Errors
    /// [`ReasonError`].
    pub fn new(text: &str) -> Result<Self, ReasonError> {
        if text.is_empty() {
            return Err(ReasonError::Empty);
        }
        if text.len() > REASON_BYTES_MAX {
            return Err(ReasonError::TooLong(text.len()));
        }
        match text.chars().find(|c| !is_plain(*c)) {
            Some(c) => Err(ReasonError::NotPlain(c)),
            None => Ok(Self(text.into())),
        }
    }

    /// As text.
    pub const fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Canonical for Reason {
    fn encode(&self, out: &mut Encoder) {
        out.str(&self.0);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let text = input.text(REASON_BYTES_MAX, "reason")?;
        Self::new(text).map_err(|_| DecodeError::Invalid("reason"))
    }
}
