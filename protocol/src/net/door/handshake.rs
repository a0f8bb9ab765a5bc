use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::task::AtomicWaker;
use tokio::time::Instant;

/// How often a handshake advances at most: after the negotiation of Noise, Noise, and the negotiation
/// of Yamux. The messages of the first may come apart.
pub(crate) const STEPS_MAX: u8 = 4;

/// Why a connection ended before it was encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    /// The peer sent something else than the first line of every handshake.
    #[error("the peer does not speak Crux")]
    NotCrux,
    /// The peer closed the connection.
    #[error("the peer closed the connection before the handshake was done")]
    Closed,
    /// The peer sent nothing within the time for a first byte.
    #[error("the peer sent nothing in time")]
    Silent,
    /// The handshake took too long.
    #[error("the handshake was not done in time")]
    Late,
    /// This node closed the connection to make room for another one.
    #[error("closed to make room for another connection")]
    MadeRoom,
}

impl Broken {
    /// Finds it among the causes of an error.
    pub(crate) fn of(error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(broken) = error.downcast_ref() {
                return Some(*broken);
            }
            // An error that wraps another has it inside; its source is that one's source.
            next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                Some(inner) => Some(inner),
                None => error.source(),
            };
        }
        None
    }
}

impl From<Broken> for io::Error {
    fn from(broken: Broken) -> Self {
        let kind = match broken {
            Broken::NotCrux => io::ErrorKind::InvalidData,
            Broken::Closed => io::ErrorKind::UnexpectedEof,
            Broken::Silent | Broken::Late => io::ErrorKind::TimedOut,
            Broken::MadeRoom => io::ErrorKind::ConnectionAborted,
        };
        Self::new(kind, broken)
    }
}

/// How far one connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Whether the peer sent a byte.
    pub(crate) heard: bool,
    /// How often it advanced.
    pub(crate) steps: u8,
    /// When it advanced last; at first, when the connection came.
    pub(crate) advanced: Instant,
    /// Whether it is encrypted.
    pub(crate) done: bool,
    /// Whether it has to go.
    pub(crate) yields: bool,
}

/// How far one connection is, for all who look after it.
#[derive(Debug)]
pub(crate) struct Handshake {
    progress: Mutex<Progress>,
    /// Of the task that makes the connection.
    waker: AtomicWaker,
}

impl Handshake {
    pub(crate) fn new(now: Instant) -> Self {
        let progress =
            Progress { heard: false, steps: 0, advanced: now, done: false, yields: false };
        Self { progress: Mutex::new(progress), waker: AtomicWaker::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        // Nothing that holds it panics, and each field is right by itself.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn progress(&self) -> Progress {
        *self.lock()
    }

    /// Says that the peer sent something. The first time is progress.
    pub(crate) fn hear(&self, now: Instant) {
        let mut progress = self.lock();
        if !progress.heard {
            progress.heard = true;
            progress.advanced = now;
        }
    }

    /// Says that this node answered something that the peer sent.
    pub(crate) fn step(&self, now: Instant) {
        let mut progress = self.lock();
        if progress.steps < STEPS_MAX {
            progress.steps += 1;
            progress.advanced = now;
        }
    }

    /// Says that it is done.
    pub(super) fn finish(&self) {
        self.lock().done = true;
    }

    /// Has the connection closed, unless it is done.
    pub(crate) fn make_room(&self) {
        self.lock().yields = true;
        self.waker.wake();
    }

    pub(super) fn watch(&self, waker: &std::task::Waker) {
        self.waker.register(waker);
    }
}
