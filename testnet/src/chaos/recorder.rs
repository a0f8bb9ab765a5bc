use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::history::{Fate, History, Sample, Span};

/// The history in the making, shared by all that take part.
#[derive(Debug)]
pub struct Recorder {
    began: Instant,
    history: Mutex<History>,
}

impl Recorder {
    /// Begins a history. Times are from now on.
    #[must_use]
    pub fn new(hosts: Vec<String>) -> Self {
        Self { began: Instant::now(), history: Mutex::new(History::new(hosts)) }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// The history so far.
    pub fn history(&self) -> MutexGuard<'_, History> {
        // Every change is a push.
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What happened to a node now.
    pub fn fate(&self, host: usize, fate: Fate) {
        let now = self.now();
        self.history().fates.push((now, host, fate));
    }

    /// What a node said of itself.
    pub fn sample(&self, sample: Sample) {
        self.history().samples.push(sample);
    }

    /// A fault that is over.
    pub fn span(&self, span: Span) {
        self.history().spans.push(span);
    }

    /// Takes the history out, and leaves an empty one.
    #[must_use]
    pub fn take(&self) -> History {
        std::mem::take(&mut *self.history())
    }
}
