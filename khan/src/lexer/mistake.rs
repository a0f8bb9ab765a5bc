//! Text that is not a token.

use crux_crdt::text::is_plain;

use super::diagnostic;
use crate::diagnostic::{Diagnostic, Kind, quoted};
use crate::ratio::Ratio;
use crate::syntax::Span;

/// How many bytes to skip, at least one: a string to its end or that of the line, a number with what is written
/// at it, or other characters up to one with which a token may begin.
pub(super) fn skip(text: &str) -> usize {
    match text.chars().next() {
        Some('"') => string_len(text),
        Some(c) if c.is_ascii_digit() => {
            text.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(text.len())
        }
        Some(c) => {
            let is_odd = |c: char| !c.is_ascii() || !is_plain(c) && !c.is_ascii_whitespace();
            text.find(|c| !is_odd(c)).unwrap_or(text.len()).max(c.len_utf8())
        }
        None => 0,
    }
}

/// The length of a string with wrong escapes, or of the line if no quote ends it.
fn string_len(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '\n' => return at,
            '"' if !escaped => return at + 1,
            c => escaped = c == '\\' && !escaped,
        }
    }
    text.len()
}

/// Why the text there is not a token.
pub(super) fn diagnose(text: &str, span: Span) -> Diagnostic {
    let bad = &text[span.start..span.end];
    match bad.chars().next() {
        Some('"') => string(bad, span),
        Some(c) if c.is_ascii_digit() => number(bad, span),
        Some(c) if !is_plain(c) => hidden(span, c),
        _ => character(text, span),
    }
}

fn string(bad: &str, span: Span) -> Diagnostic {
    let is_whole = bad.len() > 1 && bad.ends_with('"');
    let escapes = || bad.char_indices().skip(1).zip(bad.chars().skip(2));
    let mut skip = false;
    let wrong = escapes().find(|((_, c), next)| {
        let begins = *c == '\\' && !skip;
        skip = begins;
        begins && !matches!(next, '"' | '\\')
    });
    match wrong {
        Some(((at, _), next)) if is_whole => {
            let start = span.start + at;
            let span = Span { start, end: start + 1 + next.len_utf8() };
            diagnostic(
                Kind::String,
                span,
                format!("invalid escape {}", quoted(&format!("\\{next}"))),
            )
            .with_help("a string has the escapes `\\\"` and `\\\\` only")
        }
        _ => diagnostic(Kind::String, span, "the string does not end on its line")
            .with_label("begins here")
            .with_help("end it with `\"`"),
    }
}

fn number(bad: &str, span: Span) -> Diagnostic {
    let max = Ratio::DIGITS_MAX;
    diagnostic(Kind::Number, span, format!("invalid number {}", quoted(bad))).with_help(format!(
        "write digits, or digits, a point and digits: at most {max} digits in all"
    ))
}

/// A character that nobody sees as what it is.
pub(super) fn hidden(span: Span, c: char) -> Diagnostic {
    diagnostic(Kind::Character, span, format!("invisible character U+{:04X}", u32::from(c)))
        .with_help("remove it: a program reads as it is")
}

fn character(text: &str, span: Span) -> Diagnostic {
    let bad = &text[span.start..span.end];
    let unexpected = diagnostic(Kind::Character, span, format!("unexpected {}", quoted(bad)));
    let help = match bad {
        "{" | "}" => "a program has no blocks; services are described in files of their own",
        ";" => "a program has no separators: end the statement without a sign",
        ":" => "write `:=` to bind a name",
        "'" => "write strings in double quotes",
        "[" | "]" => "write round brackets",
        "<" | ">" => "the language has no comparisons",
        _ if !bad.is_ascii() => {
            "names are made of ASCII letters, digits, `_` and `-`; others are written in double quotes"
        }
        _ => return unexpected,
    };
    unexpected.with_help(help)
}
