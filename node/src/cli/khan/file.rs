//! Files with programs, and what is found in them.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crux_khan::Diagnostic;
use crux_khan::diagnostic::{Located, Severity, render};
use crux_khan::syntax::BYTES_MAX;

use super::Ui;
use super::output::to_json;
use super::paint::{Colour, paint};
use crate::error::{Error, Kind};

/// The hint for a program with errors.
const PROGRAM: &str = "`khan check` shows all that is wrong in it.";

/// A file as it was read.
pub(super) struct Source {
    /// The file, as the caller named it.
    pub(super) name: String,
    /// At most one byte more than it may have.
    pub(super) bytes: Vec<u8>,
}

impl Source {
    /// Reads a file; `-` is standard input.
    ///
    /// # Errors
    /// [`Kind::NotFound`], and what the system says.
    pub(super) fn read(path: &Path, ui: &mut Ui) -> Result<Self, Error> {
        Self::read_up_to(BYTES_MAX, path, ui)
    }

    /// Reads so many bytes of a file, and one more.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub(super) fn read_up_to(most: usize, path: &Path, ui: &mut Ui) -> Result<Self, Error> {
        let read = |from: &mut dyn Read| read(from, most);
        let (name, bytes) = match is_input(path) {
            true => ("standard input".to_owned(), read(ui.input())),
            false => {
                let opened = File::open(path);
                (path.display().to_string(), opened.and_then(|mut file| read(&mut file)))
            }
        };
        let bytes = bytes.map_err(|err| unreadable(&err).augment(format!("reading {name}")))?;
        Ok(Self { name, bytes })
    }

    /// The program has errors, which people were shown.
    ///
    /// # Errors
    /// Those of writing JSON.
    pub(super) fn refused(&self, found: &[Diagnostic]) -> Result<Error, Error> {
        let errors: Vec<_> = found.iter().filter(|it| it.is_error()).cloned().collect();
        let located = self.located(&errors);
        let message = located.first().map_or_else(String::new, |first| {
            let Located { file, line, column, message, .. } = first;
            format!("{file}:{line}:{column}: {message}")
        });
        let error = Error::new(Kind::InvalidConfig, message).with_hint(PROGRAM);
        Ok(error.with_field("errors", to_json(&located)?))
    }

    /// All that was found, for scripts.
    pub(super) fn located(&self, found: &[Diagnostic]) -> Vec<Located> {
        let text = String::from_utf8_lossy(&self.bytes);
        found.iter().map(|it| it.locate(&self.name, &text)).collect()
    }

    /// Shows people what was found, on standard error.
    pub(super) fn show(&self, found: &[Diagnostic], ui: &mut Ui) {
        let text = String::from_utf8_lossy(&self.bytes);
        for one in found {
            let drawn = render(&self.name, &text, std::slice::from_ref(one));
            let (word, colour) = match one.kind.severity() {
                Severity::Error => ("error", Colour::Bad),
                Severity::Warning => ("warning", Colour::Doubtful),
            };
            ui.note_painted(&drawn.replacen(word, &paint(colour, word), 1));
        }
    }
}

/// Whether a path stands for standard input.
pub(super) fn is_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn read(from: &mut dyn Read, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(err: &io::Error) -> Error {
    match err.kind() {
        io::ErrorKind::NotFound => Error::new(Kind::NotFound, "there is no such file"),
        _ => Error::io("reading", err),
    }
}
