//! The Blobs service: streams in and out, and one handler for each of the rest.

use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use crux_crdt::blob::BlobId;
use crux_proto::v1;
use futures::{Stream, StreamExt as _, stream};
use tokio::sync::watch;
use tonic::{Request as Call, Response, Status, Streaming};

use super::convert::{reply, request};
use super::error::to_status;
use crate::blobs::want::{Fetch, Pantry, Progress, WAIT};
use crate::blobs::{BlobError, Reader};
use crate::error::{Error, Kind};

#[cfg(test)]
mod tests;

/// The Blobs service.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) pantry: Pantry,
    /// Turns true when the server stops: streams end then.
    pub(super) closing: watch::Receiver<bool>,
}

type Answer<T> = Result<Response<T>, Status>;
type Parts = Pin<Box<dyn Stream<Item = Result<v1::GetResponse, Status>> + Send>>;

fn answer<T>(result: Result<T, Error>) -> Answer<T> {
    result.map(Response::new).map_err(|err| to_status(&err))
}

impl Service {
    async fn put(&self, mut parts: Streaming<v1::PutRequest>) -> Result<v1::PutResponse, Error> {
        use v1::put_request::Part;
        let mut put = None;
        loop {
            match (self.part(&mut parts).await?, &mut put) {
                (Some(Part::Begin(size)), None) => {
                    put = Some(self.pantry.blobs.begin_put(size).await?);
                }
                (Some(Part::Chunk(bytes)), Some(put)) => put.write(bytes).await?,
                (Some(Part::Finish(_)), Some(_)) => break,
                (None, _) => return Err(BlobError::Truncated.into()),
                _ => return Err(out_of_order()),
            }
        }
        // A stream that is answered before its end is reset, and what still comes of it is an error
        // that the connection counts.
        if self.part(&mut parts).await?.is_some() {
            return Err(out_of_order());
        }
        let put = put.ok_or_else(out_of_order)?.finish().await?;
        Ok(v1::PutResponse { id: put.blob.to_string(), size: put.size })
    }

    /// The next part of a put. What breaks in the middle is as good as a stream without an end.
    async fn part(
        &self,
        parts: &mut Streaming<v1::PutRequest>,
    ) -> Result<Option<v1::put_request::Part>, Error> {
        let mut closing = self.closing.clone();
        tokio::select! {
            part = parts.next() => Ok(part.and_then(Result::ok).and_then(|part| part.part)),
            _ = closing.wait_for(|closing| *closing) => Err(stopping()),
        }
    }

    fn get(&self, wire: &v1::GetRequest) -> Result<Parts, Error> {
        let id = request::blob(&wire.id)?;
        let timeout = wire.timeout_ms.map_or(WAIT, Duration::from_millis);
        let fetch = self.pantry.want(id, timeout)?;
        let begin = Getting::begin(self.pantry.clone(), id, fetch);
        let closing = self.closing.clone();
        let parts = stream::unfold((begin, closing), |(state, mut closing)| async move {
            if matches!(state, Getting::Over) {
                return None;
            }
            let (part, next) = tokio::select! {
                step = state.step() => step?,
                _ = closing.wait_for(|closing| *closing) => (Err(stopping()), Getting::Over),
            };
            Some((part.map_err(|err| to_status(&err)), (next, closing)))
        });
        Ok(Box::pin(parts))
    }

    async fn keep(&self, wire: &v1::KeepBlobRequest) -> Result<v1::KeepBlobResponse, Error> {
        use v1::keep_blob_request::Keep;
        let id = request::blob(&wire.id)?;
        let blobs = &self.pantry.blobs;
        match wire.keep {
            Some(Keep::Pin(true)) => blobs.pin(id).await?,
            Some(Keep::Pin(false)) => blobs.unpin(id).await?,
            Some(Keep::ReserveMs(millis)) => {
                blobs.reserve(id, Duration::from_millis(millis)).await?;
            }
            None => return Err(Error::new(Kind::InvalidArgument, "keep: not set")),
        }
        Ok(v1::KeepBlobResponse {})
    }

    async fn remove(&self, wire: &v1::RemoveBlobRequest) -> Result<v1::RemoveBlobResponse, Error> {
        self.pantry.blobs.remove(request::blob(&wire.id)?).await?;
        Ok(v1::RemoveBlobResponse {})
    }

    async fn path(&self, wire: &v1::BlobPathRequest) -> Result<v1::BlobPathResponse, Error> {
        let path = self.pantry.blobs.path(request::blob(&wire.id)?).await?;
        let path = path.into_os_string().into_string().map_err(|path| {
            let path = PathBuf::from(path);
            Error::new(Kind::Unsupported, format!("the path {} is no text", path.display()))
        })?;
        Ok(v1::BlobPathResponse { path })
    }

    async fn register(
        &self,
        wire: &v1::RegisterFileRequest,
    ) -> Result<v1::RegisterFileResponse, Error> {
        let path = request::absolute(&wire.path)?;
        let it = self.pantry.blobs.register_in_place(path).await?;
        Ok(v1::RegisterFileResponse { id: it.blob.to_string(), size: it.size })
    }

    async fn add_dir(&self, wire: &v1::AddBlobDirRequest) -> Result<v1::AddBlobDirResponse, Error> {
        let path = request::absolute(&wire.path)?;
        let blobs = self.pantry.blobs.add_dir(path, wire.scan).await?;
        Ok(v1::AddBlobDirResponse { blobs: blobs as u64 })
    }

    async fn scrub(&self) -> Result<v1::ScrubResponse, Error> {
        Ok(reply::scrubbed(&self.pantry.blobs.scrub(None).await?))
    }
}

/// What a get does next.
enum Getting {
    Fetching(Pantry, BlobId, Fetch),
    Opening(Pantry, BlobId),
    Reading(Reader),
    Over,
}

type Step = Option<(Result<v1::GetResponse, Error>, Getting)>;

impl Getting {
    fn begin(pantry: Pantry, id: BlobId, fetch: Option<Fetch>) -> Self {
        match fetch {
            Some(fetch) => Self::Fetching(pantry, id, fetch),
            None => Self::Opening(pantry, id),
        }
    }

    /// The next part; none: that was all.
    async fn step(self) -> Step {
        match self {
            Self::Fetching(pantry, id, fetch) => Self::fetch(pantry, id, fetch).await,
            Self::Opening(pantry, id) => Self::open(pantry, id).await,
            Self::Reading(reader) => Self::read(reader).await,
            Self::Over => None,
        }
    }

    async fn fetch(pantry: Pantry, id: BlobId, mut fetch: Fetch) -> Step {
        tokio::select! {
            biased;
            done = &mut fetch.done => match done {
                Ok(Ok(())) => Self::open(pantry, id).await,
                Ok(Err(err)) => Some((Err(err), Self::Over)),
                Err(_) => Some((Err(stopping()), Self::Over)),
            },
            Ok(()) = fetch.progress.changed() => {
                let progress = *fetch.progress.borrow_and_update();
                Some((Ok(progress_part(progress)), Self::Fetching(pantry, id, fetch)))
            }
            else => Some((Err(stopping()), Self::Over)),
        }
    }

    async fn open(pantry: Pantry, id: BlobId) -> Step {
        Some(match pantry.blobs.reader(id).await {
            Ok(reader) => {
                let size = v1::get_response::Part::Size(reader.size());
                (Ok(v1::GetResponse { part: Some(size) }), Self::Reading(reader))
            }
            Err(err) => (Err(err.into()), Self::Over),
        })
    }

    async fn read(mut reader: Reader) -> Step {
        match reader.next().await {
            Ok(Some(bytes)) => {
                let chunk = v1::get_response::Part::Chunk(bytes);
                Some((Ok(v1::GetResponse { part: Some(chunk) }), Self::Reading(reader)))
            }
            Ok(None) => None,
            Err(err) => Some((Err(err.into()), Self::Over)),
        }
    }
}

fn progress_part(progress: Progress) -> v1::GetResponse {
    let Progress { held, size, providers } = progress;
    let progress = v1::FetchProgress { held, size, providers };
    v1::GetResponse { part: Some(v1::get_response::Part::Progress(progress)) }
}

fn stopping() -> Error {
    Error::new(Kind::ShuttingDown, "the node is stopping")
}

fn out_of_order() -> Error {
    Error::new(Kind::InvalidArgument, "a put is one begin, then chunks, then one finish")
}

#[tonic::async_trait]
impl v1::blobs_server::Blobs for Service {
    type GetStream = Parts;

    async fn put(&self, call: Call<Streaming<v1::PutRequest>>) -> Answer<v1::PutResponse> {
        answer(Self::put(self, call.into_inner()).await)
    }

    async fn get(&self, call: Call<v1::GetRequest>) -> Answer<Parts> {
        answer(Self::get(self, call.get_ref()))
    }

    async fn list_blobs(&self, _: Call<v1::ListBlobsRequest>) -> Answer<v1::ListBlobsResponse> {
        let blobs = self.pantry.blobs.list().iter().map(reply::blob).collect();
        answer(Ok(v1::ListBlobsResponse { blobs }))
    }

    async fn remove_blob(
        &self,
        call: Call<v1::RemoveBlobRequest>,
    ) -> Answer<v1::RemoveBlobResponse> {
        answer(self.remove(call.get_ref()).await)
    }

    async fn blob_path(&self, call: Call<v1::BlobPathRequest>) -> Answer<v1::BlobPathResponse> {
        answer(self.path(call.get_ref()).await)
    }

    async fn keep_blob(&self, call: Call<v1::KeepBlobRequest>) -> Answer<v1::KeepBlobResponse> {
        answer(self.keep(call.get_ref()).await)
    }

    async fn register_file(
        &self,
        call: Call<v1::RegisterFileRequest>,
    ) -> Answer<v1::RegisterFileResponse> {
        answer(self.register(call.get_ref()).await)
    }

    async fn add_blob_dir(
        &self,
        call: Call<v1::AddBlobDirRequest>,
    ) -> Answer<v1::AddBlobDirResponse> {
        answer(self.add_dir(call.get_ref()).await)
    }

    async fn scrub(&self, _: Call<v1::ScrubRequest>) -> Answer<v1::ScrubResponse> {
        answer(Self::scrub(self).await)
    }
}
