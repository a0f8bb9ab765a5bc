//! Why a line is no secret.

use crate::error::{Error, Kind};

/// Why a line is no secret. Says where, never what: the line may be a secret with a slip in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// There is nothing.
    #[error("it is empty")]
    Empty,
    /// More bytes than any secret has.
    #[error("it has more than {max} bytes")]
    TooLong {
        /// The greatest length.
        max: usize,
    },
    /// It does not look like one at all, as a word that a person made up.
    #[error("it does not start with `{expected}`")]
    Prefix {
        /// How it starts.
        expected: &'static str,
    },
    /// Made by another version.
    #[error("it is of version {found}; this program reads version {expected}")]
    Version {
        /// The version of the line.
        found: u32,
        /// The version this program reads.
        expected: u32,
    },
    /// The end is missing.
    #[error("it is truncated: it does not end with `-end`")]
    Truncated,
    /// A character that no secret has. `at` counts bytes from 0.
    #[error("it is mistyped: the character at byte {at} is not allowed")]
    Character {
        /// Where.
        at: usize,
    },
    /// The checksum differs.
    #[error("it is mistyped: the checksum does not match")]
    Checksum,
    /// The checksum matches, the content makes no sense.
    #[error("it is damaged: its content makes no sense")]
    Content,
}

impl SecretError {
    /// What to do about it.
    fn hint(self) -> &'static str {
        match self {
            Self::Prefix { expected: "crux-user" } => {
                "Give the file of a user's key, which `crux-node user keygen` makes."
            }
            Self::Prefix { expected: "crux-user-key" } => {
                "Give the public line that `crux-node user keygen` printed, never the key itself."
            }
            Self::Prefix { expected: "crux-operator" } => {
                "Give the operator's key, which `crux-node keygen` made with the secret of the flock."
            }
            Self::Empty | Self::Prefix { .. } => {
                "Make one with `crux-node keygen`; a secret cannot be made up."
            }
            Self::Version { .. } => "Use a program of the version that made it.",
            Self::Truncated => "Copy the whole line again, from `crux` to `-end`.",
            Self::TooLong { .. } | Self::Character { .. } | Self::Checksum | Self::Content => {
                "Copy the whole line again; it is one line without spaces."
            }
        }
    }
}

impl From<SecretError> for Error {
    fn from(err: SecretError) -> Self {
        Self::new(Kind::InvalidSecret, err.to_string()).with_hint(err.hint())
    }
}
