//! Requests are taken whole before their calls count.
//!
//! A client can open a call and never end its request. If such a call counted from its first byte, a few hundred
//! of them would hold all places, and all connections, for as long as they like.
//!
//! Invariant: a call counts, and keeps its connection open, only once its request is there. One that is not
//! there after [`PATIENCE`], or is longer than the socket takes, is refused. Calls whose requests are streams are
//! not taken here: they count from the start, and have limits of their own.
//!
//! A long request takes its bytes beyond a short one from a budget of all callers, [`Bulk`], which gets them back when
//! the call is answered.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::Frame;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tonic::body::Body;
use tonic::codegen::{Body as HttpBody, Bytes, http};

use crate::{Error, Kind};

/// How long a request may be on its way. It comes over a socket of this machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// The unit of the budget.
const KIB: usize = 1024;

/// The frame of a request.
const FRAME_BYTES_MAX: usize = 1024;

/// How long a request may be, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Length {
    /// The bytes that any request may have.
    pub(super) short: usize,
    /// The most that this one may have.
    pub(super) most: usize,
}

/// The bytes that long requests of all callers may have together.
#[derive(Debug, Clone)]
pub(super) struct Bulk(Arc<Semaphore>);

impl Bulk {
    /// With so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / KIB)))
    }

    /// Has `held` be enough for so many bytes.
    fn hold(&self, held: &mut Option<OwnedSemaphorePermit>, bytes: usize) -> Result<(), Error> {
        let has = held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = u32::try_from(bytes.div_ceil(KIB).saturating_sub(has)).unwrap_or(u32::MAX);
        if more == 0 {
            return Ok(());
        }
        let permit = self.0.clone().try_acquire_many_owned(more).map_err(|_| {
            Error::new(Kind::Busy, "the node has as many long requests as it can take")
                .with_hint("Try again in a moment, and with fewer at once.")
        })?;
        match held {
            Some(held) => held.merge(permit),
            None => *held = Some(permit),
        }
        Ok(())
    }
}

/// The same request, all of which is there, and what it holds of the budget.
///
/// # Errors
/// The caller's fault: it did not come in time, is too long, or ended early; [`Kind::Busy`] where the budget is spent.
/// Nothing was done.
pub(super) async fn whole(
    request: http::Request<Body>,
    length: Length,
    bulk: &Bulk,
) -> Result<(http::Request<Body>, Option<OwnedSemaphorePermit>), Error> {
    let (parts, body) = request.into_parts();
    let read = timeout(PATIENCE, read(body, length, bulk)).await;
    let (bytes, held) = read.map_err(|_| {
        let what = format!("the request was not complete after {} s", PATIENCE.as_secs());
        Error::new(Kind::TimedOut, what).with_hint("End the request when you have sent it.")
    })??;
    Ok((http::Request::from_parts(parts, Body::new(Whole(Some(bytes)))), held))
}

async fn read(
    mut body: Body,
    length: Length,
    bulk: &Bulk,
) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Error> {
    let (mut all, mut held) = (Vec::new(), None);
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|status| {
            Error::new(Kind::InvalidArgument, format!("the request ended early: {status}"))
        })?;
        // Trailers mean nothing in a request.
        let data = frame.into_data().unwrap_or_default();
        let bytes = all.len() + data.len();
        if bytes > length.most + FRAME_BYTES_MAX {
            let what = format!("a request has at most {} bytes", length.most);
            return Err(Error::new(Kind::InvalidArgument, what));
        }
        bulk.hold(&mut held, bytes.saturating_sub(length.short + FRAME_BYTES_MAX))?;
        all.extend_from_slice(&data);
    }
    Ok((all.into(), held))
}

/// A body that is there.
#[derive(Debug)]
struct Whole(Option<Bytes>);

impl HttpBody for Whole {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: Length = Length { short: 4 * KIB, most: 64 * KIB };

    async fn take(bytes: usize, bulk: &Bulk) -> Result<Option<OwnedSemaphorePermit>, Kind> {
        let request = http::Request::new(Body::new(Whole(Some(vec![7; bytes].into()))));
        match whole(request, LENGTH, bulk).await {
            Ok((_, held)) => Ok(held),
            Err(err) => Err(err.kind()),
        }
    }

    #[tokio::test]
    async fn long_requests_share_a_budget_and_short_ones_need_none() {
        let bulk = Bulk::new(100 * KIB);
        let first = take(64 * KIB, &bulk).await.unwrap();
        assert_eq!(first.as_ref().map(OwnedSemaphorePermit::num_permits), Some(59));
        assert_eq!(take(64 * KIB, &bulk).await.map(drop), Err(Kind::Busy));
        let _rest = take(46 * KIB, &bulk).await.unwrap();
        assert!(take(4 * KIB, &bulk).await.unwrap().is_none());
        assert_eq!(take(66 * KIB, &bulk).await.map(drop), Err(Kind::InvalidArgument));
        drop(first);
        assert!(take(64 * KIB, &bulk).await.is_ok(), "it is returned with the call");
    }
}
