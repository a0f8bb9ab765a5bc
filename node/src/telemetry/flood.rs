//! No place in the program fills the log, whatever makes it speak.
//!
//! Peers, strangers and callers can make a node log: what they send is refused, what they dial fails.
//! Here is the bound for all such lines, those of libraries too: of each place in the program at most
//! [`LINES_MAX`] lines a minute are written, and how many were not is said with the next one. Lines of
//! the levels `debug` and `trace` are not counted: they are off unless somebody asks for all of them.
//! Notices of the engine share one place and have bounds by kind; see [`NOTICES`].

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tracing::callsite::Identifier;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use super::outlet::Outlet;
use crate::burst::{Burst, Say};
use crate::clock;

/// The target of lines that are bounded where they are made.
pub(crate) const NOTICES: &str = "crux_node::notice";

/// How many lines one place in the program writes in a minute.
const LINES_MAX: u32 = 100;

/// Counts the lines of each place in the program. There is a fixed number of places.
#[derive(Debug)]
pub(super) struct Flood {
    outlet: Outlet,
    said: Mutex<HashMap<Identifier, Burst>>,
}

/// How many lines were left out since the start.
static LEFT_OUT: AtomicU64 = AtomicU64::new(0);

/// Counts a line that was left out because there were too many like it.
pub(crate) fn leave_out() {
    LEFT_OUT.fetch_add(1, Ordering::Relaxed);
}

/// How many lines were left out since the start, because there were too many like them.
pub(crate) fn left_out() -> u64 {
    LEFT_OUT.load(Ordering::Relaxed)
}

impl Flood {
    pub(super) fn new(outlet: Outlet) -> Self {
        Self { outlet, said: Mutex::default() }
    }
}

impl<S: Subscriber> Layer<S> for Flood {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if *metadata.level() > Level::INFO || metadata.target() == NOTICES {
            return true;
        }
        let now = clock::now();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let burst = said.entry(metadata.callsite()).or_insert_with(|| Burst::new(now));
        match burst.hear(LINES_MAX, now) {
            Say::Nothing => {
                leave_out();
                false
            }
            Say::Tell { left_out: 0 } => true,
            Say::Tell { left_out } => {
                let text = format!("{left_out} lines like the next one were left out");
                self.outlet.push(self.outlet.notice(&text, left_out).as_bytes());
                true
            }
        }
    }
}
