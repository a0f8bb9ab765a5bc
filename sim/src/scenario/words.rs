use core::str::FromStr;

use super::ParseError;

/// Words that no name may be.
const RESERVED: &[&str] = &[
    "any",
    "of",
    "but",
    "from",
    "at",
    "by",
    "to",
    "with",
    "within",
    "for",
    "joining",
    "register",
    "deregister",
    "ping",
    "restart",
    "leave",
    "forget",
    "put",
    "drop",
    "grant",
    "revoke",
    "flood",
    "remember",
    "apply",
    "drain",
    "cordon",
    "uncordon",
    "alive",
    "suspect",
    "dead",
    "departed",
    "retired",
    "doubted",
    "not-dead",
    "like",
    "none",
    "disk",
    "sync",
    "in",
    "all",
    "spare",
    "up",
    "down",
    "frozen",
];

/// Names that need not be given.
pub(super) const GIVEN: &[&str] = &["all", "spare", "up", "down", "frozen", "none"];

/// The words of a line that are not read yet.
#[derive(Debug, Clone)]
pub(super) struct Words<'a> {
    rest: &'a [&'a str],
}

impl<'a> Words<'a> {
    pub(super) const fn new(rest: &'a [&'a str]) -> Self {
        Self { rest }
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn peek(&self) -> Option<&'a str> {
        self.rest.first().copied()
    }

    /// The next word, or the error that something else was expected.
    pub(super) fn next(&mut self, expected: &str) -> Result<&'a str, ParseError> {
        let (first, rest) = self.rest.split_first().ok_or_else(|| ParseError::new(expected, ""))?;
        self.rest = rest;
        Ok(first)
    }

    /// Takes this word if it is next.
    pub(super) fn take(&mut self, word: &str) -> bool {
        let found = self.peek() == Some(word);
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    /// This word must be next.
    pub(super) fn must(&mut self, word: &str) -> Result<(), ParseError> {
        if self.take(word) { Ok(()) } else { Err(self.wrong(&format!("`{word}`"))) }
    }

    /// The next word as a value.
    pub(super) fn value<T: FromStr>(&mut self, expected: &str) -> Result<T, ParseError> {
        let word = self.next(expected)?;
        word.parse().map_err(|_| ParseError::new(expected, format!("`{word}`")))
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), ParseError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.wrong("the end of the line")) }
    }

    pub(super) fn wrong(&self, expected: &str) -> ParseError {
        let found = self.peek().map_or_else(String::new, |word| format!("`{word}`"));
        ParseError::new(expected, found)
    }
}

/// Whether a word can be given to some hosts as a name.
pub(super) fn is_name(word: &str) -> bool {
    let shaped = word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.len() <= 32
        && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    shaped && host_number(word).is_none() && !RESERVED.contains(&word)
}

/// The host that `n3` means, if it is so written.
pub(super) fn host_number(word: &str) -> Option<usize> {
    let digits = word.strip_prefix('n')?;
    let plain = digits.len() <= 5 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: usize = if plain { digits.parse().ok()? } else { return None };
    (number.to_string() == digits).then_some(number)
}
