//! The grammar of tokens, in combinators.
//!
//! ```text
//!   NAME    = letter {letter|digit|'_'} { '-'… (letter|digit|'_')… }     ASCII
//!   NUMBER  = digits [ '.' digits ]                                      at most 18 digits
//!   STRING  = '"' {any but " \ newline, or \" or \\} '"'
//!   comment = '#' to the end of the line
//! ```
//!
//! A `-` belongs to a name only between its characters: `n-1` is a name, `n - 1` a difference. A number that
//! is followed by a point needs digits behind it.

use winnow::ascii::{digit1, till_line_ending};
use winnow::combinator::{alt, cut_err, opt, preceded, repeat, terminated};
use winnow::prelude::*;
use winnow::stream::LocatingSlice;
use winnow::token::{any, none_of, one_of, take_while};

use super::token::{Sign, TokenKind, Word};
use crate::ratio::Ratio;

pub(super) type Input<'a> = LocatingSlice<&'a str>;

/// Skips blanks; how many line breaks they have.
pub(super) fn blank(input: &mut Input<'_>) -> usize {
    let blanks = take_while(0.., [' ', '\t', '\r', '\n']).parse_next(input);
    let blanks: ModalResult<&str> = blanks;
    blanks.map_or(0, |text| text.matches('\n').count())
}

/// One token.
pub(super) fn token(input: &mut Input<'_>) -> ModalResult<TokenKind> {
    alt((name, number, string, comment, sign)).parse_next(input)
}

fn name(input: &mut Input<'_>) -> ModalResult<TokenKind> {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let tail = (take_while(1.., '-'), take_while(1.., inner));
    let tails = repeat::<_, _, (), _, _>(0.., tail);
    (one_of(|c: char| c.is_ascii_alphabetic()), take_while(0.., inner), tails)
        .take()
        .map(|name| Word::of(name).map_or(TokenKind::Name, TokenKind::Word))
        .parse_next(input)
}

fn number(input: &mut Input<'_>) -> ModalResult<TokenKind> {
    (digit1, opt(preceded('.', cut_err(digit1))))
        .take()
        .verify_map(|digits: &str| digits.parse::<Ratio>().ok().map(TokenKind::Number))
        .parse_next(input)
}

fn string(input: &mut Input<'_>) -> ModalResult<TokenKind> {
    let escaped = preceded('\\', one_of(['"', '\\']));
    let inner = repeat(0.., alt((escaped, none_of(['"', '\\', '\n']))));
    preceded('"', cut_err(terminated(inner, '"'))).map(TokenKind::Text).parse_next(input)
}

fn comment(input: &mut Input<'_>) -> ModalResult<TokenKind> {
    preceded('#', till_line_ending).value(TokenKind::Comment).parse_next(input)
}

fn sign(input: &mut Input<'_>) -> ModalResult<TokenKind> {
    let sign = |text: &str| Sign::ALL.iter().copied().find(|sign| sign.text() == text);
    alt((":=", any.take())).verify_map(sign).map(TokenKind::Sign).parse_next(input)
}
