//! The thread that owns the store.
//!
//! There is no queue of writes: what is handed in is merged into one pending batch, in its order, and the thread
//! takes all of it at once. So a hundred small writes during one fsync become the next one, memory
//! is bounded by what the strew holds, and nobody ever waits for a place in a channel.

use std::io;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crux_crdt::Digest;
use crux_crdt::fact::{Fact, Kind};
use tokio::sync::oneshot;

use super::handle::{Health, StoreHandle};
use super::pending::Pending;
use super::{Batch, Store, WriteError};
use crate::parts::{Part, Pulse, Supervisor};

/// How long what was saved may stay in memory. The price is one fsync in that time on a busy node.
const FLUSH_AFTER: Duration = Duration::from_secs(1);
/// The longest pause between attempts while writing fails: a person who made room should not have
/// to wait. Wild guess.
const RETRY_MAX: Duration = Duration::from_secs(30);
/// How many [`StoreHandle::persist`] may wait for one fsync. Each is a caller that is itself
/// waiting; more than that is a loop that went wrong.
const WAITING_MAX: usize = 4096;

type Answer = oneshot::Sender<Result<(), WriteError>>;
type Found = oneshot::Sender<Vec<Fact>>;
/// A kind and a key of which the facts are to be read.
type Asked = (Kind, Digest);

/// What handles and the thread share.
#[derive(Debug)]
pub(super) struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    flush_after: Duration,
}

#[derive(Debug, Default)]
struct Queue {
    // All that is to be written, in the order in which it was handed in.
    pending: Pending,
    // What of it is tried again when writing fails.
    saved: Pending,
    // How much of what was saved is being written.
    in_flight: usize,
    // When what is saved is to be written.
    due: Option<Instant>,
    waiting: Vec<Answer>,
    asked: Vec<(Asked, Found)>,
    phase: Phase,
    health: Health,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Open,
    Closing(Answer),
    Closed,
}

/// What the thread does next.
struct Work {
    pending: Pending,
    saved: Pending,
    waiting: Vec<Answer>,
    asked: Vec<(Asked, Found)>,
    last: Option<Answer>,
}

impl Store {
    /// Hands the store to a thread of its own, [`Part::Database`].
    ///
    /// # Errors
    /// The system gives no thread. The database is closed.
    pub fn spawn(self, parts: &Supervisor) -> io::Result<StoreHandle> {
        self.spawn_flushing(parts, FLUSH_AFTER)
    }

    pub(super) fn spawn_flushing(
        self,
        parts: &Supervisor,
        flush_after: Duration,
    ) -> io::Result<StoreHandle> {
        let queue = Mutex::new(Queue::default());
        let shared = Arc::new(Shared { queue, changed: Condvar::new(), flush_after });
        let actor = Actor { shared: shared.clone(), store: self };
        parts.thread(Part::Database, move |pulse| actor.run(pulse))?;
        Ok(StoreHandle::new(shared))
    }
}

impl Shared {
    pub(super) fn persist(
        &self,
        batch: Batch,
    ) -> Result<oneshot::Receiver<Result<(), WriteError>>, WriteError> {
        let mut queue = self.lock();
        queue.check_open()?;
        if queue.waiting.len() >= WAITING_MAX {
            return Err(WriteError::Busy);
        }
        let (answer, answered) = oneshot::channel();
        queue.pending.absorb(batch);
        queue.waiting.push(answer);
        self.changed.notify_one();
        Ok(answered)
    }

    pub(super) fn save(&self, batch: Batch) -> Result<(), WriteError> {
        let mut queue = self.lock();
        queue.check_open()?;
        queue.pending.absorb(batch.clone());
        if queue.saved.absorb(batch) && queue.due.is_none() {
            queue.due = Some(Instant::now() + self.flush_after);
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Asks for facts. None: too many wait, or the store is closed.
    pub(super) fn read(&self, asked: Asked) -> Option<oneshot::Receiver<Vec<Fact>>> {
        let mut queue = self.lock();
        queue.check_open().ok()?;
        if queue.asked.len() >= WAITING_MAX {
            return None;
        }
        let (answer, answered) = oneshot::channel();
        queue.asked.push((asked, answer));
        self.changed.notify_one();
        Some(answered)
    }

    pub(super) fn health(&self) -> Health {
        let queue = self.lock();
        Health { unsaved: queue.saved.len() + queue.in_flight, ..queue.health.clone() }
    }

    /// Asks the thread to end. None: it was asked before.
    pub(super) fn close(&self) -> Option<oneshot::Receiver<Result<(), WriteError>>> {
        let mut queue = self.lock();
        queue.check_open().ok()?;
        let (answer, answered) = oneshot::channel();
        queue.phase = Phase::Closing(answer);
        self.changed.notify_one();
        Some(answered)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Every change under the lock is complete at each step: what a panic left can be used.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is something to write.
    fn next(&self) -> Work {
        let mut queue = self.lock();
        loop {
            let now = Instant::now();
            if queue.is_ready(now) {
                return queue.take();
            }
            queue = match queue.due {
                None => self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner),
                Some(due) => {
                    let waited = self.changed.wait_timeout(queue, due.duration_since(now));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

impl Queue {
    const fn check_open(&self) -> Result<(), WriteError> {
        match self.phase {
            Phase::Open => Ok(()),
            Phase::Closing(_) | Phase::Closed => Err(WriteError::Closed),
        }
    }

    fn is_ready(&self, now: Instant) -> bool {
        let closing = matches!(self.phase, Phase::Closing(_));
        let asked = !self.waiting.is_empty() || !self.asked.is_empty();
        closing || asked || self.due.is_some_and(|due| due <= now)
    }

    fn take(&mut self) -> Work {
        let last = match mem::replace(&mut self.phase, Phase::Closed) {
            Phase::Closing(answer) => Some(answer),
            phase => {
                self.phase = phase;
                None
            }
        };
        self.due = None;
        self.in_flight = self.saved.len();
        Work {
            pending: mem::take(&mut self.pending),
            saved: mem::take(&mut self.saved),
            waiting: mem::take(&mut self.waiting),
            asked: mem::take(&mut self.asked),
            last,
        }
    }

    /// Notes how a write went; what was saved and is not durable waits for the next one.
    fn note(&mut self, done: &Result<(), WriteError>, saved: &Pending, flush_after: Duration) {
        self.in_flight = 0;
        let health = &mut self.health;
        match done {
            Ok(()) => {
                health.commits += 1;
                health.failures = 0;
                health.last_error = None;
            }
            Err(err) => {
                health.failures = health.failures.saturating_add(1);
                health.last_error = Some(err.clone());
                // What came meanwhile is later.
                for later in [&mut self.pending, &mut self.saved] {
                    let batch = mem::replace(later, saved.clone()).to_batch();
                    later.absorb(batch);
                }
                let doubled = 1 << health.failures.min(6).saturating_sub(1);
                let pause = (flush_after * doubled).min(RETRY_MAX);
                self.due = (!self.saved.is_empty()).then(|| Instant::now() + pause);
            }
        }
    }
}

struct Actor {
    shared: Arc<Shared>,
    store: Store,
}

impl Actor {
    fn run(mut self, pulse: &Pulse) {
        loop {
            let Work { pending, saved, waiting, asked, last } = self.shared.next();
            pulse.beat();
            // What is asked for may be among what was saved.
            let done = self.write(&pending, &saved, waiting);
            for ((kind, key), answer) in asked {
                drop(answer.send(self.read(kind, &key)));
            }
            if let Some(last) = last {
                let closed = self.store.close();
                // Nobody waits when the handle was dropped.
                drop(last.send(done.and(closed)));
                return;
            }
        }
    }

    fn read(&self, kind: Kind, key: &Digest) -> Vec<Fact> {
        let found = self.store.facts(kind, key);
        let found = found.inspect_err(|error| tracing::warn!(%error, "the database was not read"));
        found.unwrap_or_default()
    }

    fn write(
        &mut self,
        pending: &Pending,
        saved: &Pending,
        waiting: Vec<Answer>,
    ) -> Result<(), WriteError> {
        let done = self.store.commit(&pending.to_batch());
        if let Err(err) = &done {
            tracing::warn!(error = %err, hint = err.hint(), "the database was not written");
        }
        self.shared.lock().note(&done, saved, self.shared.flush_after);
        for answer in waiting {
            // A caller that dropped the receiver does not want to know.
            drop(answer.send(done.clone()));
        }
        done
    }
}
