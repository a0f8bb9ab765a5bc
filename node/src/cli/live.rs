//! Lists that go on: `-w`.
//!
//! The command asks again twice a second and shows what it was answered when that is another answer, so a list
//! that changes without end costs two calls and two prints a second.
//!
//! | standard output | what is shown |
//! |---|---|
//! | a terminal | the table, redrawn in place, as many lines of it as there is room for |
//! | anything else | a line for each row, marked as by `watch`: `=` at first, then `+` for a new one and `-` for one that is gone; one that changed is both |
//! | with `--json` | the whole answer, one document a line |

use std::collections::BTreeSet;
use std::time::Duration;

use crux_client::op::Call;
use tokio::time::Instant;

use super::output::block_on;
use super::paint::finish;
use super::{Ui, Wait};
use crate::error::Error;

/// How often to ask: a person sees no difference, and a node none either.
const EVERY: Duration = Duration::from_millis(500);
/// How many lines a terminal has that does not say.
const ROWS: usize = 24;

/// Whether a list continues with each change.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Live {
    /// Show every change until stopped: the table redrawn on a terminal, a line for each change otherwise
    #[arg(short = 'w', long)]
    watch: bool,
}

impl Live {
    /// For a command in which only some forms continue.
    pub(super) const fn of(watch: bool) -> Self {
        Self { watch }
    }
}

/// One answer, in each form.
pub(super) trait Shown<A> {
    /// As one JSON document.
    fn json(&self, answer: &A) -> Result<String, Error>;
    /// As a table with a header.
    fn text(&self, answer: &A) -> String;
}

impl<A, J, T> Shown<A> for (J, T)
where
    J: Fn(&A) -> Result<String, Error>,
    T: Fn(&A) -> String,
{
    fn json(&self, answer: &A) -> Result<String, Error> {
        self.0(answer)
    }

    fn text(&self, answer: &A) -> String {
        self.1(answer)
    }
}

/// Asks for a list and prints it; with `-w` again and again, until the command is stopped or the node is gone.
/// Returns the last answer.
pub(super) fn list<O: Call>(
    op: &O,
    (wait, live): (Wait, Live),
    ui: &mut Ui,
    shown: &impl Shown<O::Answer>,
) -> Result<O::Answer, Error> {
    block_on(async {
        let client = ui.connect_at(O::DOOR, wait.timeout).await?;
        let mut printer = Printer::default();
        loop {
            let asked = Instant::now();
            let answer = client.call(op).await?;
            if !live.watch {
                match ui.json() {
                    true => ui.print(&shown.json(&answer)?)?,
                    false => ui.print_painted(&shown.text(&answer))?,
                }
                return Ok(answer);
            }
            printer.print(&answer, ui, shown)?;
            tokio::time::sleep_until(asked + EVERY).await;
        }
    })
}

/// Prints what differs from what it printed last.
#[derive(Debug, Default)]
struct Printer {
    last: Option<String>,
    rows: BTreeSet<String>,
}

impl Printer {
    fn print<A>(&mut self, answer: &A, ui: &mut Ui, shown: &impl Shown<A>) -> Result<(), Error> {
        let now = match (ui.json(), ui.has_screen()) {
            (true, _) => shown.json(answer)?,
            (false, true) => frame(&shown.text(answer), ui.rows().unwrap_or(ROWS), ui.colours()),
            (false, false) => shown.text(answer),
        };
        if self.last.as_ref() == Some(&now) {
            return Ok(());
        }
        let is_first = self.last.is_none();
        if ui.json() {
            ui.print(&now)?;
        } else if ui.has_screen() {
            ui.write(if is_first { CLEAR } else { "" }.as_bytes())?;
            ui.write(now.as_bytes())?;
            ui.flush()?;
        } else {
            ui.print_painted(&self.changes(&now, is_first))?;
        }
        self.last = Some(now);
        Ok(())
    }

    /// The rows of a table that are new or gone, a line each.
    fn changes(&mut self, table: &str, is_first: bool) -> String {
        let rows: BTreeSet<String> = table.lines().skip(1).map(squeezed).collect();
        let gone = self.rows.difference(&rows).map(|row| format!("- {row}\n"));
        let mark = if is_first { '=' } else { '+' };
        let new = rows.difference(&self.rows).map(|row| format!("{mark} {row}\n"));
        let lines = gone.chain(new).collect();
        self.rows = rows;
        lines
    }
}

/// A row without the blanks that only make columns, which are as wide as other rows need them.
fn squeezed(row: &str) -> String {
    let cells = row.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
    cells.collect::<Vec<_>>().join("  ")
}

/// Clears a terminal.
const CLEAR: &str = "\x1b[2J";

/// The bytes that make a terminal of so many lines show a text from its top. The terminal cuts lines that are
/// too long: it would otherwise wrap them and scroll.
fn frame(text: &str, rows: usize, colours: bool) -> String {
    let text = finish(text, colours);
    let lines: Vec<_> = text.lines().collect();
    // The cursor has a line for itself, and so has the one that says what is left out.
    let room = rows.saturating_sub(1).max(1);
    let fit = if lines.len() > room { room - 1 } else { lines.len() };
    let mut frame = "\x1b[?7l\x1b[H".to_owned();
    for line in &lines[..fit] {
        frame.push_str(line);
        frame.push_str("\x1b[K\r\n");
    }
    if fit < lines.len() {
        frame.push_str(&format!("… and {} more\x1b[K\r\n", lines.len() - fit));
    }
    frame.push_str("\x1b[J\x1b[?7h");
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_fits_the_terminal() {
        let text = (0..30).map(|n| format!("row {n}\n")).collect::<String>();
        for rows in [0, 1, 2, 3, 24, 30, 31, 32, 100] {
            let frame = frame(&text, rows, false);
            let lines = frame.matches("\r\n").count();
            assert!(lines < rows.max(2), "{rows}: {lines}");
            assert_eq!(frame.contains("more"), rows < 31, "{rows}");
        }
        assert!(frame(&text, 11, true).contains("row 8\x1b[K\r\n… and 21 more\x1b[K"));
        assert!(
            !frame("a\x1b[2Jb", 24, true).contains("\x1b[2J"),
            "what others wrote moves no cursor"
        );
    }

    #[test]
    fn rows_that_did_not_change_are_not_said_again() {
        let mut printer = Printer::default();
        assert_eq!(printer.changes("H   I\na   1\nb   2", true), "= a  1\n= b  2\n");
        // Another row makes a column wider.
        let now = "H     I\na     1\nb     3\nlong  4";
        assert_eq!(printer.changes(now, false), "- b  2\n+ b  3\n+ long  4\n");
        assert_eq!(printer.changes("H  I\n", false), "- a  1\n- b  3\n- long  4\n");
    }
}
