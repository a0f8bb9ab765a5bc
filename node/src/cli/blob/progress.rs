//! How far a transfer is, on standard error: a bar for people at a terminal, a line of JSON now and
//! then for programs, nothing for logs.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::cli::Ui;

/// The least time between two lines of JSON.
const LINE_EVERY: Duration = Duration::from_millis(500);

/// How far a transfer is.
#[derive(Debug)]
pub(super) struct Progress {
    what: String,
    bar: Option<ProgressBar>,
    said: Option<Instant>,
    last: (u64, u64),
    // Whether that is not told yet.
    is_new: bool,
}

impl Progress {
    pub(super) fn new(ui: &Ui, what: &str) -> Self {
        let bar = (ui.has_terminal() && !ui.json()).then(|| {
            let form =
                "{wide_msg} {bytes:>10} / {total_bytes} {bytes_per_sec:>12} {eta:>4} {bar:20}";
            let bar = ProgressBar::new(0).with_message(crate::plain::line(what).into_owned());
            match ProgressStyle::with_template(form) {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        Self { what: what.to_owned(), bar, said: None, last: (0, 0), is_new: true }
    }

    /// So many bytes are done, of so many; 0: of an unknown number.
    pub(super) fn at(&mut self, ui: &mut Ui, done: u64, size: u64) {
        self.is_new |= self.last != (done, size);
        self.last = (done, size);
        if let Some(bar) = &self.bar {
            bar.set_length(size.max(done));
            bar.set_position(done);
        } else if self.said.is_none_or(|said| said.elapsed() >= LINE_EVERY) {
            self.say(ui);
        }
    }

    /// It is over, however it went.
    pub(super) fn end(mut self, ui: &mut Ui) {
        match self.bar.take() {
            Some(bar) => bar.finish_and_clear(),
            None if self.is_new => self.say(ui),
            None => {}
        }
    }

    fn say(&mut self, ui: &mut Ui) {
        if ui.json() {
            let (done, size) = self.last;
            let line = json!({ "progress": { "what": self.what, "done": done, "size": size } });
            ui.note(&line.to_string());
            self.said = Some(Instant::now());
            self.is_new = false;
        }
    }
}
