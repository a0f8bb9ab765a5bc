use crate::{Digest, Principal};

/// Why bytes are not canonical. Nothing was changed; whoever made the bytes is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end inside a value.
    #[error("the bytes end inside {0}")]
    Truncated(&'static str),
    /// Bytes are left over after the value.
    #[error("{0} bytes are left over")]
    Trailing(usize),
    /// A count or length is over its bound.
    #[error("{what}: {found} exceeds the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// What the bytes say.
        found: usize,
        /// The bound.
        limit: usize,
    },
    /// A version or kind this build does not know.
    #[error("unknown {what} {found}; another version of Crux made it")]
    Unknown {
        /// What is unknown.
        what: &'static str,
        /// What the bytes say.
        found: u8,
    },
    /// A value that breaks a rule of its type.
    #[error("invalid {0}")]
    Invalid(&'static str),
}

impl DecodeError {
    /// The version or kind that this build does not know, if that is why, and its number.
    pub const fn unknown(&self) -> Option<(&'static str, u8)> {
        match self {
            Self::Unknown { what, found } => Some((what, *found)),
            _ => None,
        }
    }
}

/// Reads canonical bytes; never allocates more than the bytes it was given.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// Reads from the start of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Takes `n` bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn take(&mut self, n: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or(DecodeError::Truncated(what))?;
        self.rest = rest;
        Ok(head)
    }

    /// Takes an array.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(DecodeError::Truncated(what))?;
        self.rest = rest;
        Ok(*head)
    }

    /// Takes one byte.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn u8(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        Ok(self.array::<1>(what)?[0])
    }

    /// Takes a `u32`.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn u32(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array(what)?))
    }

    /// Takes a `u64`.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn u64(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        Ok(u64::from_be_bytes(self.array(what)?))
    }

    /// Takes a hash.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn digest(&mut self, what: &'static str) -> Result<Digest, DecodeError> {
        Ok(Digest(self.array(what)?))
    }

    /// Takes a principal.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn principal(&mut self, what: &'static str) -> Result<Principal, DecodeError> {
        Ok(Principal(self.array(what)?))
    }

    /// Takes a byte that is 0 or 1.
    ///
    /// # Errors
    /// Truncated, or another value.
    pub fn bool(&mut self, what: &'static str) -> Result<bool, DecodeError> {
        match self.u8(what)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Invalid(what)),
        }
    }

    /// Takes a version byte that MUST be `known`.
    ///
    /// # Errors
    /// Truncated, or another version.
    pub fn version(&mut self, what: &'static str, known: u8) -> Result<(), DecodeError> {
        match self.u8(what)? {
            found if found == known => Ok(()),
            found => Err(DecodeError::Unknown { what, found }),
        }
    }

    /// Takes a count of at most `limit`.
    ///
    /// # Errors
    /// Truncated, or over the limit.
    pub fn count(&mut self, limit: usize, what: &'static str) -> Result<usize, DecodeError> {
        let found = self.u32(what)? as usize;
        if found > limit {
            return Err(DecodeError::TooLarge { what, found, limit });
        }
        Ok(found)
    }

    /// Takes a byte string of at most `limit` bytes.
    ///
    /// # Errors
    /// Truncated, or over the limit.
    pub fn bytes(&mut self, limit: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let n = self.count(limit, what)?;
        self.take(n, what)
    }

    /// Takes a string of at most `limit` bytes.
    ///
    /// # Errors
    /// Truncated, over the limit, or not UTF-8.
    pub fn str(&mut self, limit: usize, what: &'static str) -> Result<&'a str, DecodeError> {
        core::str::from_utf8(self.bytes(limit, what)?).map_err(|_| DecodeError::Invalid(what))
    }

    /// Takes a string of at most `limit` bytes that may be shown to people.
    ///
    /// # Errors
    /// As [`Decoder::str`], or a character of it is not plain: see [`crate::text`].
    pub fn text(&mut self, limit: usize, what: &'static str) -> Result<&'a str, DecodeError> {
        let text = self.str(limit, what)?;
        if text.chars().all(crate::text::is_plain) {
            Ok(text)
        } else {
            Err(DecodeError::Invalid(what))
        }
    }

    /// Takes a string and parses it.
    ///
    /// # Errors
    /// As [`Decoder::str`], or the string does not parse.
    pub fn parse<T>(&mut self, limit: usize, what: &'static str) -> Result<T, DecodeError>
    where
        T: core::str::FromStr + core::fmt::Display,
    {
        let text = self.str(limit, what)?;
        let value: T = text.parse().map_err(|_| DecodeError::Invalid(what))?;
        // A second spelling of one value would be a second encoding.
        if value.to_string() == text { Ok(value) } else { Err(DecodeError::Invalid(what)) }
    }

    /// How many bytes are left.
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Ends reading.
    ///
    /// # Errors
    /// [`DecodeError::Trailing`].
    pub const fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::Trailing(self.rest.len())) }
    }
}
