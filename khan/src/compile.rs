//! Bytes to a checked program.

use crate::checked::Checked;
use crate::checker;
use crate::diagnostic::{Diagnostic, Kind};
use crate::parser::{self, Parsed};
use crate::printer;
use crate::syntax::{BYTES_MAX, Span};

/// The meaning of a text, and its mistakes.
#[derive(Debug, Clone, Default)]
pub struct Compiled {
    /// The program, if there is no error.
    pub checked: Option<Checked>,
    /// Errors and warnings, in the order of the text; at most 32 of each, and that there are more.
    pub diagnostics: Vec<Diagnostic>,
    /// Places that the original language read in another way: warnings for those who bring a program from
    /// there.
    pub original: Vec<Diagnostic>,
}

/// Compiles a text. No text makes it panic or recurse deeper than its bounds.
pub fn compile(text: impl AsRef<[u8]>) -> Compiled {
    let parsed = parse(text);
    let original = parsed.original;
    let (mut diagnostics, mut checked) = (parsed.errors, None);
    diagnostics.extend(parsed.warnings);
    // The names that a broken statement binds and the services that it picks are not known, so that names and services would be reported that
    // are not missing.
    if !diagnostics.iter().any(Diagnostic::is_error) {
        let outcome = checker::check(&parsed.program);
        checked = outcome.checked;
        diagnostics.extend(outcome.errors);
        diagnostics.extend(outcome.warnings);
    }
    diagnostics.sort_by_key(|it| (it.kind == Kind::More, it.span));
    Compiled { checked, diagnostics, original }
}

/// Parses a text: what [`compile`] does first.
pub fn parse(text: impl AsRef<[u8]>) -> Parsed {
    match decode(text.as_ref()) {
        Ok(text) => parser::parse(text),
        Err(error) => Parsed { errors: vec![error], ..Parsed::default() },
    }
}

/// The text in its one form: a statement a line, blanks between tokens, comments kept. The program is the same,
/// token for token.
///
/// # Errors
/// Those of the grammar: a program that is well-formed and means nothing is formatted. Blanks that make the text
/// larger than a program may be are an error too.
pub fn format(text: impl AsRef<[u8]>) -> Result<String, Vec<Diagnostic>> {
    let text = decode(text.as_ref()).map_err(|error| vec![error])?;
    let formatted = printer::format(text)?;
    decode(formatted.as_bytes()).map_err(|error| vec![error])?;
    Ok(formatted)
}

/// Whether the text is in its one form.
///
/// # Errors
/// Those of [`format()`], or the first place that differs.
pub fn check_format(text: impl AsRef<[u8]>) -> Result<(), Vec<Diagnostic>> {
    let text = text.as_ref();
    let formatted = format(text)?;
    let same = text.iter().zip(formatted.as_bytes()).take_while(|(a, b)| a == b).count();
    if same == text.len() && same == formatted.len() {
        return Ok(());
    }
    let span = Span { start: same, end: (same + 1).min(text.len()) };
    let error = Diagnostic::new(Kind::Format, span, "the program is not in the one form");
    Err(vec![error.with_help("`khan fmt` writes it")])
}

/// The bytes as text, if they are a text and not too many.
fn decode(bytes: &[u8]) -> Result<&str, Diagnostic> {
    if bytes.len() > BYTES_MAX {
        let span = Span { start: BYTES_MAX, end: BYTES_MAX + 1 };
        let message = format!("the program has more than {BYTES_MAX} bytes");
        let error = Diagnostic::new(Kind::TooLarge, span, message);
        return Err(error.with_help("split the services over several hordes"));
    }
    core::str::from_utf8(bytes).map_err(|error| {
        let start = error.valid_up_to();
        Diagnostic::new(Kind::Encoding, Span { start, end: start + 1 }, "invalid UTF-8")
    })
}
