//! The mistakes found so far.

use super::{Diagnostic, Kind};
use crate::syntax::Span;

/// Diagnostics, at most [`Found::MAX`]. Nobody reads more: a file that is not a program has thousands.
#[derive(Debug, Default)]
pub(crate) struct Found {
    list: Vec<Diagnostic>,
    /// Where the first one is that found no room.
    more: Option<Span>,
}

impl Found {
    /// How many are kept: a screen full, as drawn.
    pub(crate) const MAX: usize = 32;

    /// Keeps one if there is room.
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        if self.list.len() < Self::MAX {
            self.list.push(diagnostic);
        } else {
            self.more.get_or_insert(diagnostic.span);
        }
    }

    /// Whether there is no room for another.
    pub(crate) fn is_full(&self) -> bool {
        self.more.is_some()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All, in the order of the text, and that there are more if there are.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        // Stable: of two at one place the first names the cause.
        self.list.sort_by_key(|it| it.span);
        if let Some(span) = self.more {
            let message = format!("there are more than {}; the rest is not shown", Self::MAX);
            self.list.push(Diagnostic::new(Kind::More, span, message));
        }
        self.list
    }
}
