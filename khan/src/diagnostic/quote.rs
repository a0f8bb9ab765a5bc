//! Text of a program within a message.

use crux_crdt::text::is_plain;

/// How many characters of a program a message quotes.
const CHARS_MAX: usize = 40;

/// The text in backquotes, shortened, on one line, without characters that are not seen.
pub(crate) fn quoted(text: &str) -> String {
    format!("`{}`", shortened(text))
}

/// The text, shortened, on one line, without characters that are not seen.
pub(crate) fn shortened(text: &str) -> String {
    let mut short = String::new();
    for (at, c) in text.chars().enumerate() {
        if at == CHARS_MAX {
            short.push('…');
            break;
        }
        match c {
            '\n' | '\t' => short.push(' '),
            c if is_plain(c) => short.push(c),
            c => short.extend(c.escape_unicode()),
        }
    }
    short
}
