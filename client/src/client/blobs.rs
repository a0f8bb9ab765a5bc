//! The client of the Blobs service.

use std::time::Duration;

use bytes::Bytes;
use crux_crdt::blob::BlobId;
use crux_proto::v1::{self, blobs_client::BlobsClient};
use tokio_stream::{Stream, StreamExt as _};
use tonic::transport::Channel;
use tonic::{Request as Call, Streaming};

use super::{Client, failed, told};
use crate::error::Error;
use crate::model::Progress;
use crate::op::{ANSWER_BYTES_MAX, Effect, Taken};
use crate::socket::Door;
use crate::wire::Message as _;
use crate::wire::field::{parse, present};

/// The parts of a get's answer, in this order.
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
    /// Those of the node; [`Kind::NoNode`](crate::Kind::NoNode) when the connection broke.
    pub async fn next(&mut self) -> Result<Option<Got>, Error> {
        use v1::get_response::Part;
        let part = self.parts.message().await.map_err(|status| told(&status, self.limit))?;
        let Some(part) = part else { return Ok(None) };
        Ok(Some(match present("part", part.part)? {
            Part::Progress(progress) => Got::Progress(Progress::from_wire(&progress)?),
            Part::Size(size) => Got::Size(size),
            Part::Chunk(bytes) => Got::Chunk(bytes),
        }))
    }
}

impl Client {
    /// Puts a stream of which at least `size` bytes will come. The blob is durable when this returns.
    /// It takes as long as it takes: the client's limit holds only until the node serves. When the stream ends in `None`
    /// it was complete; when it ends otherwise nothing is put.
    ///
    /// # Errors
    /// Those of the node: [`Kind::Quota`](crate::Kind::Quota), [`Kind::DiskFull`](crate::Kind::DiskFull).
    pub async fn put_blob(
        &self,
        size: u64,
        chunks: impl Stream<Item = Option<Bytes>> + Send + 'static,
    ) -> Result<Taken, Error> {
        use v1::put_request::Part;
        let part = |part| v1::PutRequest { part: Some(part) };
        let begin = tokio_stream::once(part(Part::Begin(size)));
        let parts = begin.chain(chunks.map(move |chunk| match chunk {
            Some(bytes) => part(Part::Chunk(bytes)),
            None => part(Part::Finish(v1::PutFinish {})),
        }));
        self.served(Door::Control).await?;
        let answered = self.blobs().put(parts).await;
        let failed = |status| failed(Effect::Works, &status, self.limit);
        let wire = answered.map_err(failed)?.into_inner();
        Ok(Taken { id: parse("blob", &wire.id)?, size: wire.size })
    }

    /// Begins to get a blob; waits at most `timeout` for a node that has it.
    ///
    /// # Errors
    /// [`Kind::BlobUnknown`](crate::Kind::BlobUnknown) and what else the node answers, also later.
    pub async fn get_blob(&self, id: BlobId, timeout: Duration) -> Result<Get, Error> {
        let timeout_ms = u64::try_from(timeout.as_millis()).ok();
        let call = Call::new(v1::GetRequest { id: id.to_string(), timeout_ms });
        let answered = self.blobs().get(call).await;
        let parts = answered.map_err(|status| told(&status, self.limit))?.into_inner();
        Ok(Get { parts, limit: self.limit })
    }

    fn blobs(&self) -> BlobsClient<Channel> {
        let stub = BlobsClient::new(self.control.channel.clone());
        stub.max_decoding_message_size(ANSWER_BYTES_MAX)
    }
}
