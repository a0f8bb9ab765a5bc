//! What is said in the log and nowhere else: libp2p tells of a gossip stream that it gave up, and
//! the adapter of a peer that is too slow for gossip, by no event.

use std::fmt::{Debug, Write};
use std::sync::Mutex;

use tokio::sync::Notify;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Lines of all nodes of this process, whichever test they are of.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// That there is one more.
static NEWS: Notify = Notify::const_new();

/// Listens from now on. Once is enough, more does no harm.
pub(crate) fn listen() {
    tracing::subscriber::set_global_default(Listener).ok();
}

/// Waits for a line that holds all of these words.
pub(crate) async fn heard(words: &[&str]) {
    loop {
        let news = NEWS.notified();
        if !lines(words).is_empty() {
            return;
        }
        news.await;
    }
}

/// Returns the lines that hold all of these words.
pub(crate) fn lines(words: &[&str]) -> Vec<String> {
    let lines = LINES.lock().expect("nobody panics with it");
    let with_all = |line: &&String| words.iter().all(|word| line.contains(word));
    lines.iter().filter(with_all).cloned().collect()
}

struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, of: &Metadata<'_>) -> bool {
        let gossipsub = of.target().starts_with("libp2p_gossipsub") && *of.level() <= Level::WARN;
        let adapter = of.target().starts_with("crux_protocol::net") && *of.level() <= Level::DEBUG;
        of.is_event() && (gossipsub || adapter)
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        LINES.lock().expect("nobody panics with it").push(line.0);
        NEWS.notify_waiters();
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// All fields of an event, the message among them.
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{field}={value:?} ").expect("a string takes everything");
    }
}
