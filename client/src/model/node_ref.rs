//! How a person names a node.

use core::fmt;

use crux_crdt::Principal;
use crux_crdt::name::{Label, NameError};

use super::Prefix;
use crate::error::{Error, Kind};

/// A node, as a person names it. Prints as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeRef {
    /// By the name shown; or by the first digits of its key, where no node has that name.
    Name(Label),
    /// By its key.
    Principal(Principal),
}

impl NodeRef {
    /// 64 hex digits are a principal, all else is a name. A name has at most 63 characters, so the
    /// two never mix up. A name may also be a [`Prefix`] of a principal.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(s: &str) -> Result<Self, NameError> {
        match s.parse() {
            Ok(principal) => Ok(Self::Principal(principal)),
            Err(_) => s.parse().map(Self::Name),
        }
    }

    /// The first digits of a principal that it may be; `None` where it is a whole one, or no digits.
    pub fn prefix(&self) -> Option<Prefix> {
        match self {
            Self::Name(name) => Prefix::parse(name.as_str()).ok(),
            Self::Principal(_) => None,
        }
    }

    /// The member of that name, or of that principal; else the only one whose principal begins like that.
    ///
    /// # Errors
    /// [`Kind::NotFound`]; [`Kind::InvalidArgument`] when it may mean several: principals that begin like that,
    /// or the name of one member and digits of another. A request against a member is hard to undo, so none
    /// is preferred.
    pub fn pick<'a>(
        &self,
        members: &'a [(Label, Principal)],
    ) -> Result<&'a (Label, Principal), Error> {
        let is_named = |(name, principal): &(Label, Principal)| match self {
            Self::Name(meant) => name == meant,
            Self::Principal(meant) => principal == meant,
        };
        let named = members.iter().find(|it| is_named(it));
        let prefix = self.prefix();
        let begins = |it: &&(Label, Principal)| {
            let other = named.is_none_or(|named| named.1 != it.1);
            other && prefix.as_ref().is_some_and(|prefix| prefix.matches(it.1.as_bytes()))
        };
        let begin: Vec<_> = members.iter().filter(begins).collect();
        let shown = |it: &(Label, Principal)| (it.1.to_string(), it.0.to_string());
        match (named, begin.as_slice(), &prefix) {
            (Some(one), [], _) => Ok(one),
            (None, [one], _) => Ok(*one),
            (Some(named), [other, ..], _) => {
                let named_as = |it: &(Label, Principal)| format!("{} ({})", it.0, it.1.short());
                let message = format!(
                    "{self} is the name of {}, and the first digits of {}",
                    named_as(named),
                    named_as(other)
                );
                Err(Error::new(Kind::InvalidArgument, message)
                    .with_hint("Give more digits of the principal that is meant, or all of it."))
            }
            (None, [_, _, ..], Some(prefix)) => {
                Err(prefix.ambiguous("members", begin.iter().map(|it| shown(it))))
            }
            _ => Err(Error::new(Kind::NotFound, "no such member")
                .with_hint("`members` lists who there is.")),
        }
    }
}

impl fmt::Display for NodeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Principal(principal) => principal.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_no_name() {
        let key = "ab".repeat(32);
        assert_eq!(NodeRef::parse(&key), Ok(NodeRef::Principal(Principal([0xab; 32]))));
        assert_eq!(NodeRef::parse("abcd"), Ok(NodeRef::Name("abcd".parse().unwrap())));
        assert!(NodeRef::parse("AB").is_err());
        assert!(NodeRef::parse(&key[..63]).is_ok());
        assert_eq!(NodeRef::parse(&key).unwrap().to_string(), key);
    }

    fn members() -> Vec<(Label, Principal)> {
        let member = |name: &str, head: [u8; 3]| {
            let mut key = [9; 32];
            key[..3].copy_from_slice(&head);
            (name.parse().unwrap(), Principal(key))
        };
        vec![
            member("n1", [0xab, 0xcd, 0x11]),
            member("n2", [0xab, 0xcd, 0x12]),
            member("beef", [1, 1, 1]),
            member("n4", [0xbe, 0xef, 4]),
        ]
    }

    fn picked(node: &str) -> Result<Principal, Error> {
        NodeRef::parse(node).unwrap().pick(&members()).map(|(_, principal)| *principal)
    }

    #[test]
    fn as_few_digits_as_tell_one_from_the_others() {
        let all = members();
        assert_eq!(picked("abcd12"), Ok(all[1].1));
        assert_eq!(picked(&all[1].1.short()), Ok(all[1].1));
        assert_eq!(picked(&all[1].1.to_string()), Ok(all[1].1));
        assert_eq!(picked("n2"), Ok(all[1].1));
        assert_eq!(picked("beef0"), Ok(all[3].1));
        assert_eq!(picked(&all[2].1.to_string()), Ok(all[2].1));
    }

    #[test]
    fn a_name_that_another_principal_begins_with_is_ambiguous() {
        let err = picked("beef").unwrap_err();
        assert_eq!(err.kind(), Kind::InvalidArgument);
        let said = err.to_string();
        assert!(said.contains("beef (01010109)") && said.contains("n4 (beef0409)"), "{said}");
        // Its own digits take nothing away from a name.
        let own = [("0101".parse().unwrap(), members()[2].1)];
        assert!(NodeRef::parse("0101").unwrap().pick(&own).is_ok());
    }

    #[test]
    fn what_several_begin_with_names_them() {
        let err = picked("abcd1").unwrap_err();
        assert_eq!(err.kind(), Kind::InvalidArgument);
        let said = err.to_string();
        assert!(said.contains("n1") && said.contains("n2") && !said.contains("n4"), "{said}");
    }

    #[test]
    fn what_nobody_begins_with_is_not_found() {
        for unknown in ["ffff", "abc", "n9", "abcd13"] {
            assert_eq!(picked(unknown).unwrap_err().kind(), Kind::NotFound, "{unknown}");
        }
    }
}
