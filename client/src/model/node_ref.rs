//! How a person names a node.

use core::fmt;

use crux_crdt::Principal;
use crux_crdt::name::{Label, NameError};

use super::Prefix;

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
}
