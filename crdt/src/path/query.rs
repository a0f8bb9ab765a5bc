//! Queries over [`FlockId`]s.

use core::fmt;
use core::str::FromStr;

use super::flock_id::{FORM, PARTS, part};
use super::{FlockId, PathError, cut};
use crate::name::{Label, NameError, ServiceName};

/// A [`FlockId`] with `*` in any part. `None` is `*`. The default matches all.
///
/// The leading slash and trailing `/*` parts may be left out: `dev/main` is `/dev/main/*/*/*`, and
/// the empty string is all. `*` stands for a whole part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Query {
    /// The flock's name.
    pub flock: Option<Label>,
    /// The horde.
    pub horde: Option<Label>,
    /// The node, as it is shown.
    pub node: Option<Label>,
    /// The service.
    pub service: Option<ServiceName>,
    /// The revision of the service.
    pub rev: Option<ServiceName>,
}

impl Query {
    /// Whether every part is `*` or equal.
    pub fn matches(&self, id: &FlockId) -> bool {
        fn part<T: PartialEq>(wanted: &Option<T>, found: &T) -> bool {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        }
        part(&self.flock, &id.flock)
            && part(&self.horde, &id.horde)
            && part(&self.node, &id.node)
            && part(&self.service, &id.service)
            && part(&self.rev, &id.rev)
    }
}

/// The query that matches this one and no other.
impl From<FlockId> for Query {
    fn from(id: FlockId) -> Self {
        Self {
            flock: Some(id.flock),
            horde: Some(id.horde),
            node: Some(id.node),
            service: Some(id.service),
            rev: Some(id.rev),
        }
    }
}

impl FromStr for Query {
    type Err = PathError;

    fn from_str(s: &str) -> Result<Self, PathError> {
        let rest = s.strip_prefix('/').unwrap_or(s);
        if rest.is_empty() {
            return Ok(Self::default());
        }
        let found = rest.split('/').count();
        if found > PARTS.len() {
            return Err(PathError::Parts { expected: PARTS.len(), found, form: FORM });
        }
        let mut parts = rest.split('/');
        let mut next = || parts.next().unwrap_or("*");
        Ok(Self {
            flock: wild(0, next())?,
            horde: wild(1, next())?,
            node: wild(2, next())?,
            service: wild(3, next())?,
            rev: wild(4, next())?,
        })
    }
}

/// Parses the part at `index`, where `*` is none.
fn wild<T: FromStr<Err = NameError>>(index: usize, s: &str) -> Result<Option<T>, PathError> {
    match s {
        "*" => Ok(None),
        _ if s.contains('*') => Err(PathError::Glob { part: PARTS[index], found: cut(s) }),
        _ => part(index, s).map(Some),
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn part<T: AsRef<str>>(part: &Option<T>) -> &str {
            part.as_ref().map_or("*", AsRef::as_ref)
        }
        let Self { flock, horde, node, service, rev } = self;
        write!(f, "/{}/{}/{}", part(flock), part(horde), part(node))?;
        write!(f, "/{}/{}", part(service), part(rev))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::flock_id::tests::flock_ids;
    use super::*;

    fn query(s: &str) -> Query {
        s.parse().unwrap()
    }

    #[test]
    fn parts_may_be_left_out() {
        for all in ["", "/", "*", "/*", "/*/*", "*/*/*/*/*"] {
            assert_eq!(query(all), Query::default(), "{all:?}");
        }
        assert_eq!(query("dev"), query("/dev/*/*/*/*"));
        assert_eq!(query("/dev/*/n1").to_string(), "/dev/*/n1/*/*");
    }

    #[test]
    fn matches_part_by_part() {
        let id: FlockId = "/dev/main/n1/ntp3/r1".parse().unwrap();
        for yes in ["", "dev", "*/main", "*/*/n1", "*/*/*/ntp3", "*/*/*/*/r1"] {
            assert!(query(yes).matches(&id), "{yes:?}");
        }
        for no in ["de", "*/other", "*/*/n2", "*/*/*/ntp", "*/*/*/*/r2", "dev/*/n2"] {
            assert!(!query(no).matches(&id), "{no:?}");
        }
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        let err = |s: &str| s.parse::<Query>().unwrap_err();
        assert!(matches!(err("a/b/c/d/e/f"), PathError::Parts { found: 6, .. }));
        assert!(matches!(err("dev//n1"), PathError::Name { part: "horde", .. }));
        assert!(matches!(err("dev/"), PathError::Name { part: "horde", .. }));
        assert!(matches!(err("//dev"), PathError::Name { part: "flock", .. }));
        assert!(matches!(err("*/*/n*"), PathError::Glob { part: "node", .. }));
        assert!(matches!(err("**"), PathError::Glob { part: "flock", .. }));
    }

    proptest! {
        #[test]
        fn round_trip(id in flock_ids(), keep in any::<[bool; 5]>()) {
            let query = Query {
                flock: keep[0].then_some(id.flock.clone()),
                horde: keep[1].then_some(id.horde.clone()),
                node: keep[2].then_some(id.node.clone()),
                service: keep[3].then_some(id.service.clone()),
                rev: keep[4].then_some(id.rev.clone()),
            };
            prop_assert!(query.matches(&id));
            prop_assert_eq!(query.to_string().parse(), Ok(query));
        }

        #[test]
        fn an_id_matches_only_itself(a in flock_ids(), b in flock_ids()) {
            let query = Query::from(a.clone());
            prop_assert_eq!(query.matches(&b), a == b);
            prop_assert_eq!(a.to_string().parse(), Ok(query));
        }
    }
}
