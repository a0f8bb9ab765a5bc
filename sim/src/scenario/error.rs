use core::fmt;

/// Why a text is no scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// The line, counted from one; zero where the text is one line.
    pub line: usize,
    /// What would have been right there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl ParseError {
    pub(super) fn new(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { line: 0, expected: expected.into(), found: found.into() }
    }

    /// The same at a line.
    pub(super) fn at(self, line: usize) -> Self {
        Self { line, ..self }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        let found = if self.found.is_empty() { "the end of the line" } else { &self.found };
        write!(f, "expected {}, found {found}", self.expected)
    }
}

impl core::error::Error for ParseError {}
