//! The first digits of an id.

use core::fmt;
use std::ops::RangeInclusive;

use crux_crdt::id::ParseIdError;

use crate::error::{Error, Kind};

/// How many ids an error names.
const NAMED_MAX: usize = 8;

/// The first digits of an id of 64: 4 to 63 lower-case hex digits. The command line shows 8 of a principal,
/// and takes as few as tell one from the others. Prints as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(String);

impl Prefix {
    /// The fewest digits. Fewer are more likely a slip than a choice.
    pub const DIGITS_MIN: usize = 4;
    /// One digit less than an id has.
    pub const DIGITS_MAX: usize = 63;

    /// From how many digits on it is as hard as breaking the hash to make an id that begins with them: 128
    /// bits. Where members say which ids there are, fewer digits are not taken.
    pub const DIGITS_SAFE: usize = 32;

    /// Whether there are so many digits that nobody can make another id that begins like this.
    pub fn is_safe(&self) -> bool {
        self.0.len() >= Self::DIGITS_SAFE
    }

    /// Reads digits.
    ///
    /// # Errors
    /// When they are fewer or more, or others than lower-case hex digits.
    pub fn parse(s: &str) -> Result<Self, ParseIdError> {
        let is_digit = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        if (Self::DIGITS_MIN..=Self::DIGITS_MAX).contains(&s.len()) && s.bytes().all(is_digit) {
            return Ok(Self(s.to_owned()));
        }
        Err(ParseIdError { expected: Self::DIGITS_MAX + 1, found: s.chars().take(80).collect() })
    }

    /// The ids that begin like this: none below the first, none above the last.
    pub fn range(&self) -> RangeInclusive<[u8; 32]> {
        self.filled(0x0)..=self.filled(0xf)
    }

    /// Whether an id begins like this.
    pub fn matches(&self, id: &[u8; 32]) -> bool {
        self.range().contains(id)
    }

    /// The error for several ids that begin like this, each with what people call it, or nothing. `what` says
    /// what they are.
    pub fn ambiguous(
        &self,
        what: &str,
        several: impl IntoIterator<Item = (String, String)>,
    ) -> Error {
        let digits = self.0.len() + 4;
        let named = several.into_iter().map(|(id, name)| {
            let id = id.get(..digits).unwrap_or(&id);
            if name.is_empty() { id.to_owned() } else { format!("{name} ({id})") }
        });
        let mut named: Vec<_> = named.take(NAMED_MAX + 1).collect();
        if named.len() > NAMED_MAX {
            named[NAMED_MAX] = "and more".to_owned();
        }
        let message = format!("several {what} begin with {self}: {}", named.join(", "));
        Error::new(Kind::InvalidArgument, message).with_hint("Give more digits.")
    }

    /// The digits, and then the same digit up to the end.
    fn filled(&self, rest: u8) -> [u8; 32] {
        let digits =
            self.0.bytes().map(|c| if c.is_ascii_digit() { c - b'0' } else { c - b'a' + 10 });
        let mut digits = digits.chain(std::iter::repeat(rest));
        std::array::from_fn(|_| {
            let (high, low) = (digits.next().unwrap_or(rest), digits.next().unwrap_or(rest));
            high << 4 | low
        })
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_digits_or_more() {
        for bad in ["", "abc", "ABCD", "abcg", "abc ", &"a".repeat(64)] {
            assert!(Prefix::parse(bad).is_err(), "{bad}");
        }
        for good in ["abcd", "0000", &"f".repeat(63)] {
            assert_eq!(Prefix::parse(good).unwrap().to_string(), good);
        }
    }

    #[test]
    fn an_error_names_some() {
        let ids = |count: usize| (0..count).map(|n| (format!("abcd{n:04}ffff"), format!("n{n}")));
        let prefix = Prefix::parse("abcd").unwrap();
        let said = |count| prefix.ambiguous("members", ids(count)).to_string();
        assert_eq!(said(2), "several members begin with abcd: n0 (abcd0000), n1 (abcd0001)");
        assert!(said(8).ends_with("n7 (abcd0007)"));
        assert!(said(9).ends_with("n7 (abcd0007), and more"));
        let blob = prefix.ambiguous("blobs", [("abcd".to_owned(), String::new())]).to_string();
        assert_eq!(blob, "several blobs begin with abcd: abcd");
    }

    #[test]
    fn an_odd_digit_counts() {
        let prefix = Prefix::parse("ab0c7").unwrap();
        let mut id = [0; 32];
        id[..3].copy_from_slice(&[0xab, 0x0c, 0x70]);
        assert!(prefix.matches(&id));
        assert_eq!(*prefix.range().start(), id);
        id[2] = 0x7f;
        id[3..].fill(0xff);
        assert!(prefix.matches(&id));
        assert_eq!(*prefix.range().end(), id);
        id[2] = 0x80;
        assert!(!prefix.matches(&id));
        id[2] = 0x6f;
        assert!(!prefix.matches(&id));
    }
}
