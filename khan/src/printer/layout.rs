//! Where blanks and line breaks go.

use crate::lexer::{Sign, TokenKind, Word};

/// By how much a line within a bracket, or of a statement that continues, is indented.
const INDENT: usize = 4;

/// A text that grows by tokens.
#[derive(Debug, Default)]
pub(super) struct Layout {
    text: String,
    /// The token before on the same line.
    last: Option<TokenKind>,
    /// How many brackets are open.
    open: usize,
}

impl Layout {
    /// The text, which ends with its line.
    pub(super) fn finish(mut self) -> String {
        self.end_line();
        self.text
    }

    /// The text without a line break behind it.
    pub(super) fn finish_inline(self) -> String {
        self.text
    }

    /// Ends the line; the next token begins a statement, or a comment between statements.
    pub(super) fn statement(&mut self) {
        self.end_line();
        self.open = 0;
    }

    /// Leaves an empty line, but not at the beginning of the text.
    pub(super) fn blank_line(&mut self) {
        self.end_line();
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// Ends the line; the next token, of this kind, continues the statement.
    pub(super) fn continue_line(&mut self, next: &TokenKind) {
        self.end_line();
        let closes = *next == TokenKind::Sign(Sign::Close);
        let levels = if closes { self.open.saturating_sub(1) } else { self.open.max(1) };
        self.text.extend(core::iter::repeat_n(' ', levels * INDENT));
    }

    /// Appends a token.
    pub(super) fn token(&mut self, kind: &TokenKind, text: &str) {
        match kind {
            TokenKind::Sign(Sign::Open) => self.open += 1,
            TokenKind::Sign(Sign::Close) => self.open = self.open.saturating_sub(1),
            _ => {}
        }
        if self.last.as_ref().is_some_and(|last| is_apart(last, kind)) {
            self.text.push(' ');
        }
        self.text.push_str(text);
        self.last = Some(kind.clone());
    }

    fn end_line(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        self.last = None;
    }
}

/// Whether a blank is between two tokens.
fn is_apart(left: &TokenKind, right: &TokenKind) -> bool {
    use Sign::{Close, Comma, Dot, Not, Open, Percent};
    let tight_left = matches!(left, TokenKind::Sign(Open | Not | Dot));
    let tight_right = matches!(right, TokenKind::Sign(Close | Comma | Dot | Percent));
    if *right == TokenKind::Comment {
        return true;
    }
    let is_call = matches!(left, TokenKind::Word(word) if Word::is_function(*word))
        && *right == TokenKind::Sign(Open);
    !tight_left && !tight_right && !is_call
}
