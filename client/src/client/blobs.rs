//! The client of the Blobs service.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use crux_crdt::blob::BlobId;
use crux_proto::v1;
use futures::Stream;
use tonic::{Request as Call, Streaming};

use super::{Client, Effect, transport};
use crate::api::convert::answer;
use crate::api::error::from_status;
use crate::blobs::want::Progress;
use crate::blobs::{Listed, Scrubbed};
use crate::error::{Error, Kind};

/// What a get gives, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Got {
    /// While it is fetched.
    Progress(Progress),
    /// Once it is here: how many bytes follow.
    Size(u64),
    /// The next bytes.
    Chunk(Bytes),
}

/// A blob that comes out.
#[derive(Debug)]
pub struct Get {
    parts: Streaming<v1::GetResponse>,
    limit: Duration,
}

impl Get {
    /// The next part; none: that was all of it.
    ///
    /// # Errors
    /// What the node says; [`Kind::NoNode`] when the connection broke.
    pub async fn next(&mut self) -> Result<Option<Got>, Error> {
        use v1::get_response::Part;
        let part =
            self.parts.message().await.map_err(|status| put_into_words(&status, self.limit))?;
        let Some(part) = part else { return Ok(None) };
        Ok(Some(match answer::present("part", part.part)? {
            Part::Progress(v1::FetchProgress { held, size, providers }) => {
                Got::Progress(Progress { held, size, providers })
            }
            Part::Size(size) => Got::Size(size),
            Part::Chunk(bytes) => Got::Chunk(bytes),
        }))
    }
}

impl Client {
    /// Puts a stream of which at least `size` bytes will come. The blob is durable when this returns.
    /// It takes as long as it takes: the client's limit does not hold. When the stream ends in `None`
    /// it was complete; when it ends otherwise nothing is put.
    ///
    /// # Errors
    /// What the node answers: [`Kind::Quota`], [`Kind::DiskFull`].
    pub async fn put_blob(
        &self,
        size: u64,
        chunks: impl Stream<Item = Option<Bytes>> + Send + 'static,
    ) -> Result<(BlobId, u64), Error> {
        use futures::StreamExt as _;
        use v1::put_request::Part;
        let part = |part| v1::PutRequest { part: Some(part) };
        let begin = futures::stream::once(async move { part(Part::Begin(size)) });
        let parts = begin.chain(chunks.map(move |chunk| match chunk {
            Some(bytes) => part(Part::Chunk(bytes)),
            None => part(Part::Finish(v1::PutFinish {})),
        }));
        let answered = self.blobs.clone().put(parts).await;
        let wire = answered.map_err(|status| put_into_words(&status, self.limit))?.into_inner();
        Ok((answer::blob_id(&wire.id)?, wire.size))
    }

    /// Begins to get a blob; waits at most `timeout` for a node that has it.
    ///
    /// # Errors
    /// [`Kind::BlobUnknown`] and what else the node answers, also later.
    pub async fn get_blob(&self, id: BlobId, timeout: Duration) -> Result<Get, Error> {
        let timeout_ms = u64::try_from(timeout.as_millis()).ok();
        let call = Call::new(v1::GetRequest { id: id.to_string(), timeout_ms });
        let answered = self.blobs.clone().get(call).await;
        let parts = answered.map_err(|status| put_into_words(&status, self.limit))?.into_inner();
        Ok(Get { parts, limit: self.limit })
    }

    /// Every blob of the node, by id. When it was last read is not told.
    ///
    /// # Errors
    /// See [`Client::status`].
    pub async fn list_blobs(&self) -> Result<Vec<Listed>, Error> {
        let call = self.call(v1::ListBlobsRequest {});
        let mut blobs = self.blobs.clone();
        let wire = self.within(Effect::Reads, blobs.list_blobs(call)).await?;
        wire.blobs.iter().map(answer::blob).collect()
    }

    /// Removes a blob from the node.
    ///
    /// # Errors
    /// See [`Client::status`]; [`Kind::BlobUnknown`].
    pub async fn remove_blob(&self, id: BlobId) -> Result<(), Error> {
        let call = self.call(v1::RemoveBlobRequest { id: id.to_string() });
        let mut blobs = self.blobs.clone();
        self.within(Effect::Writes, blobs.remove_blob(call)).await.map(drop)
    }

    /// Where a blob lies on the node.
    ///
    /// # Errors
    /// See [`Client::status`]; [`Kind::BlobUnknown`], [`Kind::BlobUnsealed`].
    pub async fn blob_path(&self, id: BlobId) -> Result<PathBuf, Error> {
        let call = self.call(v1::BlobPathRequest { id: id.to_string() });
        let mut blobs = self.blobs.clone();
        let wire = self.within(Effect::Reads, blobs.blob_path(call)).await?;
        Ok(wire.path.into())
    }

    /// Keeps a blob from eviction for good, or no longer.
    ///
    /// # Errors
    /// See [`Client::status`]; [`Kind::BlobUnknown`].
    pub async fn pin_blob(&self, id: BlobId, pinned: bool) -> Result<(), Error> {
        self.keep(id, v1::keep_blob_request::Keep::Pin(pinned)).await
    }

    /// Keeps a blob from eviction for a time from now on.
    ///
    /// # Errors
    /// See [`Client::status`]; [`Kind::BlobUnknown`].
    pub async fn reserve_blob(&self, id: BlobId, time: Duration) -> Result<(), Error> {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.keep(id, v1::keep_blob_request::Keep::ReserveMs(millis)).await
    }

    async fn keep(&self, id: BlobId, keep: v1::keep_blob_request::Keep) -> Result<(), Error> {
        let call = self.call(v1::KeepBlobRequest { id: id.to_string(), keep: Some(keep) });
        let mut blobs = self.blobs.clone();
        self.within(Effect::Writes, blobs.keep_blob(call)).await.map(drop)
    }

    /// Takes a file of the node's machine as a blob where it is. Takes as long as it takes to hash.
    ///
    /// # Errors
    /// What the node answers: [`Kind::ChangedWhileRead`], [`Kind::InvalidArgument`].
    pub async fn register_file(&self, path: &Path) -> Result<(BlobId, u64), Error> {
        let call = Call::new(v1::RegisterFileRequest { path: text(path)? });
        let answered = self.blobs.clone().register_file(call).await;
        let wire = answered.map_err(|status| put_into_words(&status, self.limit))?.into_inner();
        Ok((answer::blob_id(&wire.id)?, wire.size))
    }

    /// Adds a storage directory; returns how many blobs came with it. With `scan` it takes as long as
    /// it takes to hash them.
    ///
    /// # Errors
    /// What the node answers.
    pub async fn add_blob_dir(&self, path: &Path, scan: bool) -> Result<u64, Error> {
        let call = Call::new(v1::AddBlobDirRequest { path: text(path)?, scan });
        let answered = self.blobs.clone().add_blob_dir(call).await;
        Ok(answered.map_err(|status| put_into_words(&status, self.limit))?.into_inner().blobs)
    }

    /// Looks at every byte of every blob of the node, which takes as long as it takes.
    ///
    /// # Errors
    /// What the node answers.
    pub async fn scrub_blobs(&self) -> Result<Scrubbed, Error> {
        let answered = self.blobs.clone().scrub(Call::new(v1::ScrubRequest {})).await;
        answer::scrubbed(
            &answered.map_err(|status| put_into_words(&status, self.limit))?.into_inner(),
        )
    }
}

/// The node's words, or what became of the connection.
fn put_into_words(status: &tonic::Status, limit: Duration) -> Error {
    if status.details().is_empty() { transport(status, limit) } else { from_status(status) }
}

fn text(path: &Path) -> Result<String, Error> {
    let path = path.to_str().map(str::to_owned);
    path.ok_or_else(|| Error::new(Kind::InvalidArgument, "the path is no text"))
}
