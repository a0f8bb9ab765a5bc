//! Names of services and of revisions.

use core::fmt;
use core::str::FromStr;

use super::NameError;
use super::error::{check_chars, check_len};

/// The name of a service or of a revision: a letter, then letters, digits, `_`, `-` and `.`;
/// ASCII; at most [`ServiceName::MAX`] bytes. Case counts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName(String);

impl ServiceName {
    /// The greatest length in bytes. The same as a label's, so that both fit one limit.
    pub const MAX: usize = 63;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The revision of a service that names none: `v1`.
    pub fn first_rev() -> Self {
        Self(crate::service::bounds::default::REV.to_owned())
    }
}

impl FromStr for ServiceName {
    type Err = NameError;

    fn from_str(s: &str) -> Result<Self, NameError> {
        check_len(s, Self::MAX)?;
        if let Some(found) = s.chars().next().filter(|c| !c.is_ascii_alphabetic()) {
            return Err(NameError::Start { found, expected: "a letter" });
        }
        check_chars(s, "letters, digits, `_`, `-` and `.`", |c| {
            c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
        })?;
        Ok(Self(s.to_owned()))
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl AsRef<str> for ServiceName {
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
        let err = |s: &str| s.parse::<ServiceName>().unwrap_err();
        assert_eq!(err(""), NameError::Empty);
        assert_eq!(err(&"a".repeat(64)), NameError::TooLong { len: 64, max: 63 });
        assert_eq!(err("3ntp"), NameError::Start { found: '3', expected: "a letter" });
        assert!(matches!(err("ab/c"), NameError::Char { found: '/', at: 2, .. }));
        assert!(matches!(err("ab*"), NameError::Char { found: '*', at: 2, .. }));
        assert!(matches!(err("é"), NameError::Start { found: 'é', .. }));
        assert!("a".repeat(63).parse::<ServiceName>().is_ok());
    }

    proptest! {
        #[test]
        fn round_trip(s in "[a-zA-Z][a-zA-Z0-9_.-]{0,62}") {
            let name: ServiceName = s.parse().unwrap();
            prop_assert_eq!(name.to_string(), s);
        }

        #[test]
        fn what_parses_keeps_the_rules(s in any::<String>()) {
            if let Ok(name) = s.parse::<ServiceName>() {
                prop_assert_eq!(name.as_str(), s.as_str());
                prop_assert!(s.len() <= ServiceName::MAX && s.is_ascii());
                prop_assert!(s.starts_with(|c: char| c.is_ascii_alphabetic()));
                prop_assert!(!s.contains(['/', '*', ':', ' ']));
            }
        }
    }
}
