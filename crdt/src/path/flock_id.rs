//! `/flock/horde/node/service/rev`.

use core::fmt;
use core::str::FromStr;

use super::{PathError, cut};
use crate::name::{Label, NameError, ServiceName};

/// How a [`FlockId`] looks, for errors.
pub(super) const FORM: &str = "/flock/horde/node/service/rev";

/// What the parts of a [`FlockId`] are called, in order.
pub(super) const PARTS: [&str; 5] = ["flock", "horde", "node", "service", "rev"];

/// The place of a service: `/flock/horde/node/service/rev`, five parts.
///
/// The order is that of the parts, so services of one node stand together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlockId {
    /// The flock's name.
    pub flock: Label,
    /// The horde; `main` is the default one.
    pub horde: Label,
    /// The node, as it is shown.
    pub node: Label,
    /// The service.
    pub service: ServiceName,
    /// The revision of the service.
    pub rev: ServiceName,
}

impl FromStr for FlockId {
    type Err = PathError;

    fn from_str(s: &str) -> Result<Self, PathError> {
        let no_slash = || PathError::NoSlash { found: cut(s), form: FORM };
        let rest = s.strip_prefix('/').ok_or_else(no_slash)?;
        let parts: Vec<&str> = rest.split('/').take(PARTS.len() + 1).collect();
        let [flock, horde, node, service, rev] = parts[..] else {
            let found = rest.split('/').count();
            return Err(PathError::Parts { expected: PARTS.len(), found, form: FORM });
        };
        Ok(Self {
            flock: part(0, flock)?,
            horde: part(1, horde)?,
            node: part(2, node)?,
            service: part(3, service)?,
            rev: part(4, rev)?,
        })
    }
}

/// Parses the part at `index`; an error names it.
pub(super) fn part<T: FromStr<Err = NameError>>(index: usize, s: &str) -> Result<T, PathError> {
    s.parse().map_err(|source| PathError::Name { part: PARTS[index], source })
}

impl fmt::Display for FlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { flock, horde, node, service, rev } = self;
        write!(f, "/{flock}/{horde}/{node}/{service}/{rev}")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(in crate::path) fn flock_ids() -> impl Strategy<Value = FlockId> {
        let label = || "[a-z0-9]([a-z0-9-]{0,5}[a-z0-9])?".prop_map(|s| s.parse().unwrap());
        let name = || "[a-zA-Z][a-zA-Z0-9_.-]{0,5}".prop_map(|s| s.parse().unwrap());
        (label(), label(), label(), name(), name()).prop_map(
            |(flock, horde, node, service, rev)| FlockId { flock, horde, node, service, rev },
        )
    }

    #[test]
    fn has_five_parts() {
        let id: FlockId = "/dev/main/n1/ntp3/r1.0".parse().unwrap();
        assert_eq!((id.flock.as_str(), id.rev.as_str()), ("dev", "r1.0"));
        assert_eq!(id.to_string(), "/dev/main/n1/ntp3/r1.0");
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        let err = |s: &str| s.parse::<FlockId>().unwrap_err();
        let parts = |found| PathError::Parts { expected: 5, found, form: FORM };
        assert!(matches!(err("dev/main/n1/ntp/r1"), PathError::NoSlash { .. }));
        assert_eq!(err("/dev/main/n1/ntp"), parts(4));
        assert_eq!(err("/dev/main/n1/ntp/r1/x"), parts(6));
        assert_eq!(err("/"), parts(1));
        let wrong = |part, source| PathError::Name { part, source };
        assert_eq!(err("/dev//n1/ntp/r1"), wrong("horde", NameError::Empty));
        assert!(matches!(err("/dev/main/N1/ntp/r1"), PathError::Name { part: "node", .. }));
        assert!(matches!(err("/dev/main/n1/ntp/1"), PathError::Name { part: "rev", .. }));
        assert_eq!(
            err("/dev/main/n1/*/r1").to_string(),
            "the service part: it starts with '*'; it must start with a letter"
        );
    }

    proptest! {
        #[test]
        fn round_trip(id in flock_ids()) {
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }

        #[test]
        fn what_parses_prints_the_same(s in "[/a-c1*. -]{0,24}") {
            if let Ok(id) = s.parse::<FlockId>() {
                prop_assert_eq!(id.to_string(), s);
            }
        }
    }
}
