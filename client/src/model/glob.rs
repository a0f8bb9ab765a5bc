//! A pattern of kinds of events.

use core::fmt;
use core::str::FromStr;

use crate::error::UnknownWord;

/// How long a pattern may be, in bytes. Kinds are shorter.
const BYTES_MAX: usize = 64;

/// A pattern of kinds of events: letters, `_` and `.`, and `*`, which is any text, as in `plugin.*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// Whether a kind is one of the pattern's. Takes time in proportion to both lengths.
    pub fn matches(&self, kind: &str) -> bool {
        let (pattern, kind) = (self.0.as_bytes(), kind.as_bytes());
        let (mut at, mut pos) = (0, 0);
        // Where to continue when what follows the last star does not fit.
        let mut star: Option<(usize, usize)> = None;
        while pos < kind.len() {
            match (pattern.get(at), star) {
                (Some(b'*'), _) => {
                    star = Some((at + 1, pos));
                    at += 1;
                }
                (Some(byte), _) if *byte == kind[pos] => {
                    at += 1;
                    pos += 1;
                }
                (_, Some((after, from))) => {
                    star = Some((after, from + 1));
                    at = after;
                    pos = from + 1;
                }
                (_, None) => return false,
            }
        }
        pattern[at..].iter().all(|byte| *byte == b'*')
    }
}

impl FromStr for Glob {
    type Err = UnknownWord;

    fn from_str(s: &str) -> Result<Self, UnknownWord> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'.' | b'*');
        match !s.is_empty() && s.len() <= BYTES_MAX && s.bytes().all(fits) {
            true => Ok(Self(s.to_owned())),
            false => Err(UnknownWord("write a kind of event, as in plugin.exited or plugin.*")),
        }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text() {
        let matches = |glob: &str, kind: &str| glob.parse::<Glob>().unwrap().matches(kind);
        for glob in ["plugin.*", "*", "plugin.exited", "*.exited", "p*n.*ed", "plugin.exited*"] {
            assert!(matches(glob, "plugin.exited"), "{glob}");
        }
        for glob in ["plugin", "plugin.", "exited", "*.up", "member.*", "plugin.exit", "*x"] {
            assert!(!matches(glob, "plugin.exited"), "{glob}");
        }
        assert!(matches("*a*a*b", &format!("{}b", "a".repeat(1000))));
        assert!(!matches("*a*a*b", &"a".repeat(1000)));
    }

    #[test]
    fn what_is_in_no_kind_is_refused() {
        for odd in ["", "plugin exited", "plugin.[a-z]", "PLUGIN", "plugin.?", &"a".repeat(65)] {
            assert!(odd.parse::<Glob>().is_err(), "{odd}");
        }
    }
}
