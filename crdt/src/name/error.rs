//! Why a string is not a name.

/// Why a string is not a name. `at` counts bytes from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// There is nothing.
    #[error("it is empty")]
    Empty,
    /// More bytes than the limit.
    #[error("it has {len} bytes, at most {max} are allowed")]
    TooLong {
        /// How many bytes were given.
        len: usize,
        /// How many are allowed.
        max: usize,
    },
    /// The first character may not stand there.
    #[error("it starts with {found:?}; it must start with {expected}")]
    Start {
        /// The first character.
        found: char,
        /// What may stand there, in words.
        expected: &'static str,
    },
    /// The last character may not stand there.
    #[error("it ends with {found:?}; it must end with {expected}")]
    End {
        /// The last character.
        found: char,
        /// What may stand there, in words.
        expected: &'static str,
    },
    /// A character outside the alphabet.
    #[error("{found:?} at byte {at} is not allowed; allowed are {expected}")]
    Char {
        /// The character.
        found: char,
        /// Its position.
        at: usize,
        /// What may stand there, in words.
        expected: &'static str,
    },
    /// A form under which nodes are shown that hold no name.
    #[error("names like `node-0a1b2c3d` and `web-x-0a1b2c` are given to nodes that hold no name")]
    Reserved,
}

/// Refuses the empty string and those longer than `max` bytes. First, so that no other check reads it.
pub(super) fn check_len(s: &str, max: usize) -> Result<(), NameError> {
    match s.len() {
        0 => Err(NameError::Empty),
        len if len > max => Err(NameError::TooLong { len, max }),
        _ => Ok(()),
    }
}

/// Refuses the first character for which `allowed` is false.
pub(super) fn check_chars(
    s: &str,
    expected: &'static str,
    allowed: impl Fn(char) -> bool,
) -> Result<(), NameError> {
    match s.char_indices().find(|(_, c)| !allowed(*c)) {
        Some((at, found)) => Err(NameError::Char { found, at, expected }),
        None => Ok(()),
    }
}
