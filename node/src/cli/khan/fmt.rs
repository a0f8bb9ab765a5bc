//! `khan fmt`

use std::io::Write as _;
use std::path::{Path, PathBuf};

use crux_khan::Diagnostic;

use super::Ui;
use super::file::{Source, is_input};
use crate::error::{Error, Exit};
use crate::outfile::{Content, OutFile};

/// Write programs in their one form
///
/// A statement a line, blanks between tokens, comments kept: the program is the same. Files are replaced; a program
/// from standard input goes to standard output. A file that is not a program stays as it is, its errors are shown,
/// and the command exits with 1.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The programs; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write nothing, and exit with 1 if a program has another form
    #[arg(long)]
    check: bool,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, Error> {
    let (mut located, mut lines, mut exit) = (Vec::new(), Vec::new(), Exit::Done);
    for path in &args.files {
        let source = Source::read(path, ui)?;
        match format(args.check, path, &source, ui)? {
            Ok(done) => lines.push(format!("{}: {done}", source.name)),
            Err(found) => {
                if !ui.json() {
                    source.show(&found, ui);
                }
                located.extend(source.located(&found));
                exit = Exit::Failed;
            }
        }
    }
    let out_has_content = !args.check && args.files.iter().any(|path| is_input(path));
    if ui.json() || !lines.is_empty() {
        ui.told(&located, || lines.join("\n"), out_has_content)?;
    }
    Ok(exit)
}

/// Formats one program; the word says what was done.
fn format(
    only_check: bool,
    path: &Path,
    source: &Source,
    ui: &mut Ui,
) -> Result<Result<&'static str, Vec<Diagnostic>>, Error> {
    if only_check {
        return Ok(crux_khan::check_format(&source.bytes).map(|()| "in the one form"));
    }
    let formatted = match crux_khan::format(&source.bytes) {
        Ok(formatted) => formatted,
        Err(found) => return Ok(Err(found)),
    };
    if is_input(path) {
        ui.write(formatted.as_bytes())?;
        return Ok(Ok("formatted"));
    }
    if formatted.as_bytes() == source.bytes {
        return Ok(Ok("unchanged"));
    }
    let mut file = OutFile::create(path, Content::Plain)?;
    let written = file.write_all(formatted.as_bytes());
    written.map_err(|err| Error::io("writing", &err).augment(source.name.clone()))?;
    file.finish()?;
    Ok(Ok("formatted"))
}
