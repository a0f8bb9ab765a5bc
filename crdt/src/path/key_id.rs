//! `/rev/principal/keys/fingerprint`.

use core::fmt;
use core::str::FromStr;

use super::PathError;
use super::net_id::split;
use crate::id::{Digest, Principal};
use crate::name::ServiceName;

/// How a [`KeyId`] looks, for errors.
const FORM: &str = "/rev/principal/keys/fingerprint";

/// Which key a service answers with: `/rev/principal/keys/fingerprint`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId {
    /// The revision of the service.
    pub rev: ServiceName,
    /// The node that serves it.
    pub principal: Principal,
    /// The hash of the public key.
    pub fingerprint: Digest,
}

impl FromStr for KeyId {
    type Err = PathError;

    fn from_str(s: &str) -> Result<Self, PathError> {
        let (rev, principal, tail) = split(s, "keys", FORM)?;
        let wrong = |source| PathError::Id { part: "fingerprint", source };
        Ok(Self { rev, principal, fingerprint: tail.parse().map_err(wrong)? })
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rev, principal, fingerprint } = self;
        write!(f, "/{rev}/{principal}/keys/{fingerprint}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn says_what_is_wrong_and_where() {
        let err = |s: &str| s.parse::<KeyId>().unwrap_err();
        let key = "ab".repeat(32);
        assert!(matches!(err(&format!("/r1/{key}/net/{key}")), PathError::Word { .. }));
        let short = err(&format!("/r1/{key}/keys/abc"));
        assert!(matches!(short, PathError::Id { part: "fingerprint", .. }));
        assert!(matches!(err(&format!("/r1/{key}/keys")), PathError::Parts { found: 3, .. }));
    }

    proptest! {
        #[test]
        fn round_trip(
            rev in "[a-zA-Z][a-zA-Z0-9_.-]{0,5}",
            principal in any::<[u8; 32]>(),
            fingerprint in any::<[u8; 32]>(),
        ) {
            let rev = rev.parse().unwrap();
            let (principal, fingerprint) = (Principal(principal), Digest(fingerprint));
            let id = KeyId { rev, principal, fingerprint };
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }
    }
}
