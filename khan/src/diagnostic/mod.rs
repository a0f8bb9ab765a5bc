//! Mistakes in a program, for people and for scripts.
//!
//! A [`Diagnostic`] knows bytes of the text. [`Diagnostic::locate`] gives scripts line and column,
//! [`render`] draws the lines with a caret for people. **Invariant**: both name the same line and column, and
//! no text of a program reaches a message with a character that commands a terminal.

mod found;
mod kind;
mod located;
mod quote;
mod render;

pub(crate) use found::Found;
pub use kind::{Kind, Severity};
pub use located::Located;
pub(crate) use quote::{quoted, shortened};
pub use render::render;

use crate::syntax::Span;

/// Something wrong, or odd, in a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The rule that is broken.
    pub kind: Kind,
    /// Where.
    pub span: Span,
    /// The mistake, for people.
    pub message: String,
    /// The text at the caret, shorter than the message; perhaps empty.
    pub label: String,
    /// How to mend it, if that is known.
    pub help: Option<String>,
    /// Other places that matter, each with its text.
    pub context: Vec<(Span, String)>,
}

impl Diagnostic {
    pub(crate) fn new(kind: Kind, span: Span, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { kind, span, message, label: String::new(), help: None, context: Vec::new() }
    }

    pub(crate) fn with_label(self, label: impl Into<String>) -> Self {
        Self { label: label.into(), ..self }
    }

    pub(crate) fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    pub(crate) fn with_context(mut self, span: Span, label: impl Into<String>) -> Self {
        self.context.push((span, label.into()));
        self
    }

    /// Whether the program is refused for it.
    pub fn is_error(&self) -> bool {
        self.kind.severity() == Severity::Error
    }
}
