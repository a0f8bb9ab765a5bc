//! Mistakes in the files of a target, with their places.

use crux_crdt::text::is_plain;
use crux_khan::diagnostic::Located;
use crux_khan::{Diagnostic, render};
use serde::Serialize;
use serde_json::json;

use crate::cli::Ui;
use crate::cli::output::to_json;
use crate::cli::paint::{Colour, paint};
use crate::error::{Error, Kind};
use crate::services;

/// How many mistakes are shown. Nobody reads more.
const SHOWN_MAX: usize = 64;
/// How long a line may be that is shown with a caret, in characters.
const LINE_CHARS_MAX: usize = 200;

/// The kind of an image that nobody holds.
pub(in crate::cli::target) const IMAGE_UNKNOWN: &str = "image_unknown";

/// One thing that is wrong, or odd, in a file of a target. For scripts as `khan check` has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::cli::target) struct Mistake {
    pub(super) file: String,
    /// From 1.
    pub(super) line: usize,
    /// In characters, from 1.
    pub(super) column: usize,
    /// The column after the last character of the place.
    pub(super) end: usize,
    pub(super) kind: &'static str,
    pub(super) message: String,
    pub(super) help: Option<String>,
    #[serde(skip)]
    pub(super) is_error: bool,
    #[serde(skip)]
    drawn: Drawn,
}

/// The lines that people are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Drawn {
    /// All of it, as the language draws it.
    Whole(String),
    /// The place, and the line with a caret.
    Place(String),
}

impl Mistake {
    /// An error at a place of a file: its name and its text, line and column.
    pub(in crate::cli::target) fn at(
        (file, text): (&str, &str),
        (line, column): (usize, usize),
        kind: &'static str,
        message: String,
    ) -> Self {
        let shown = text.split('\n').nth(line - 1).unwrap_or_default();
        let end = column + word(shown, column);
        let drawn = Drawn::Place(draw(file, (line, column, end), shown));
        let (file, help, is_error) = (file.to_owned(), None, true);
        Self { file, line, column, end, kind, message, help, is_error, drawn }
    }

    pub(in crate::cli::target) fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// The same as a warning.
    pub(super) fn into_warning(self) -> Self {
        Self { is_error: false, ..self }
    }

    /// Found in a program.
    pub(super) fn of_program(file: &str, text: &str, found: &Diagnostic) -> Self {
        let at = found.locate(file, text);
        let drawn = Drawn::Whole(render(file, text, std::slice::from_ref(found)));
        let (kind, is_error) = (found.kind.word(), found.is_error());
        let Located { file, line, column, end, message, help, .. } = at;
        Self { file, line, column, end, kind, message, help, is_error, drawn }
    }

    /// Found in the document of a service.
    pub(super) fn of_document(file: &str, text: &str, found: &services::Located) -> Self {
        let kind = if found.not_enforced { "not_enforced" } else { "config" };
        let message = match found.key.as_str() {
            "" => found.message.clone(),
            key => format!("`{key}`: {}", found.message),
        };
        let mistake = Self::at((file, text), (found.line, found.column), kind, message);
        if found.hint.is_empty() { mistake } else { mistake.with_help(found.hint.as_str()) }
    }

    /// In one line: `site/web.toml:3:1: …`.
    pub(super) fn line(&self) -> String {
        format!("{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }

    /// For people: what is wrong, the line with a caret, and what to do.
    pub(super) fn text(&self) -> String {
        let (word, colour) = match self.is_error {
            true => ("error", Colour::Bad),
            false => ("warning", Colour::Doubtful),
        };
        let word_painted = paint(colour, word);
        let place = match &self.drawn {
            Drawn::Whole(drawn) => return drawn.trim_end().replacen(word, &word_painted, 1),
            Drawn::Place(place) => place,
        };
        let mut text = format!("{word_painted}[{}]: {}\n{place}", self.kind, self.message);
        if let Some(help) = &self.help {
            text.push_str(&format!("\n{} = help: {help}", margin(self.line)));
        }
        text
    }
}

/// A place, and its line with a caret below if people can read it.
fn draw(file: &str, (number, column, end): (usize, usize, usize), line: &str) -> String {
    let margin = margin(number);
    let place = format!("{margin}--> {file}:{number}:{column}");
    let line = line.trim_end();
    if line.is_empty() || line.chars().nth(LINE_CHARS_MAX).is_some() {
        return place;
    }
    let seen = |c: char| match c {
        '\t' => ' ',
        c if is_plain(c) => c,
        _ => char::REPLACEMENT_CHARACTER,
    };
    let line: String = line.chars().map(seen).collect();
    let caret = " ".repeat(column - 1) + &"^".repeat(end - column);
    format!("{place}\n{margin} |\n{number} | {line}\n{margin} | {caret}")
}

/// As wide as the number of a line.
fn margin(number: usize) -> String {
    " ".repeat(number.to_string().len())
}

/// How long the word at a column of a line is; at least 1.
fn word(line: &str, column: usize) -> usize {
    let ends = |c: &char| c.is_whitespace() || "=,[]{}".contains(*c);
    line.chars().skip(column - 1).take_while(|c| !ends(c)).count().max(1)
}

/// The mistakes found, in the order of the files.
#[derive(Debug, Default)]
pub(in crate::cli::target) struct Mistakes(pub(super) Vec<Mistake>);

impl Mistakes {
    pub(in crate::cli::target) fn push(&mut self, mistake: Mistake) {
        self.0.push(mistake);
    }

    /// Whether one of them is an error.
    pub(super) fn has_error(&self) -> bool {
        self.0.iter().any(|it| it.is_error)
    }

    /// Shows all of them to people, and only the warnings to scripts, each as `{"warning": …}` on a line.
    ///
    /// # Errors
    /// The first error, if there is one: [`Kind::InvalidConfig`], or [`Kind::BlobUnknown`] where all that is wrong is that
    /// nobody holds an image. The field `errors` has all of them, as a list in JSON.
    pub(in crate::cli::target) fn settle(self, ui: &mut Ui) -> Result<(), Error> {
        for mistake in self.0.iter().take(SHOWN_MAX) {
            match ui.json() {
                false => ui.note_painted(&format!("{}\n", mistake.text())),
                true if mistake.is_error => {}
                true => ui.note(&to_json(&json!({ "warning": mistake }))?),
            }
        }
        let errors: Vec<_> = self.0.iter().filter(|it| it.is_error).collect();
        let Some(first) = errors.first() else { return Ok(()) };
        let kind = match errors.iter().all(|it| it.kind == IMAGE_UNKNOWN) {
            true => Kind::BlobUnknown,
            false => Kind::InvalidConfig,
        };
        let message = match errors.len() - 1 {
            0 => first.line(),
            1 => format!("{}; and another error", first.line()),
            more => format!("{}; and {more} other errors", first.line()),
        };
        let shown = &errors[..errors.len().min(SHOWN_MAX)];
        let mut error = Error::new(kind, message)
            .with_field("file", &first.file)
            .with_field("line", first.line.to_string())
            .with_field("column", first.column.to_string())
            .with_field("errors", to_json(shown)?);
        if let Some(help) = errors.iter().find_map(|it| it.help.as_ref()) {
            error = error.with_hint(sentence(help));
        }
        Err(error)
    }
}

/// A help as a hint: hints are sentences.
fn sentence(help: &str) -> String {
    let mut chars = help.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let end = if help.ends_with(['.', '?']) { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}
