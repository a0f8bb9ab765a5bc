//! No text makes the language panic, and whatever it finds has a place in the text.

use crux_khan::diagnostic::render;
use crux_khan::{Diagnostic, compile, format, parse};
use proptest::prelude::*;

/// Words of which programs are made, some of them wrong.
const WORDS: &[&str] = &[
    "pick",
    "pickh",
    "pick(",
    "ALL",
    "LABEL",
    "LABEL(k)",
    "SIZE",
    "SIZE(",
    "start",
    "after",
    "of",
    "%",
    "a",
    "b",
    "web",
    "n-1",
    ".",
    "ready",
    ".done",
    ":=",
    "!",
    "&",
    "|",
    "+",
    "-",
    "*",
    "/",
    "2",
    "0.5",
    "\"x\"",
    "(\"n1\")",
    "=",
    "spread",
    "max",
    ",",
    "(",
    ")",
    "\n",
    "#",
    "# c\n",
    "é",
    "\u{202e}",
    "\"",
    "\\",
    "1.",
    "x := ",
    "pick(a, 1, ALL)\n",
    "start a after b\n",
    "b := pick(b, 2, a)\n",
    "a := ",
    "\t",
    "\r\n",
    "🐑",
];

/// Compiles, draws, locates and formats a text, and compares what they say.
fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    let compiled = compile(bytes);
    let text = String::from_utf8_lossy(bytes);
    let is_wrong = compiled.diagnostics.iter().any(Diagnostic::is_error);
    prop_assert_eq!(compiled.checked.is_none(), is_wrong);
    prop_assert!(compiled.original.iter().all(|it| !it.is_error()));
    for found in compiled.diagnostics.iter().chain(&compiled.original) {
        place(&text, found)?;
    }
    let parsed = parse(bytes);
    match format(bytes) {
        Ok(formatted) => {
            prop_assert!(parsed.errors.is_empty());
            let again = format(&formatted);
            prop_assert_eq!(again.as_deref(), Ok(formatted.as_str()));
        }
        Err(errors) => prop_assert_eq!(&errors, &parsed.errors),
    }
    Ok(())
}

/// A diagnostic names a place in the text, and people and scripts see the same.
fn place(text: &str, found: &Diagnostic) -> Result<(), TestCaseError> {
    prop_assert!(found.span.start <= found.span.end && found.span.end <= text.len().max(1));
    let at = found.locate("f.khan", text);
    let drawn = render("f.khan", text, std::slice::from_ref(found));
    let header = format!("--> f.khan:{}:{}\n", at.line, at.column);
    prop_assert!(drawn.contains(&header), "{}\n{}", header, drawn);
    prop_assert!(drawn.contains('^'), "{}", drawn);
    let is_plain = |c: char| c == '\n' || crux_crdt::text::is_plain(c);
    prop_assert!(found.message.chars().all(is_plain) && drawn.chars().all(is_plain), "{:?}", drawn);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&bytes)?;
    }

    #[test]
    fn texts_do_no_harm(text in "(?s)[a-c0-9 (),:=!&|+*/%.\"#\\\\\n\t\r-]{0,120}|.{0,60}") {
        check(text.as_bytes())?;
    }

    #[test]
    fn words_do_no_harm(words in prop::collection::vec((prop::sample::select(WORDS), any::<bool>()), 0..60)) {
        let text: String = words.iter().map(|(word, blank)| format!("{word}{}", if *blank { " " } else { "" })).collect();
        check(text.as_bytes())?;
    }
}

#[test]
fn long_runs_do_no_harm() {
    for word in WORDS {
        let text = word.repeat(64 * 1024 / word.len());
        compile(&text);
        let spaced = format!("{word} ").repeat(64 * 1024 / (word.len() + 1));
        let compiled = compile(&spaced);
        _ = format(&spaced);
        for found in compiled.diagnostics.iter().take(2) {
            render("f", &spaced, std::slice::from_ref(found));
        }
    }
}
