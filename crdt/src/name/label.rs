//! Names that may appear in DNS.

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;
use std::sync::Arc;

use super::NameError;
use super::error::{check_chars, check_len};

/// What a label starts and ends with, in words.
const EDGE: &str = "a lower-case letter or a digit";

/// A DNS label: lower-case letters, digits and `-`, with a letter or digit at both ends; at most
/// [`Label::MAX`] bytes. Names flocks and hordes, and nodes as they are shown.
///
/// Upper case is refused and not folded, because two spellings of one name would sign differently.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(Arc<str>);

impl Label {
    /// The greatest length in bytes, from RFC 1035.
    pub const MAX: usize = 63;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The label that is nearest to what somebody wrote, to suggest it: of a host's name the part before
    /// the first dot, in lower case, with `-` for what is not allowed. None if nothing is left of it.
    pub fn nearest(s: &str) -> Option<Self> {
        nearest(s, Self::MAX)
    }

    /// The horde that everyone is in: `main`.
    pub fn main_horde() -> Self {
        Self("main".into())
    }
}

/// As [`Label::nearest`], of at most `max` bytes.
pub(super) fn nearest(s: &str, max: usize) -> Option<Label> {
    // Of an address the first part says little.
    let host = if s.parse::<IpAddr>().is_ok() { s } else { s.split('.').next().unwrap_or(s) };
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let label: String = host.chars().map(allowed).take(max).collect();
    label.trim_matches('-').parse().ok()
}

impl FromStr for Label {
    type Err = NameError;

    fn from_str(s: &str) -> Result<Self, NameError> {
        check_len(s, Self::MAX)?;
        check_chars(s, "lower-case letters, digits and `-`", |c| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
        })?;
        if s.starts_with('-') {
            return Err(NameError::Start { found: '-', expected: EDGE });
        }
        if s.ends_with('-') {
            return Err(NameError::End { found: '-', expected: EDGE });
        }
        Ok(Self(s.into()))
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl AsRef<str> for Label {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn says_what_is_wrong_and_where() {
        let err = |s: &str| s.parse::<Label>().unwrap_err();
        assert_eq!(err(""), NameError::Empty);
        assert_eq!(err(&"a".repeat(64)), NameError::TooLong { len: 64, max: 63 });
        assert!(matches!(err("-a"), NameError::Start { found: '-', .. }));
        assert!(matches!(err("a-"), NameError::End { found: '-', .. }));
        assert!(matches!(err("aB"), NameError::Char { found: 'B', at: 1, .. }));
        assert!(matches!(err("a_b"), NameError::Char { found: '_', at: 1, .. }));
        assert!(matches!(err("a.b"), NameError::Char { found: '.', at: 1, .. }));
        assert!("9-to-5".parse::<Label>().is_ok());
    }

    #[test]
    fn the_nearest_label_is_what_somebody_meant() {
        for (written, meant) in [
            ("web01.example.org", "web01"),
            ("Web_01", "web-01"),
            ("10.0.0.7", "10-0-0-7"),
            ("fe80::1", "fe80--1"),
            ("-a-", "a"),
            ("köln", "k-ln"),
            ("main", "main"),
        ] {
            assert_eq!(Label::nearest(written), meant.parse().ok(), "{written}");
        }
        for nothing in ["", ".", "---", "東京", ".example.org"] {
            assert_eq!(Label::nearest(nothing), None, "{nothing}");
        }
        assert_eq!(Label::nearest(&"a".repeat(99)), "a".repeat(63).parse().ok());
    }

    #[test]
    fn the_default_horde_keeps_the_rules() {
        assert_eq!("main".parse(), Ok(Label::main_horde()));
    }

    proptest! {
        #[test]
        fn round_trip(s in "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?") {
            let label: Label = s.parse().unwrap();
            prop_assert_eq!(label.to_string(), s);
        }

        #[test]
        fn what_parses_keeps_the_rules(s in any::<String>()) {
            if let Ok(label) = s.parse::<Label>() {
                prop_assert_eq!(label.as_str(), s.as_str());
                prop_assert!(s.len() <= Label::MAX && s.is_ascii());
                prop_assert!(!s.starts_with('-') && !s.ends_with('-'));
            }
        }
    }
}
