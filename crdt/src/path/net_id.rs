//! `/rev/principal/net/host:port`.

use core::fmt;
use core::str::FromStr;

use super::{Endpoint, PathError, cut};
use crate::id::Principal;
use crate::name::ServiceName;

/// How a [`NetId`] looks, for errors.
const FORM: &str = "/rev/principal/net/host:port";

/// Where a service is reached: `/rev/principal/net/host:port`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetId {
    /// The revision of the service.
    pub rev: ServiceName,
    /// The node that serves it.
    pub principal: Principal,
    /// Where it listens.
    pub endpoint: Endpoint,
}

/// Splits `/rev/principal/word/tail`; `word` tells the kinds of paths apart.
pub(super) fn split<'a>(
    s: &'a str,
    word: &'static str,
    form: &'static str,
) -> Result<(ServiceName, Principal, &'a str), PathError> {
    let no_slash = || PathError::NoSlash { found: cut(s), form };
    let rest = s.strip_prefix('/').ok_or_else(no_slash)?;
    let parts: Vec<&str> = rest.split('/').take(5).collect();
    let [rev, principal, found, tail] = parts[..] else {
        let found = rest.split('/').count();
        return Err(PathError::Parts { expected: 4, found, form });
    };
    if found != word {
        return Err(PathError::Word { expected: word, found: cut(found) });
    }
    let rev = rev.parse().map_err(|source| PathError::Name { part: "rev", source })?;
    let principal = principal.parse();
    let principal = principal.map_err(|source| PathError::Id { part: "principal", source })?;
    Ok((rev, principal, tail))
}

impl FromStr for NetId {
    type Err = PathError;

    fn from_str(s: &str) -> Result<Self, PathError> {
        let (rev, principal, tail) = split(s, "net", FORM)?;
        Ok(Self { rev, principal, endpoint: tail.parse()? })
    }
}

impl fmt::Display for NetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rev, principal, endpoint } = self;
        write!(f, "/{rev}/{principal}/net/{endpoint}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::endpoint::tests::endpoints;
    use super::*;

    #[test]
    fn says_what_is_wrong_and_where() {
        let err = |s: &str| s.parse::<NetId>().unwrap_err();
        let key = "ab".repeat(32);
        assert!(format!("/r1/{key}/net/[::1]:80").parse::<NetId>().is_ok());
        assert!(matches!(err(&format!("r1/{key}/net/a:1")), PathError::NoSlash { .. }));
        assert!(matches!(err(&format!("/r1/{key}/net")), PathError::Parts { found: 3, .. }));
        assert!(matches!(err(&format!("/r1/{key}/net/a:1/b")), PathError::Parts { found: 5, .. }));
        assert!(matches!(err(&format!("/r1/{key}/keys/a:1")), PathError::Word { .. }));
        assert!(matches!(err("/r1/abcd/net/a:1"), PathError::Id { part: "principal", .. }));
        assert!(matches!(err(&format!("/1/{key}/net/a:1")), PathError::Name { part: "rev", .. }));
        assert!(matches!(err(&format!("/r1/{key}/net/a")), PathError::Endpoint(_)));
    }

    proptest! {
        #[test]
        fn round_trip(
            rev in "[a-zA-Z][a-zA-Z0-9_.-]{0,5}",
            principal in any::<[u8; 32]>(),
            endpoint in endpoints(),
        ) {
            let rev = rev.parse().unwrap();
            let id = NetId { rev, principal: Principal(principal), endpoint };
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }

        #[test]
        fn never_panics(s in "(/[a-z0-9:.*-]{0,9}){0,6}") {
            drop(s.parse::<NetId>());
        }
    }
}
