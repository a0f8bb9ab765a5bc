use super::{CONTENT_MAX, KEY_BYTES_MAX, Key};
use crate::canon::DecodeError;
use crate::sign::OpenError;

/// Why a string is not the key of a document. `at` counts bytes from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// More bytes than [`KEY_BYTES_MAX`].
    #[error("it has {len} bytes, at most {KEY_BYTES_MAX} are allowed")]
    TooLong {
        /// How many bytes were given.
        len: usize,
    },
    /// There is no slash, or nothing after it.
    #[error("it has no name; expected KIND/NAME")]
    NoName,
    /// The kind has more bytes than allowed.
    #[error("its kind has {len} bytes, at most {max} are allowed")]
    KindTooLong {
        /// How many bytes the kind has.
        len: usize,
        /// How many are allowed.
        max: usize,
    },
    /// The kind does not start with a lower-case letter.
    #[error("its kind must start with a lower-case letter")]
    KindStart,
    /// A character that is not allowed in a kind.
    #[error(
        "{found:?} at byte {at} is not allowed in a kind; allowed are lower-case letters, digits, `-` and `_`"
    )]
    KindChar {
        /// The character.
        found: char,
        /// Its position.
        at: usize,
    },
    /// A character that is not allowed in a name.
    #[error("{found:?} at byte {at} is not allowed; allowed are letters, digits and `._@:+-/`")]
    Char {
        /// The character.
        found: char,
        /// Its position.
        at: usize,
    },
    /// Two slashes follow each other, or the last character is one.
    #[error("a part of its name is empty")]
    EmptySegment,
    /// A part of the name is `.` or `..`.
    #[error("a part of its name is `.` or `..`")]
    Dots,
}

/// Why bytes, or a draft, are not a document of this flock. Nothing was changed; the signer is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// The flock has no operator key.
    #[error("this flock has no operator key, so it has no documents")]
    NoOperator,
    /// The envelope, its signature or its body is wrong.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A user signed it, and no grant is enclosed.
    #[error("its signer is not the operator, and it has no grant enclosed")]
    GrantMissing,
    /// The operator signed it, and a grant is enclosed.
    #[error("the operator signed it, and it has a grant enclosed")]
    GrantOfOperator,
    /// The enclosed grant is not a document of this flock.
    #[error("its grant is invalid: {0}")]
    Grant(OpenError),
    /// The enclosed grant is not signed by the operator.
    #[error("its grant is not signed by the operator")]
    GrantSigner,
    /// The enclosed document is not the grant of the signer.
    #[error("its grant is {0}, which is not that of its signer")]
    GrantKey(Key),
    /// The enclosed grant is a deletion.
    #[error("its grant is deleted")]
    GrantDeleted,
    /// The enclosed grant says that it is revoked.
    #[error("its grant is revoked")]
    GrantRevoked,
    /// It was signed under another grants version than the grant has.
    #[error("it has grants version {found}, its grant has {grant}")]
    GrantVersion {
        /// The version in the document.
        found: u64,
        /// The version in the grant.
        grant: u64,
    },
    /// Only the operator signs documents of this kind.
    #[error("only the operator may sign {0}")]
    OperatorsOnly(Key),
    /// No permission of the grant covers the key.
    #[error("its grant does not cover {0}")]
    NotCovered(Key),
    /// The key of a grant names no principal.
    #[error("the name of {0} is not a public key: expected 64 lower-case hex digits")]
    Grantee(Key),
    /// The key of a grant names the operator.
    #[error("the operator needs no grant")]
    GranteeIsOperator,
    /// The content of a grant is not a grant.
    #[error("its content is not a grant: {0}")]
    Content(DecodeError),
    /// More bytes than [`CONTENT_MAX`].
    #[error("its content has {0} bytes, at most {CONTENT_MAX} are allowed")]
    TooLarge(usize),
}

impl DocumentError {
    /// The version that this build does not know, if that is why, and its number.
    pub const fn unknown(&self) -> Option<(&'static str, u8)> {
        match self {
            Self::Open(error) | Self::Grant(error) => error.unknown(),
            Self::Content(error) => error.unknown(),
            _ => None,
        }
    }
}
