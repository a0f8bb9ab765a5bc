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
    let mut layout = Layout::default();
    let mut after_comment = false;
    for (at, token) in tokens.iter().enumerate() {
        let begins = |token: &Token<'_>| parsed.statements.binary_search(&token.span.start).is_ok();
        match token.kind {
            TokenKind::End => {}
            TokenKind::Comment => {
                let next = tokens[at..].iter().find(|it| it.kind != TokenKind::Comment);
                let between = next.is_none_or(|it| it.kind == TokenKind::End || begins(it));
                comment(&mut layout, token, at == 0, between);
            }
            _ if begins(token) => {
                separate(&mut layout, token);
                layout.token(&token.kind, token.text);
            }
            _ => {
                if token.breaks > 0 || after_comment {
                    layout.continue_line(&token.kind);
                }
                layout.token(&token.kind, token.text);
            }
        }
        after_comment = token.kind == TokenKind::Comment;
    }
    Ok(layout.finish())
}

/// A comment: behind a token, between statements, or within one.
fn comment(layout: &mut Layout, token: &Token<'_>, is_first: bool, between: bool) {
    let is_behind = token.breaks == 0 && !is_first;
    if !is_behind && between {
        separate(layout, token);
    } else if !is_behind {
        layout.continue_line(&token.kind);
    }
    layout.token(&token.kind, token.text.trim_end());
}

/// Begins a line for what is not within a statement, after an empty line if there is one.
fn separate(layout: &mut Layout, token: &Token<'_>) {
    layout.statement();
    if token.breaks > 1 {
        layout.blank_line();
    }
}
