//! `khan check`

use std::path::PathBuf;

use crux_khan::Diagnostic;

use super::Ui;
use super::file::Source;
use crate::error::{Error, Exit};

/// Say what is wrong in programs, with line, column and a caret
///
/// Exits with 1 if one of them has an error. Warnings are shown and do not count. docs/reference/khan.md lists the
/// kinds of both.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The programs; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Mark places that the original language, where `!` bound loosest, read in another way
    #[arg(long)]
    original: bool,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, Error> {
    let (mut located, mut lines, mut exit) = (Vec::new(), Vec::new(), Exit::Done);
    for path in &args.files {
        let source = Source::read(path, ui)?;
        let compiled = crux_khan::compile(&source.bytes);
        let mut found = compiled.diagnostics;
        if args.original {
            found.extend(compiled.original);
            found.sort_by_key(|it| it.span);
        }
        if !ui.json() {
            source.show(&found, ui);
        }
        let errors = found.iter().filter(|it| it.is_error()).count();
        if errors > 0 {
            exit = Exit::Failed;
        }
        lines.push(format!("{}: {}", source.name, summary(errors, &found)));
        located.extend(source.located(&found));
    }
    ui.answer(&located, || lines.join("\n"))?;
    Ok(exit)
}

/// How much was found.
fn summary(errors: usize, found: &[Diagnostic]) -> String {
    let count = |number: usize, what: &str| match number {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    };
    let warnings = found.len() - errors;
    let errors = count(errors, "error");
    if warnings == 0 { errors } else { format!("{errors}, {}", count(warnings, "warning")) }
}
