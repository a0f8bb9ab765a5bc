//! Tokens to a program: recursive descent with two tokens of look-ahead.
//!
//! ```text
//!   program  = { expr } { after }                          no separators, no blocks
//!   expr     = NAME ':=' expr | or
//!   or       = and { '|' and }        and = sum { '&' sum }
//!   sum      = product { ('+'|'-') product }               product = unary { ('*'|'/') unary }
//!   unary    = '!' unary | atom
//!   atom     = 'ALL' | 'LABEL' '(' name [ '=' ( name | NUMBER ) ] ')' | '(' STRING {',' STRING} ')'
//!            | 'SIZE' '(' expr ')' | pick | NAME | NUMBER | '(' expr ')'
//!   pick     = ('pick'|'pickh') '(' name ',' expr ',' expr { ',' ( 'spread' '=' name | 'max' '=' expr ) } ')'
//!   after    = 'start' state 'after' cond { cond }
//!   cond     = state | sum ['%'] 'of' state
//!   state    = name [ '.' ('start'|'ready'|'done'|'unknown') ]
//!   name     = NAME | STRING
//! ```
//!
//! Each function parses one rule. A mistake is reported where it is found, with the tokens that would fit, and
//! the function returns [`Failed`]; the program continues at the next statement: a token with which one begins,
//! first on its line, no further to the right than the statement that failed. So one mistake hides no other, and
//! the rest of a broken statement is not taken for one.
//!
//! Two tokens decide everywhere but at a call of an unknown function: a name and a bracket on one line are read
//! as such, because no statement that has an effect begins with a bracket.
//!
//! **Invariants**: no text makes the parser recurse more than [`LEVELS_MAX`] levels, or take more than
//! [`PICKS_MAX`] picks; each round of the program takes at least one token. A program without a diagnostic is
//! printed to a text that parses to the same program.

mod after;
mod cursor;
mod expr;
mod pick;
mod program;

#[cfg(test)]
mod tests;

use crate::diagnostic::{Diagnostic, Found};
use crate::lexer::{Token, TokenKind, lex};
use crate::syntax::{LEVELS_MAX, PICKS_MAX, Program};

/// The statements of a text, as far as it is a program.
#[derive(Debug, Clone, Default)]
pub struct Parsed {
    /// The statements without a mistake.
    pub program: Program,
    /// The mistakes, in the order of the text. Without one, the program is the whole text.
    pub errors: Vec<Diagnostic>,
    /// Places that are probably not meant as they are.
    pub warnings: Vec<Diagnostic>,
    /// Places that the original language read in another way: there, `!` bound loosest.
    pub original: Vec<Diagnostic>,
    /// Where each statement begins.
    pub(crate) statements: Vec<usize>,
}

/// Parses a text of any length.
pub(crate) fn parse(text: &str) -> Parsed {
    let mut errors = Found::default();
    let mut tokens = lex(text, &mut errors);
    tokens.retain(|token| token.kind != TokenKind::Comment);
    let mut parser = Parser { text, tokens, errors, ..Parser::default() };
    let program = parser.program();
    Parsed {
        program,
        errors: parser.errors.finish(),
        warnings: parser.warnings.finish(),
        original: parser.marks.finish(text),
        statements: parser.statements,
    }
}

/// A statement has a mistake, which is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Failed;

/// The state of a parser.
#[derive(Debug, Default)]
struct Parser<'a> {
    text: &'a str,
    /// Without comments; the last is the end.
    tokens: Vec<Token<'a>>,
    /// The next token.
    at: usize,
    /// How many levels are open.
    levels: usize,
    /// How many picks there are so far.
    picks: usize,
    statements: Vec<usize>,
    errors: Found,
    warnings: Found,
    marks: expr::Marks,
}
