//! Diagnostics for scripts.

use super::{Diagnostic, Kind};

/// A diagnostic with line and column, as `--json` prints it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Located {
    /// The file, as the caller named it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The column after the last character of the place. A place of several lines ends with its first line.
    pub end: usize,
    /// The rule that is broken.
    pub kind: Kind,
    /// The mistake, for people.
    pub message: String,
    /// How to mend it, if that is known.
    pub help: Option<String>,
}

impl Diagnostic {
    /// The diagnostic with line and column in `text`, the program in which it was found.
    pub fn locate(&self, file: &str, text: &str) -> Located {
        let start = text.floor_char_boundary(self.span.start);
        let end = text.ceil_char_boundary(self.span.end).max(start);
        let begins = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let ends = text[start..end].find('\n').map_or(end, |at| start + at);
        let column = text[begins..start].chars().count() + 1;
        Located {
            file: file.to_owned(),
            line: text[..start].matches('\n').count() + 1,
            column,
            end: column + text[start..ends].chars().count(),
            kind: self.kind,
            message: self.message.clone(),
            help: self.help.clone(),
        }
    }
}
