//! Errors as a person or a script sees them.

use std::ffi::OsString;

use clap::CommandFactory as _;
use clap::error::ErrorKind;

use super::output::to_json;
use super::paint::{Colour, paint};
use super::{Cli, Ui, unknown};
use crate::error::{Error, Exit, Kind, StateChanged};
use crate::plain;

/// Prints an error and says how the command ends. Silent when the reader of the output is gone.
pub(super) fn report(err: &Error, ui: &mut Ui) -> Exit {
    if err.kind() == Kind::BrokenPipe {
        return err.exit();
    }
    match ui.json() {
        true => ui.note(&to_json(err).unwrap_or_else(|_| err.to_string())),
        false => ui.note_painted(&text(err)),
    }
    err.exit()
}

/// An error in lines for people.
fn text(err: &Error) -> String {
    let mut text = format!("{} {}", paint(Colour::Bad, "Error:"), plain::line(&err.to_string()));
    match err.state_changed() {
        StateChanged::No => {}
        StateChanged::Yes => text.push_str("\nPart of it was done."),
        StateChanged::Unknown => text.push_str("\nWhether it was done is unknown."),
    }
    let log: String = err.log().map(|line| format!("\n  {}", plain::line(line))).collect();
    if !log.is_empty() {
        text.push_str("\nIts last output:");
        text.push_str(&log);
    }
    if let Some(hint) = err.hint() {
        text.push_str("\nHint: ");
        text.push_str(&plain::line(hint));
    }
    text
}

/// Prints the message of the command line's parser: help for people who asked, or an error.
pub(super) fn usage(mut err: clap::Error, args: &[OsString], ui: &mut Ui) -> Exit {
    let words = args.iter().skip(1).filter_map(|arg| arg.to_str());
    let root = Cli::command();
    // Other words are values of options, or the word in question.
    unknown::explain(&mut err, words.into_iter().find(|word| root.find_subcommand(word).is_some()));
    let text = err.render().to_string();
    match err.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A reader that is gone has read enough.
            ui.print(&text).ok();
            Exit::Done
        }
        _ => {
            ui.set_json(
                args.iter().skip(1).take_while(|arg| *arg != "--").any(|arg| arg == "--json"),
            );
            if !ui.json() {
                ui.note(text.trim_end());
                return Exit::Usage;
            }
            let (message, hint) = split(&text);
            let mut err = Error::new(Kind::InvalidArgument, message);
            if !hint.is_empty() {
                err = err.with_hint(hint);
            }
            report(&err, ui)
        }
    }
}

/// The parser's text as a message, its first paragraph, and the rest as a hint.
fn split(text: &str) -> (String, String) {
    let text = text.strip_prefix("error: ").unwrap_or(text).trim();
    let (message, hint) = text.split_once("\n\n").unwrap_or((text, ""));
    let join = |lines: &str| lines.split_whitespace().collect::<Vec<_>>().join(" ");
    (join(message), join(hint))
}
