//! The Blobs service: streams in and out, and one handler for each of the rest.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crux_client::model::{Blob, Prefix, Scrubbed};
use crux_client::op::{
    self, AddBlobDir, BlobPath, FindBlob, HeldBlobs, Keep, KeepBlob, ListBlobs, RegisterFile,
    RemoveBlob, Scrub, Taken, Wire,
};
use crux_client::parse;
use crux_client::wire::to_status;
use crux_crdt::blob::BlobId;
use crux_crdt::record::Offer;
use crux_proto::v1;
use futures::{Stream, StreamExt as _, stream};
use tokio::sync::watch;
use tonic::{Request as Call, Status, Streaming};

use crate::blobs::want::{Fetch, Pantry, Progress, WAIT};
use crate::blobs::{self, BlobError, Reader};
use crate::error::{Error, Kind};
use crate::view::View;
use crux_client::door::{Answer, Serve, answered, handle};

#[cfg(test)]
mod tests;

/// How many blobs that begin alike are looked for on a node, and in the registry: more than an error names.
const FOUND_MAX: usize = 16;

/// The Blobs service.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) pantry: Pantry,
    /// The node's view of the flock.
    pub(super) view: watch::Receiver<Arc<View>>,
    /// Turns true when the server stops: streams end then.
    pub(super) closing: watch::Receiver<bool>,
}

type Parts = Pin<Box<dyn Stream<Item = Result<v1::GetResponse, Status>> + Send>>;

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

    /// The next part of a put. A stream that breaks in the middle counts as one without an end.
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
        let id = parse::blob(&wire.id)?;
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
}

impl Serve<ListBlobs> for Service {
    async fn serve(&self, _: ListBlobs) -> Result<Vec<Blob>, Error> {
        Ok(self.pantry.blobs.list().into_iter().map(Blob::from).collect())
    }
}

impl Serve<FindBlob> for Service {
    async fn serve(&self, op: FindBlob) -> Result<BlobId, Error> {
        let range = op.prefix.range();
        let range = BlobId(*range.start())..=BlobId(*range.end());
        let mut found = self.pantry.blobs.between(range.clone(), FOUND_MAX);
        // A member can make a blob that begins with the few digits of another one, and offer it.
        let elsewhere = op.elsewhere && op.prefix.is_safe();
        if elsewhere {
            let view = self.view.borrow();
            found.extend(view.said.between::<Offer>(range).take(FOUND_MAX));
            found.sort_unstable();
            found.dedup();
        }
        match found.as_slice() {
            [] => Err(unknown(&op.prefix, elsewhere)),
            [id] => Ok(*id),
            several => {
                let several = several.iter().map(|id| (id.to_string(), String::new()));
                Err(op.prefix.ambiguous("blobs", several))
            }
        }
    }
}

impl Serve<HeldBlobs> for Service {
    async fn serve(&self, op: HeldBlobs) -> Result<Vec<BlobId>, Error> {
        let view = self.view.borrow();
        let is_here = |id| self.pantry.blobs.have(id).is_some_and(|have| have.sealed);
        let held = op.ids.iter().filter(|id| is_here(id) || view.is_said_live::<Offer>(id));
        Ok(held.copied().collect())
    }
}

impl Serve<RemoveBlob> for Service {
    async fn serve(&self, op: RemoveBlob) -> Result<(), Error> {
        let blobs = &self.pantry.blobs;
        match op.pinned {
            true => blobs.remove(op.id).await?,
            false => blobs.remove_unpinned(op.id).await?,
        }
        Ok(())
    }
}

impl Serve<BlobPath> for Service {
    async fn serve(&self, op: BlobPath) -> Result<PathBuf, Error> {
        let path = self.pantry.blobs.path(op.id).await?;
        if path.to_str().is_some() {
            return Ok(path);
        }
        Err(Error::new(
            Kind::Unsupported,
            format!("the path {} is not valid UTF-8", path.display()),
        ))
    }
}

impl Serve<KeepBlob> for Service {
    async fn serve(&self, op: KeepBlob) -> Result<(), Error> {
        let blobs = &self.pantry.blobs;
        match op.keep {
            Keep::Pinned(true) => blobs.pin(op.id).await?,
            Keep::Pinned(false) => blobs.unpin(op.id).await?,
            Keep::Reserved(time) => blobs.reserve(op.id, time).await?,
        }
        Ok(())
    }
}

impl Serve<RegisterFile> for Service {
    async fn serve(&self, op: RegisterFile) -> Result<Taken, Error> {
        let it = self.pantry.blobs.register_in_place(op.path.into()).await?;
        Ok(Taken { id: it.blob, size: it.size })
    }
}

impl Serve<AddBlobDir> for Service {
    async fn serve(&self, op: AddBlobDir) -> Result<u64, Error> {
        Ok(self.pantry.blobs.add_dir(op.path.into(), op.scan).await? as u64)
    }
}

impl Serve<Scrub> for Service {
    async fn serve(&self, _: Scrub) -> Result<Scrubbed, Error> {
        Ok(self.pantry.blobs.scrub(None).await?.into())
    }
}

impl From<blobs::Listed> for Blob {
    fn from(listed: blobs::Listed) -> Self {
        let blobs::Listed { id, size, held, pieces, sealed, pinned, reserved_for, registered } =
            listed;
        Self { id, size, held, pieces, sealed, pinned, reserved_for, registered }
    }
}

impl From<blobs::Scrubbed> for Scrubbed {
    fn from(scrubbed: blobs::Scrubbed) -> Self {
        let blobs::Scrubbed { blobs, bytes, damaged, changed } = scrubbed;
        Self { blobs, bytes, damaged, changed }
    }
}

/// The next step of a get.
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

/// No blob begins with the digits, among those that were searched.
fn unknown(prefix: &Prefix, elsewhere: bool) -> Error {
    let place = if elsewhere { "that is known here" } else { "of this node" };
    let message = format!("no blob {place} begins with {prefix}");
    Error::new(Kind::BlobUnknown, message).with_hint(format!(
        "`blob ls` lists what this node holds. To get a blob of other members give the whole id, or {} digits \
         of it: anyone can make a blob that begins with fewer.",
        Prefix::DIGITS_SAFE
    ))
}

fn stopping() -> Error {
    Error::new(Kind::ShuttingDown, "the node is stopping")
}

fn out_of_order() -> Error {
    Error::new(Kind::InvalidArgument, "a put is one begin, then chunks, then one finish")
}

/// A handler for each row of the client's table, and those that stream.
macro_rules! blobs {
    ($($call:ident: $Op:ident, $effect:ident;)*) => {
        #[tonic::async_trait]
        impl v1::blobs_server::Blobs for Service {
            type GetStream = Parts;

            async fn put(&self, call: Call<Streaming<v1::PutRequest>>) -> Answer<v1::PutResponse> {
                answered(Self::put(self, call.into_inner()).await)
            }

            async fn get(&self, call: Call<v1::GetRequest>) -> Answer<Parts> {
                answered(Self::get(self, call.get_ref()))
            }

            $(async fn $call(
                &self,
                call: Call<<op::$Op as Wire>::Request>,
            ) -> Answer<<op::$Op as Wire>::Response> {
                handle::<op::$Op>(self, call.get_ref()).await
            })*
        }
    };
}
crux_client::blobs_calls!(blobs! {});
