//! Text to tokens.
//!
//! ```text
//!   "web := pick(web, 2, ALL) # two" ──▶ web  :=  pick  (  web  ,  2  ,  ALL  )  # two  end
//! ```
//!
//! Tokens keep their place, so the text between them is known to be blank: that, and the comments, which are
//! tokens too, is what the formatter needs to keep a text. The grammar of each token is in [`scan`].
//!
//! **Invariants**: every text gives tokens; the last is [`TokenKind::End`]; their spans ascend, do not overlap,
//! and cover all but blanks. A mistake gives a diagnostic and one [`TokenKind::Bad`] in its place, and the
//! lexer continues behind it; of several on one line the first is reported. Characters that a reader does not see as what they are ([`is_plain`]) are
//! mistakes everywhere, also in strings and comments, so that a program reads as it is.

mod mistake;
mod scan;
mod token;

#[cfg(test)]
mod tests;

use crux_crdt::text::is_plain;
use winnow::prelude::*;
use winnow::stream::{LocatingSlice, Location as _};

pub(crate) use token::{Sign, Token, TokenKind, Word};

use crate::diagnostic::{Diagnostic, Found, Kind};
use crate::syntax::Span;

/// The tokens of a text, comments among them.
pub(crate) fn lex<'a>(text: &'a str, found: &mut Found) -> Vec<Token<'a>> {
    let mut input = LocatingSlice::new(text);
    let (mut tokens, mut line, mut mistaken) = (Vec::new(), 0, None);
    loop {
        let breaks = scan::blank(&mut input);
        line += breaks;
        let start = input.current_token_start();
        if start == text.len() {
            let span = Span { start, end: start };
            tokens.push(Token { kind: TokenKind::End, text: "", span, breaks });
            return tokens;
        }
        let kind = scan::token.parse_next(&mut input).unwrap_or_else(|_| {
            let end = start + mistake::skip(&text[start..]);
            input = LocatingSlice::new(text);
            _ = input.next_slice(end);
            // Brackets and quotes of other languages come in pairs.
            if mistaken.replace(line) != Some(line) {
                found.push(mistake::diagnose(text, Span { start, end }));
            }
            TokenKind::Bad
        });
        let span = Span { start, end: input.current_token_start() };
        let token = Token { kind, text: &text[start..span.end], span, breaks };
        hidden(&token, found);
        tokens.push(token);
    }
}

/// Whether a text is one name that may be written without quotes.
pub(crate) fn is_bare_name(text: &str) -> bool {
    let mut input = LocatingSlice::new(text);
    matches!(scan::token.parse_next(&mut input), Ok(TokenKind::Name))
        && input.current_token_start() == text.len()
}

/// Whether a text is one number.
pub(crate) fn is_number(text: &str) -> bool {
    let mut input = LocatingSlice::new(text);
    matches!(scan::token.parse_next(&mut input), Ok(TokenKind::Number(_)))
        && input.current_token_start() == text.len()
}

/// Refuses what is not seen within a string or a comment.
fn hidden(token: &Token<'_>, found: &mut Found) {
    let is_hidden = |c: char| match token.kind {
        TokenKind::Comment => !is_plain(c) && c != '\t',
        TokenKind::Text(_) => !is_plain(c),
        _ => false,
    };
    let mut hidden = token.text.char_indices().filter(|(_, c)| is_hidden(*c));
    if let Some((at, c)) = hidden.next() {
        let start = token.span.start + at;
        let span = Span { start, end: start + c.len_utf8() };
        found.push(mistake::hidden(span, c));
    }
}

/// A diagnostic of the lexer.
fn diagnostic(kind: Kind, span: Span, message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(kind, span, message)
}
