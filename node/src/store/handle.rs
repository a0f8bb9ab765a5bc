use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crux_crdt::Digest;
use crux_crdt::fact::{Fact, Kind};
use tokio::sync::oneshot;

use super::actor::Shared;
use super::{Batch, WriteError};

/// How the rest of the node reaches the database. Cheap to clone; none of its methods waits for the
/// disk.
///
/// [`StoreHandle::close`] ends the actor with everything written. When the last handle is dropped
/// without it, the actor still writes what it has, and nobody waits for it.
#[derive(Debug, Clone)]
pub struct StoreHandle {
    owner: Arc<Owner>,
}

impl StoreHandle {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { owner: Arc::new(Owner(shared)) }
    }

    /// Makes a batch durable, together with whatever else waits and all that was saved before.
    ///
    /// The batch is taken in by this call, not by the first poll. Dropping what it returns takes
    /// nothing back.
    ///
    /// # Errors
    /// What is returned resolves to [`WriteError`], which says what is known then. The batch is
    /// not tried again: who asked decides.
    pub fn persist(&self, batch: Batch) -> Persisted {
        Persisted(self.owner.0.persist(batch))
    }

    /// Takes a batch in to be made durable within about a second; merged with what waits, so that
    /// only the newest of several facts is written. A crash may lose it, as a whole. A failed
    /// write is tried again until there is room.
    ///
    /// # Errors
    /// [`WriteError::Closed`]: nothing was taken in.
    pub fn save(&self, batch: Batch) -> Result<(), WriteError> {
        self.owner.0.save(batch)
    }

    /// Reads the facts under a key, once what was taken in before is written. None: there are none, or they
    /// could not be read.
    pub fn read(&self, kind: Kind, key: Digest) -> impl Future<Output = Vec<Fact>> + use<> {
        let asked = self.owner.0.read((kind, key));
        async move {
            match asked {
                Some(answer) => answer.await.unwrap_or_default(),
                None => Vec::new(),
            }
        }
    }

    /// How writing goes.
    pub fn health(&self) -> Health {
        self.owner.0.health()
    }

    /// Writes everything that waits, closes the database and ends the actor. Cancel-safe: it closes
    /// all the same. Closing what is closed does nothing.
    ///
    /// # Errors
    /// [`WriteError`] of the last write: what was saved since the last good one is lost.
    pub async fn close(&self) -> Result<(), WriteError> {
        match self.owner.0.close() {
            // The actor ended without an answer: another close was faster.
            Some(answer) => answer.await.unwrap_or(Ok(())),
            None => Ok(()),
        }
    }
}

/// What writing looks like from outside, for the operator.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// How many transactions succeeded.
    pub commits: u64,
    /// How many failed since the last one that succeeded.
    pub failures: u32,
    /// Why the last one failed; none: it succeeded.
    pub last_error: Option<WriteError>,
    /// How many saved facts are not durable yet.
    pub unsaved: usize,
}

/// Resolves when a batch is durable, or is known not to be.
#[must_use = "the batch may fail to become durable"]
#[derive(Debug)]
pub struct Persisted(Result<oneshot::Receiver<Result<(), WriteError>>, WriteError>);

impl Future for Persisted {
    type Output = Result<(), WriteError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Err(refused) => Poll::Ready(Err(refused.clone())),
            Ok(answer) => Pin::new(answer)
                .poll(context)
                .map(|answered| answered.unwrap_or(Err(WriteError::Closed))),
        }
    }
}

/// Ends the actor with the last handle.
struct Owner(Arc<Shared>);

impl Drop for Owner {
    fn drop(&mut self) {
        drop(self.0.close());
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.health().fmt(f)
    }
}
