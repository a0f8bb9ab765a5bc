//! Identifiers: fixed-size newtypes over bytes, printed as lower-case hex.

use core::fmt;
use core::str::FromStr;

use data_encoding::HEXLOWER;

/// Why a string is not an identifier. Nothing was changed; the caller's input is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} lower-case hex digits, found {found:?}")]
pub struct ParseIdError {
    /// How many hex digits the identifier has.
    pub expected: usize,
    /// What was given, cut to 80 characters.
    pub found: String,
}

macro_rules! id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// The first eight hex digits, for logs and pictures. Not unique.
            pub fn short(&self) -> String {
                HEXLOWER.encode(&self.0[..4])
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&HEXLOWER.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.short())
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(s: &str) -> Result<Self, ParseIdError> {
                let wrong = || ParseIdError { expected: 64, found: s.chars().take(80).collect() };
                let bytes = HEXLOWER.decode(s.as_bytes()).map_err(|_| wrong())?;
                Ok(Self(bytes.try_into().map_err(|_| wrong())?))
            }
        }
    };
}

id! {
    /// A SHA3-256 hash.
    Digest
}

id! {
    /// The SHA3-256 of a file, with no domain: what `openssl dgst -sha3-256` prints.
    BlobId
}

id! {
    /// The BLAKE3 root of a file.
    Root
}

id! {
    /// A node's long-lived Ed25519 public key: who it is.
    ///
    /// Not every value is a point on the curve. Signature checks refuse those that are not.
    Principal
}
