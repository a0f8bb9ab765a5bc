//! How somebody asks for a blob that is not here: the seam between the control API and what fetches.

use std::path::PathBuf;
use std::time::Duration;

use crux_crdt::blob::{BlobId, Descriptor};
use tokio::sync::{mpsc, oneshot, watch};

use super::{BlobError, Blobs, Hold};
use crate::error::{Error, Kind};

/// How long to wait for a node that has it when nobody says.
pub const WAIT: Duration = Duration::from_secs(10);

/// How far a fetch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Bytes that are here.
    pub held: u64,
    /// Bytes that there are; 0 until that is known.
    pub size: u64,
    /// How many nodes it is fetched from.
    pub providers: u32,
}

/// A fetch request for a blob. Its receiver MUST answer `done` once the blob is sealed here, or will
/// not be; it may stop when nobody waits for that answer any more.
#[derive(Debug)]
pub struct Wanted {
    /// Which one.
    pub id: BlobId,
    /// How long to wait for a node that has it. Once there is one, the fetch takes as long as it takes.
    pub timeout: Duration,
    /// Where to say how far it is.
    pub progress: watch::Sender<Progress>,
    /// Where to say how it ended.
    pub done: oneshot::Sender<Result<(), Error>>,
}

/// A fetch under way, for who asked.
#[derive(Debug)]
pub struct Fetch {
    /// How far it is.
    pub progress: watch::Receiver<Progress>,
    /// How it ends.
    pub done: oneshot::Receiver<Result<(), Error>>,
}

/// A sealed blob that is here, and is not evicted while this lives.
#[derive(Debug)]
pub struct Here {
    /// Its hashes and its size.
    pub descriptor: Descriptor,
    /// Its file, by an absolute path; only to be read.
    pub path: PathBuf,
    /// Keeps it here.
    pub hold: Hold,
}

/// Looks at every byte of every blob now and then, and wishes for what it finds lost. Ends only with
/// the store.
///
/// `rest` is the time before each look, the first one too; `rate` in bytes a second.
pub async fn care(pantry: Pantry, rest: Duration, rate: u64) {
    loop {
        tokio::time::sleep(rest).await;
        let found = match pantry.blobs.scrub(Some(rate)).await {
            Ok(found) => found,
            Err(BlobError::Closed) => return,
            Err(error) => {
                tracing::warn!(%error, "blobs could not be looked through");
                continue;
            }
        };
        tracing::debug!(blobs = found.blobs, bytes = found.bytes, "looked through the blobs");
        for (id, pieces) in found.damaged {
            repair(&pantry, id, pieces).await;
        }
    }
}

async fn repair(pantry: &Pantry, id: BlobId, pieces: u32) {
    let ended = match pantry.want(id, WAIT) {
        Ok(Some(fetch)) => fetch.done.await.unwrap_or(Ok(())),
        Ok(None) => Ok(()),
        Err(err) => Err(err),
    };
    match ended {
        Ok(()) => tracing::info!(blob = %id, pieces, "repaired a blob from other nodes"),
        Err(error) => tracing::warn!(blob = %id, pieces, %error, "a damaged blob is not repaired"),
    }
}

/// The store together with what fetches what it lacks. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pantry {
    /// The store.
    pub blobs: Blobs,
    /// Where wishes go; `None`: nothing is fetched.
    pub wishes: Option<mpsc::Sender<Wanted>>,
}

impl Pantry {
    /// Asks for a blob; none: it is here.
    ///
    /// # Errors
    /// [`Kind::BlobUnknown`] when nothing is fetched, [`Kind::Busy`] when too much is,
    /// [`Kind::ShuttingDown`].
    pub fn want(&self, id: BlobId, timeout: Duration) -> Result<Option<Fetch>, Error> {
        if self.blobs.have(&id).is_some_and(|have| have.sealed) {
            return Ok(None);
        }
        let Some(wishes) = &self.wishes else {
            let error = Error::from(BlobError::Unknown(id));
            return Err(error.with_field("fetch", "this build does not ask other nodes"));
        };
        let (progress, progressed) = watch::channel(Progress::default());
        let (done, ended) = oneshot::channel();
        let wanted = Wanted { id, timeout, progress, done };
        wishes.try_send(wanted).map_err(|err| match err {
            mpsc::error::TrySendError::Full(_) => {
                Error::new(Kind::Busy, "the node fetches as much as it can")
            }
            mpsc::error::TrySendError::Closed(_) => {
                Error::new(Kind::ShuttingDown, "the node is stopping")
            }
        })?;
        Ok(Some(Fetch { progress: progressed, done: ended }))
    }

    /// Fetches a blob if it is missing.
    ///
    /// # Errors
    /// As [`Pantry::want`], those of the fetch, and those of the store.
    pub async fn bring(&self, id: BlobId) -> Result<Here, Error> {
        if let Some(fetch) = self.want(id, WAIT)? {
            let stopping = |_| Error::new(Kind::ShuttingDown, "the node is stopping");
            fetch.done.await.map_err(stopping)??;
        }
        // First, so that it stays until the rest is known.
        let hold = self.blobs.hold(id)?;
        let descriptor = self.blobs.describe(&id)?;
        let path = std::path::absolute(self.blobs.path(id).await?)
            .map_err(|err| Error::io("finding the file of a blob", &err))?;
        Ok(Here { descriptor, path, hold })
    }
}
