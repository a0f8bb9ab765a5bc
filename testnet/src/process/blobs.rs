//! Whole blobs at one node, by the client that its own command line uses.

use std::time::Duration;

use bytes::Bytes;
use crux_client::op::ListBlobs;
use crux_client::{Client, Got};
use crux_crdt::blob::BlobId;
use futures::stream;
use tokio::time::timeout;

use super::NodeSpec;
use crate::Error;

/// How long the node may take to answer at all.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How many bytes go in one message.
const CHUNK: usize = 1024 * 1024;

/// Puts blobs at one node and gets them there. They are held in memory.
#[derive(Debug)]
pub struct BlobClient {
    node: String,
    client: Client,
}

impl BlobClient {
    /// Connects to the node that was started with this.
    ///
    /// # Errors
    ///
    /// [`Error::Broken`] when it does not answer.
    pub async fn connect(spec: &NodeSpec) -> Result<Self, Error> {
        let node = spec.name.clone();
        let connected = Client::connect(&spec.data_dir, ANSWER_WITHIN).await;
        let client = connected.map_err(|error| broken(&node, "connect", &error))?;
        Ok(Self { node, client })
    }

    /// Puts a blob; returns when it is durable.
    ///
    /// # Errors
    ///
    /// [`Error::Broken`] with what the node says.
    pub async fn put(&self, bytes: &[u8]) -> Result<BlobId, Error> {
        let chunks: Vec<_> = bytes.chunks(CHUNK).map(Bytes::copy_from_slice).map(Some).collect();
        let chunks = stream::iter(chunks.into_iter().chain([None]));
        let put = self.client.put_blob(bytes.len() as u64, chunks).await;
        put.map(|put| put.id).map_err(|error| broken(&self.node, "put", &error))
    }

    /// Gets all of a blob. `wait`: how long for a node that has it. `within`: how long altogether.
    ///
    /// # Errors
    ///
    /// [`Error::Broken`] with what the node says, [`Error::TimedOut`].
    pub async fn get(
        &self,
        blob: BlobId,
        wait: Duration,
        within: Duration,
    ) -> Result<Vec<u8>, Error> {
        let mut all = Vec::new();
        let got = async {
            let mut get = self.client.get_blob(blob, wait).await?;
            while let Some(part) = get.next().await? {
                if let Got::Chunk(chunk) = part {
                    all.extend_from_slice(&chunk);
                }
            }
            Ok(())
        };
        match timeout(within, got).await {
            Ok(Ok(())) => Ok(all),
            Ok(Err(error)) => Err(broken(&self.node, "get", &error)),
            Err(_) => Err(Error::TimedOut {
                what: format!("{} has the blob {}", self.node, blob.short()),
                within,
                last: format!("{} bytes", all.len()),
            }),
        }
    }

    /// The blobs of which all is there.
    ///
    /// # Errors
    ///
    /// [`Error::Broken`] with what the node says.
    pub async fn held(&self) -> Result<Vec<BlobId>, Error> {
        let listed = self.client.call(&ListBlobs).await;
        let listed = listed.map_err(|error| broken(&self.node, "list", &error))?;
        Ok(listed.iter().filter(|listed| listed.sealed).map(|listed| listed.id).collect())
    }
}

fn broken(node: &str, call: &str, error: &crux_client::Error) -> Error {
    Error::Broken(format!("{node}: {call}: {error}"))
}
