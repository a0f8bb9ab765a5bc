//! Text as it is shown: to a terminal, or in a log.
//!
//! Decoding refuses what would command a terminal or hide ([`crux_crdt::text`]). This is the second
//! wall: what comes another way, such as names in an archive or words of a peer in an error, is shown by
//! its number.

use std::borrow::Cow;
use std::fmt;

use crux_crdt::text::is_plain;
use tracing::field::Field;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

/// A text in one line: every character that is not plain as `\uXXXX`, which JSON reads as the character.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    escape(text, is_plain)
}

/// The same for a text of several lines, whose ends stay.
pub(crate) fn lines(text: &str) -> Cow<'_, str> {
    escape(text, |c| is_plain(c) || matches!(c, '\n' | '\t'))
}

fn escape(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text.chars().all(&stays) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if stays(c) {
            shown.push(c);
        } else {
            let units = &mut [0; 2];
            for unit in c.encode_utf16(units) {
                shown.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    Cow::Owned(shown)
}

/// How a log in text shows what is logged: as it would without this, each value in one line.
pub(crate) fn fields() -> impl for<'w> FormatFields<'w> + Send + Sync + 'static {
    debug_fn(|out: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug| {
        let text = format!("{value:?}");
        match field.name() {
            "message" => write!(out, "{}", line(&text)),
            name => write!(out, "{name}={}", line(&text)),
        }
    })
    .delimited(" ")
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn what_commands_a_terminal_is_shown_by_its_number() {
        assert_eq!(line("rack 7, Köln"), "rack 7, Köln");
        assert_eq!(line("a\x1b[2Jb\nc"), "a\\u001b[2Jb\\u000ac");
        assert_eq!(lines("a\nb\u{9b}\u{202e}"), "a\nb\\u009b\\u202e");
        let far = line("\u{e0041}").into_owned();
        let read: String = serde_json::from_str(&format!("\"{far}\"")).unwrap();
        assert_eq!(read, "\u{e0041}", "JSON reads it as it was");
    }

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_log_line_has_two_lines_or_commands_a_terminal() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .fmt_fields(fields())
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let peer = "x\n1970-01-01 INFO all is well\x1b[1A";
            tracing::warn!(error = %peer, count = 3, "of {peer}");
        });
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        let shown = "x\\u000a1970-01-01 INFO all is well\\u001b[1A";
        assert!(text.trim_end().ends_with(&format!("of {shown} error={shown} count=3")), "{text}");
    }
}
