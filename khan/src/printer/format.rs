//! Text to text in the one form.
//!
//! Every statement begins a line. Line breaks within a statement stay, and the lines that they begin are indented
//! by their brackets; of empty lines between statements one stays. Comments stay where they are: behind the
//! token on whose line they are, or on a line of their own.

use super::layout::Layout;
use crate::diagnostic::{Diagnostic, Found};
use crate::lexer::{Token, TokenKind, lex};
use crate::parser::parse;

/// The text in the one form.
///
/// # Errors
/// Those of the parser; a text that is not a program has no form.
pub(crate) fn format(text: &str) -> Result<String, Vec<Diagnostic>> {
    let parsed = parse(text);
    if !parsed.errors.is_empty() {
        return Err(parsed.errors);
    }
    let tokens = lex(text, &mut Found::default());
    let begins = |token: &Token<'_>| parsed.statements.binary_search(&token.span.start).is_ok();
    let mut formatter = Formatter::default();
    for (token, place) in tokens.iter().zip(places(&tokens, begins)) {
        formatter.token(token, place);
    }
    Ok(formatter.layout.finish())
}

/// Where a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It begins a statement, or it is a comment or the end, and does not belong to one.
    Between,
    /// It is part of a statement.
    Within,
}

/// The place of each token: that of a comment is the place of the token after it.
fn places<'a>(tokens: &[Token<'a>], begins: impl Fn(&Token<'a>) -> bool) -> Vec<Place> {
    let mut place = Place::Between;
    let mut places = Vec::with_capacity(tokens.len());
    for token in tokens.iter().rev() {
        place = match token.kind {
            TokenKind::Comment => place,
            TokenKind::End => Place::Between,
            _ if begins(token) => Place::Between,
            _ => Place::Within,
        };
        places.push(place);
    }
    places.reverse();
    places
}

#[derive(Debug, Default)]
struct Formatter {
    layout: Layout,
    /// Whether there was a token.
    begun: bool,
}

impl Formatter {
    fn token(&mut self, token: &Token<'_>, place: Place) {
        // A comment behind a token stays there.
        let stays = token.kind == TokenKind::Comment && token.breaks == 0 && self.begun;
        match place {
            _ if stays || token.kind == TokenKind::End => {}
            Place::Between => self.separate(token),
            Place::Within if token.breaks > 0 => {
                self.layout.continue_line(&token.kind);
            }
            Place::Within => {}
        }
        if token.kind != TokenKind::End {
            self.layout.token(&token.kind, token.text.trim_end());
        }
        self.begun = true;
    }

    /// Begins a line for what is not within a statement, after an empty line if there is one.
    fn separate(&mut self, token: &Token<'_>) {
        self.layout.statement();
        if token.breaks > 1 {
            self.layout.blank_line();
        }
    }
}
