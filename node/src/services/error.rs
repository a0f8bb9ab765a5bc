//! Mistakes in a config, and where they are.

use std::fmt;

use crate::error::{Error, Kind};

/// How many mistakes an error has. A config with more is not read to the end by anybody.
pub(super) const MISTAKES_MAX: usize = 16;

/// Why a text is not the config of a service: at least one mistake, in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The mistakes; at most 16.
    pub mistakes: Vec<Located>,
}

/// One thing that is wrong in the text of a config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The key, as in `check[0].port`; empty where the text is not TOML or JSON there.
    pub key: String,
    /// The mistake.
    pub message: String,
    /// The remedy; perhaps empty.
    pub hint: String,
    /// Whether it is a limit that is required and that no node enforces.
    pub not_enforced: bool,
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: ", self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "`{}`: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, mistake) in self.mistakes.iter().enumerate() {
            write!(f, "{}{mistake}", if at == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// `invalid_config`, or `not_enforced` where nothing else is wrong; with the fields `line`, `column` and `key`
/// of the first mistake.
impl From<ConfigError> for Error {
    fn from(err: ConfigError) -> Self {
        let only_limits = err.mistakes.iter().all(|mistake| mistake.not_enforced);
        let kind = if only_limits { Kind::NotEnforced } else { Kind::InvalidConfig };
        let mut error = Self::new(kind, err.to_string());
        if let Some(first) = err.mistakes.first() {
            error = error.with_field("line", first.line.to_string());
            error = error.with_field("column", first.column.to_string());
            error = error.with_field("key", &first.key);
        }
        match err.mistakes.iter().find(|mistake| !mistake.hint.is_empty()) {
            Some(mistake) => error.with_hint(&mistake.hint),
            None => error,
        }
    }
}

/// A mistake at a byte of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) at: usize,
    pub(super) key: String,
    pub(super) message: String,
    pub(super) hint: String,
    pub(super) not_enforced: bool,
}

impl Mistake {
    pub(super) fn new(at: usize, key: &str, message: &str) -> Self {
        let (key, message) = (cut(key), message.to_owned());
        Self { at, key, message, hint: String::new(), not_enforced: false }
    }

    pub(super) fn with_hint(self, hint: &str) -> Self {
        Self { hint: hint.to_owned(), ..self }
    }
}

/// A word of the text as errors quote it: not more than one can read.
pub(super) fn cut(word: &str) -> String {
    const CHARS_MAX: usize = 80;
    if word.chars().nth(CHARS_MAX).is_none() {
        return word.to_owned();
    }
    word.chars().take(CHARS_MAX).chain(['…']).collect()
}

impl ConfigError {
    /// Of mistakes in a text; at least one.
    pub(super) fn of(text: &str, mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by(|a, b| (a.at, &a.key).cmp(&(b.at, &b.key)));
        // Two rules often refuse the same place, of which the first names the cause.
        mistakes.dedup_by(|later, first| later.at == first.at && later.key == first.key);
        let locate = |mistake: Mistake| {
            let (line, column) = position(text, mistake.at);
            let Mistake { at: _, key, message, hint, not_enforced } = mistake;
            Located { line, column, key, message, hint, not_enforced }
        };
        Self { mistakes: mistakes.into_iter().take(MISTAKES_MAX).map(locate).collect() }
    }
}

/// Line and column of a byte of a text, both from 1.
pub(super) fn position(text: &str, at: usize) -> (usize, usize) {
    let at = text.floor_char_boundary(at);
    let before = &text[..at];
    let begins = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[begins..].chars().count() + 1)
}
