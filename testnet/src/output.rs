//! Where words go: results to standard output, progress and hints to standard error.
//!
//! A reader that closes the pipe early (`… | head`) is no reason to panic, so write errors are
//! dropped here, in one place.

use std::io::Write as _;
use std::path::Path;

use crux_node::outfile;

use crate::Error;

/// Writes a line to standard output.
pub fn say(line: impl std::fmt::Display) {
    writeln!(std::io::stdout().lock(), "{line}").ok();
}

/// Writes a line to standard error.
pub fn note(line: impl std::fmt::Display) {
    writeln!(std::io::stderr().lock(), "{line}").ok();
}

/// Writes one JSON document to standard output.
pub fn say_json(document: &impl serde::Serialize) {
    match serde_json::to_string_pretty(document) {
        Ok(text) => say(text),
        Err(error) => note(format_args!("cannot write the JSON document: {error}")),
    }
}

/// Writes a file that somebody asked for, by the rule of all outputs; `-` is standard output.
///
/// # Errors
/// [`Error::Io`]; the file is as it was.
pub fn write_file(path: &Path, text: &str) -> Result<(), Error> {
    if outfile::is_stdout(path) {
        say(text);
        return Ok(());
    }
    outfile::write(path, text.as_bytes()).map_err(|err| {
        Error::io(format!("write {}", path.display()))(std::io::Error::other(err.to_string()))
    })
}
