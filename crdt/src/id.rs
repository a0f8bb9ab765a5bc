//! Identifiers: fixed-size newtypes over bytes, printed as lower-case hex.

use core::cmp::Ordering;
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

/// The first eight bytes, as a number of the same order.
fn head(bytes: &[u8; 32]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *bytes;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

macro_rules! id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $name(pub [u8; 32]);

        impl Ord for $name {
            /// By the bytes. The first eight nearly always decide, and as one number they are
            /// compared without a call: maps by these ids are what engines spend their time in.
            fn cmp(&self, other: &Self) -> Ordering {
                let first = head(&self.0).cmp(&head(&other.0));
                first.then_with(|| self.0.cmp(&other.0))
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ids_are_ordered_by_their_bytes(a: [u8; 32], b: [u8; 32], same in 0usize..=32) {
            let mut b = b;
            b[..same].copy_from_slice(&a[..same]);
            prop_assert_eq!(Digest(a).cmp(&Digest(b)), a.cmp(&b));
            prop_assert_eq!(Principal(a).partial_cmp(&Principal(b)), a.partial_cmp(&b));
        }
    }
}
