use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinError};

use super::Part;
use super::book::{Book, End};
use super::plant::{Plant, Pulse};
use crate::error::Error;

/// How a part is stopped.
pub enum Stop {
    /// It is dropped where it waits.
    Drop,
    /// This asks it to end. A task is dropped where it waits if it takes longer than that; of a thread
    /// nothing but the answer to the question is awaited.
    Ask(BoxFuture<'static, Result<(), Error>>, Duration),
    /// It ends with the process: it is needed until then, or nothing interrupts it.
    Never,
}

impl Stop {
    /// A part that ends when those after it have ended. It gets that long for it.
    pub fn wait(within: Duration) -> Self {
        Self::Ask(Box::pin(std::future::ready(Ok(()))), within)
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Drop => "Drop",
            Self::Ask(..) => "Ask",
            Self::Never => "Never",
        })
    }
}

/// A part with the way to stop it.
struct Stoppable {
    part: Part,
    stop: Stop,
    /// None: a thread.
    task: Option<AbortHandle>,
}

struct Shared {
    book: watch::Sender<Book>,
    stoppable: Mutex<Vec<Stoppable>>,
    plant: Plant,
}

/// Starts the parts of a node, notices how they end, and stops them. Clones are the same one.
///
/// One that nobody asks for failures serves tests that need a part and no node.
#[derive(Clone)]
pub struct Supervisor(Arc<Shared>);

impl Default for Supervisor {
    fn default() -> Self {
        let (book, stoppable) = (watch::Sender::default(), Mutex::default());
        Self(Arc::new(Shared { book, stoppable, plant: Plant::take() }))
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.book.borrow().fmt(f)
    }
}

impl Supervisor {
    /// Starts a part as a task. MUST be called within a Tokio runtime.
    pub fn task<F, R>(&self, part: Part, stop: Stop, work: F)
    where
        F: Future<Output = R> + Send + 'static,
        R: Outcome,
    {
        let watched = Watched::begin(&self.0, part);
        let work = self.0.plant.within(part, work);
        let task = tokio::spawn(async move {
            let ended = AssertUnwindSafe(work).catch_unwind().await;
            watched.end(ended.map(Outcome::into_result));
        });
        self.stops(part, stop, Some(task.abort_handle()));
    }

    /// Starts a part as a thread of that name. It calls the pulse each time it takes up work.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn thread(
        &self,
        part: Part,
        work: impl FnOnce(&Pulse) + Send + 'static,
    ) -> std::io::Result<()> {
        let watched = Watched::begin(&self.0, part);
        let pulse = self.0.plant.pulse(part);
        let work = move || {
            let ended = catch_unwind(AssertUnwindSafe(|| work(&pulse)));
            watched.end(ended.map(Ok));
        };
        std::thread::Builder::new().name(part.name().to_owned()).spawn(work).map(drop)
    }

    /// Runs a part here, until it ends.
    ///
    /// # Errors
    /// Those of the part. After a panic there is none; then the part failed.
    pub async fn here<F>(&self, part: Part, work: F) -> Result<(), Error>
    where
        F: Future<Output = Result<(), Error>>,
    {
        let watched = Watched::begin(&self.0, part);
        let work = self.0.plant.within(part, work);
        let ended = AssertUnwindSafe(work).catch_unwind().await;
        let result = ended.as_ref().map_or(Ok(()), Clone::clone);
        watched.end(ended);
        result
    }

    /// Says how a part that is a thread is stopped.
    pub fn stops_thread(&self, part: Part, stop: Stop) {
        self.stops(part, stop, None);
    }

    fn stops(&self, part: Part, stop: Stop, task: Option<AbortHandle>) {
        let mut all = self.0.stoppable.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Stoppable { part, stop, task });
    }

    /// The parts that run, in the order of the start.
    pub fn running(&self) -> Vec<Part> {
        self.0.book.borrow().running()
    }

    /// Resolves once a part failed, and at once if one has.
    pub async fn failed(&self) {
        // The sender lives as long as `self`.
        drop(self.0.book.subscribe().wait_for(Book::has_failed).await);
    }

    /// Which part failed and how, if one did. Its kind is
    /// [`PartFailed`](crate::error::Kind::PartFailed).
    pub fn failure(&self) -> Option<Error> {
        self.0.book.borrow().failure()
    }

    /// Stops the parts, the last one of the list first.
    ///
    /// # Errors
    /// The first one that asking a part to end met.
    pub async fn stop(&self) -> Result<(), Error> {
        self.0.book.send_modify(Book::stop);
        let mut all = {
            let mut all = self.0.stoppable.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *all)
        };
        all.sort_by_key(|it| it.part);
        let mut result = Ok(());
        while let Some(Stoppable { part, stop, task }) = all.pop() {
            let asked = match stop {
                Stop::Never => continue,
                Stop::Drop => Ok(()),
                Stop::Ask(ask, within) => self.ask(part, ask, within, task.is_some()).await,
            };
            if let Some(task) = task {
                task.abort();
                self.ended(part).await;
            }
            tracing::debug!(%part, "stopped a part");
            result = result.and(asked);
        }
        result
    }

    /// Asks a part to end, and waits for the answer; in the case of a task, for its end.
    async fn ask(
        &self,
        part: Part,
        mut ask: BoxFuture<'static, Result<(), Error>>,
        within: Duration,
        is_task: bool,
    ) -> Result<(), Error> {
        let asked = async {
            let asked = tokio::select! {
                biased;
                asked = &mut ask => asked,
                // A part that has ended answers no more, unless it did so just before.
                () = self.ended(part) => (&mut ask).now_or_never().unwrap_or(Ok(())),
            };
            if is_task {
                self.ended(part).await;
            }
            asked
        };
        tokio::time::timeout(within, asked).await.unwrap_or_else(|_| {
            tracing::warn!(%part, "the part did not end in time");
            Ok(())
        })
    }

    async fn ended(&self, part: Part) {
        drop(self.0.book.subscribe().wait_for(|book| !book.has(part)).await);
    }
}

/// What a part returns: nothing, or what ended it.
pub trait Outcome {
    /// What ended it.
    ///
    /// # Errors
    /// The part's own.
    fn into_result(self) -> Result<(), Error>;
}

impl Outcome for () {
    fn into_result(self) -> Result<(), Error> {
        Ok(())
    }
}

impl Outcome for Result<(), Error> {
    fn into_result(self) -> Self {
        self
    }
}

/// Notes how a part ends, also when it is dropped.
struct Watched {
    shared: Arc<Shared>,
    part: Part,
    noted: bool,
}

impl Watched {
    fn begin(shared: &Arc<Shared>, part: Part) -> Self {
        shared.book.send_modify(|book| book.begin(part));
        Self { shared: shared.clone(), part, noted: false }
    }

    fn end(mut self, ended: std::thread::Result<Result<(), Error>>) {
        self.note(match ended {
            Ok(result) => End::Returned(result),
            Err(panic) => End::Panicked(message_of(&*panic)),
        });
    }

    fn note(&mut self, end: End) {
        self.noted = true;
        self.shared.book.send_modify(|book| book.end(self.part, end));
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !self.noted {
            self.note(End::Dropped);
        }
    }
}

fn message_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}

/// What a task below a part came to; none: it was cancelled.
///
/// # Panics
/// When the task did: its panic is its part's.
pub fn finished<T>(joined: Result<T, JoinError>) -> Option<T> {
    match joined {
        Ok(value) => Some(value),
        Err(err) if err.is_panic() => resume_unwind(err.into_panic()),
        Err(_) => None,
    }
}
