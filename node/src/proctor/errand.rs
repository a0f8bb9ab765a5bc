//! The errands of proctor and planner, each with one outcome.

use crux_client::op::Op;
use crux_crdt::blob::BlobId;
use crux_crdt::document::CONTENT_MAX;
use crux_crdt::record::{Pass, SlotSet};
use crux_protocol::leader::Claim;
use crux_protocol::picket;
use tokio::sync::{mpsc, oneshot};

use crate::blobs::Hold;
use crate::blobs::want::Pantry;
use crate::error::{Error, Kind};
use crate::fulcrum::request::{Asked, Outbid, Request, Set};

/// An image that is here, and stays while it is held.
pub(super) struct Image {
    pub(super) image: picket::Image,
    pub(super) hold: Hold,
}

/// Fetches an image if it is missing.
pub(super) async fn image(pantry: &Pantry, blob: BlobId) -> Result<Image, Error> {
    let here = pantry.bring(blob).await?;
    let path = here.path.into_os_string().into_string().map_err(|_| {
        let text = "the path of the blob store is not UTF-8; give --blob-dir another one";
        Error::new(Kind::ImageUnusable, text)
    })?;
    Ok(Image { image: picket::Image { descriptor: here.descriptor, path }, hold: here.hold })
}

/// Fetches the bytes of a generation of a target if they are missing.
pub(super) async fn content(pantry: &Pantry, blob: BlobId) -> Result<Vec<u8>, Error> {
    let here = pantry.bring(blob).await?;
    let size = here.descriptor.size;
    if size > CONTENT_MAX as u64 {
        let text = format!("{size} bytes, and a target has at most {CONTENT_MAX}");
        return Err(Error::new(Kind::LimitReached, text));
    }
    Ok(pantry.blobs.read_whole(blob).await?.to_vec())
}

/// Says it in the node's record; done once that is durable.
pub(super) async fn say(fulcrum: &mpsc::Sender<Request>, set: SlotSet) -> Result<(), Error> {
    ask(fulcrum, Set(set)).await
}

/// Has this node lead in a greater term than the one under which this pass was signed.
pub(super) async fn outbid(fulcrum: &mpsc::Sender<Request>, greater: Pass) -> Result<(), Error> {
    let Pass { term, leader, .. } = greater;
    ask(fulcrum, Outbid(Claim { n: term, principal: leader })).await
}

async fn ask<O: Op<Answer = ()>>(fulcrum: &mpsc::Sender<Request>, op: O) -> Result<(), Error>
where
    Request: From<Asked<O>>,
{
    let stops = || Error::new(Kind::ShuttingDown, "the node is stopping");
    let (reply, answer) = oneshot::channel();
    fulcrum.send(Asked { op, reply }.into()).await.map_err(|_| stops())?;
    answer.await.map_err(|_| stops())?
}
