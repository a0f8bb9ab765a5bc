use std::sync::Arc;

use tokio::sync::Semaphore;

use super::BlobError;

/// How many short operations run at once, each at most a few pieces long and each with at most a few
/// pieces in memory.
const SHORT_MAX: usize = 8;
/// How many long ones run at once: those that read a whole blob.
const LONG_MAX: usize = 2;
/// For how many blobs the SHA-3 follows behind at once; of others it is taken at the end.
const FOLLOW_MAX: usize = 2;

/// How many pieces of work on files run at once.
#[derive(Debug)]
pub(super) struct Gates {
    short: Semaphore,
    long: Semaphore,
    /// Each lets the SHA-3 of one blob follow behind.
    pub(super) follow: Arc<Semaphore>,
}

impl Default for Gates {
    fn default() -> Self {
        let [short, long, follow] = [SHORT_MAX, LONG_MAX, FOLLOW_MAX].map(Semaphore::new);
        Self { short, long, follow: Arc::new(follow) }
    }
}

impl Gates {
    /// Does a short piece of work on a thread of its own.
    pub(super) async fn short<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
    ) -> Result<T, BlobError> {
        run(&self.short, work).await
    }

    /// The same of a long one.
    pub(super) async fn long<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
    ) -> Result<T, BlobError> {
        run(&self.long, work).await
    }
}

async fn run<T: Send + 'static>(
    gate: &Semaphore,
    work: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, BlobError> {
    let _pass = gate.acquire().await.map_err(|_| BlobError::Closed)?;
    tokio::task::spawn_blocking(work).await.map_err(|_| BlobError::Closed)?
}
