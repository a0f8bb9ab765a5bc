//! Comments and strings of a source file.

use super::text::Passage;

/// A piece of a source file that is not code.
enum Token {
    /// With its slashes.
    Comment(String),
    Text(String),
}

/// Strings that are phrases, without those of tests.
pub(super) fn strings(source: &str) -> Vec<Passage> {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or(source);
    let texts = tokens(source).into_iter().filter_map(|(line, token)| match token {
        Token::Text(text) => Some(Passage { line, text: unescaped(&text) }),
        Token::Comment(_) => None,
    });
    texts.filter(|one| one.text.trim().contains(' ')).collect()
}

/// What the documentation of items says.
pub(super) fn docs(source: &str) -> Vec<Passage> {
    blocks(source, |comment| comment.starts_with("///"))
}

/// All comments; those on lines below each other are one.
pub(super) fn comments(source: &str) -> Vec<Passage> {
    blocks(source, |_| true)
}

fn blocks(source: &str, wanted: impl Fn(&str) -> bool) -> Vec<Passage> {
    let mut all: Vec<Passage> = Vec::new();
    let (mut next, mut marks, mut fenced) = (0, "", false);
    for (line, token) in tokens(source) {
        let Token::Comment(comment) = token else { continue };
        if !wanted(&comment) {
            continue;
        }
        let mark = ["///", "//!", "//"].into_iter().find(|mark| comment.starts_with(mark));
        let mark = mark.unwrap_or_default();
        let text = comment.trim_start_matches(mark).trim();
        let continues = line == next && mark == marks && !text.is_empty();
        (next, marks) = (line + 1, mark);
        let fence = text.starts_with("```");
        fenced ^= fence;
        if fence || fenced {
            continue;
        }
        let begins = text.starts_with(['*', '-', '|', '#']);
        let text = text.trim_start_matches(['*', '-', '|', '#', ' ']);
        match all.last_mut().filter(|_| continues && !begins) {
            Some(passage) => {
                passage.text.push(' ');
                passage.text.push_str(text);
            }
            None => all.push(Passage { line, text: text.to_owned() }),
        }
    }
    all
}

/// Comments of whole lines and at the end of lines, and strings, each with its line.
fn tokens(source: &str) -> Vec<(usize, Token)> {
    let mut all = Vec::new();
    let (mut rest, mut line) = (source, 1);
    while let Some(first) = rest.chars().next() {
        let (taken, token) = match first {
            '/' if rest.starts_with("//") => {
                let end = rest.find('\n').unwrap_or(rest.len());
                (end, Some(Token::Comment(rest[..end].to_owned())))
            }
            '"' => {
                let end = end_of_string(rest);
                (end, Some(Token::Text(rest[1..end - 1].to_owned())))
            }
            'r' => raw_string(rest).unwrap_or((1, None)),
            '\'' => (length_of_char(rest), None),
            // A word may end in r, and is not a raw string.
            c if c.is_alphanumeric() || c == '_' => {
                (rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len()), None)
            }
            c => (c.len_utf8(), None),
        };
        all.extend(token.map(|token| (line, token)));
        line += rest[..taken].matches('\n').count();
        rest = &rest[taken..];
    }
    all
}

/// How many bytes a string takes that begins here, quotes included.
fn end_of_string(rest: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn raw_string(rest: &str) -> Option<(usize, Option<Token>)> {
    let after = &rest[1..];
    let hashes = after.bytes().take_while(|byte| *byte == b'#').count();
    let body = after[hashes..].strip_prefix('"')?;
    let end = body.find(&format!("\"{}", "#".repeat(hashes)))?;
    Some((1 + hashes + 1 + end + 1 + hashes, Some(Token::Text(body[..end].to_owned()))))
}

/// How many bytes a character takes that begins here, or one for a lifetime.
fn length_of_char(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => rest[3..].find('\'').map_or(1, |end| end + 4),
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 1,
        },
        None => 1,
    }
}

/// The text of a string that goes over several lines.
fn unescaped(text: &str) -> String {
    let lines = text.split("\\\n").map(str::trim_start);
    lines.collect::<String>().replace("\\\"", "\"").replace("\\n", " ")
}
