//! Calls to the nodes of a bench that move blobs.

use std::path::Path;
use std::time::Duration;

use crux_client::op::{RegisterFile, RemoveBlob};
use crux_client::{Client, Got, parse};
use crux_crdt::blob::BlobId;

use crate::Error;
use crate::process::Cluster;

/// A client of a node that may take that long to answer.
///
/// # Errors
///
/// [`Error::Broken`] when it does not answer.
pub(super) async fn client(
    cluster: &Cluster,
    at: usize,
    within: Duration,
) -> Result<Client, Error> {
    Client::connect(&cluster.nodes()[at].spec().data_dir, within).await.map_err(broken)
}

/// Has a node fetch a blob; returns its size when it is sealed there.
///
/// # Errors
///
/// [`Error::Broken`] with what the node says.
pub(super) async fn fetch(to: &Client, blob: BlobId, wait: Duration) -> Result<u64, Error> {
    let mut get = to.get_blob(blob, wait).await.map_err(broken)?;
    while let Some(part) = get.next().await.map_err(broken)? {
        if let Got::Size(size) = part {
            return Ok(size);
        }
    }
    Err(Error::Broken(format!("the get of {blob} ended before it was there")))
}

/// Has a node take a file as a blob where it is.
///
/// # Errors
///
/// [`Error::Broken`] with what the node says.
pub(super) async fn register_file(at: &Client, path: &Path) -> Result<BlobId, Error> {
    let path = parse::path_text(path).map_err(broken)?;
    Ok(at.call(&RegisterFile { path }).await.map_err(broken)?.id)
}

/// Has a node remove a blob.
///
/// # Errors
///
/// [`Error::Broken`] with what the node says.
pub(super) async fn remove(at: &Client, id: BlobId) -> Result<(), Error> {
    at.call(&RemoveBlob { id, pinned: true }).await.map_err(broken)
}

/// What a node refused.
#[expect(clippy::needless_pass_by_value, reason = "passed to map_err")]
pub(super) fn broken(error: crux_client::Error) -> Error {
    Error::Broken(error.to_string())
}
