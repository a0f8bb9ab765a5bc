//! Which lines a reader wants.

use super::line::{Line, Stream};

/// Which lines of a log, and until when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Only so many of the last lines that are there at the beginning.
    pub tail: Option<u64>,
    /// Only lines from this time on, in milliseconds of Unix time.
    pub since_ms: Option<u64>,
    /// Only this output. Remarks on missing lines are shown in any case.
    pub stream: Option<Stream>,
    /// Only lines of this instance.
    pub instance: Option<String>,
    /// Whether to wait for more lines at the end.
    pub follow: bool,
    /// Whether to end, while following, with the last line of this instance.
    pub until_exit: Option<String>,
}

impl Query {
    /// Whether a kept line, without its newline, is wanted. A damaged one is not.
    pub(super) fn wants(&self, line: &[u8]) -> bool {
        Line::parse(line).is_some_and(|line| self.matches(&line))
    }

    fn matches(&self, line: &Line<'_>) -> bool {
        self.since_ms.is_none_or(|since| since <= line.at_ms)
            && self.stream.is_none_or(|stream| stream == line.stream || line.stream == Stream::Crux)
            && self.instance.as_deref().is_none_or(|instance| instance == line.instance)
    }
}

/// Lines for a reader, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// How many lines this reader lost right before these, because it was too slow for the log's size.
    pub lost: u64,
    /// How many lines among these were left out because they are damaged.
    pub damaged: u64,
    /// The lines with their newlines.
    pub(super) bytes: Vec<u8>,
}

impl Batch {
    /// Whether there is nothing in it.
    pub const fn is_empty(&self) -> bool {
        self.lost == 0 && self.damaged == 0 && self.bytes.is_empty()
    }

    /// The lines.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.bytes.split(|b| *b == b'\n').filter_map(Line::parse)
    }

    /// Adds those of the first `most` lines that are wanted. Returns what was looked through: whole lines.
    pub(super) fn add(&mut self, query: &Query, bytes: &[u8], most: u64) -> Added {
        let (mut lines, mut rest) = (0, bytes);
        while lines < most
            && let Some(at) = super::line::newline(rest)
        {
            match Line::parse(&rest[..at]) {
                Some(line) if query.matches(&line) => self.bytes.extend_from_slice(&rest[..=at]),
                Some(_) => {}
                None => self.damaged += 1,
            }
            rest = &rest[at + 1..];
            lines += 1;
        }
        Added { lines, bytes: bytes.len() - rest.len() }
    }
}

/// The lines that were looked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Added {
    pub(super) lines: u64,
    pub(super) bytes: usize,
}
