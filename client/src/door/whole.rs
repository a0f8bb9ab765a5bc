//! Requests are taken whole before their calls count.
//!
//! A client can open a call and never end its request. If such a call counted from its first byte, a few hundred
//! of them would hold all places, and all connections, for as long as they like.
//!
//! Invariant: a call counts, and keeps its connection open, only once its request is there. One that is not
//! there after [`PATIENCE`], or is longer than the socket takes, is refused. Calls whose requests are streams are
//! not taken here: they count from the start, and have limits of their own.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::Frame;
use tokio::time::timeout;
use tonic::body::Body;
use tonic::codegen::{Body as HttpBody, Bytes, http};

use crate::{Error, Kind};

/// How long a request may be on its way. It comes over a socket of this machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// The frame of a request.
const FRAME_BYTES_MAX: usize = 1024;

/// The same request, all of which is there; it has at most so many bytes.
///
/// # Errors
/// The caller's fault: it did not come in time, is too long, or ended early. Nothing was done.
pub(super) async fn whole(
    request: http::Request<Body>,
    max: usize,
) -> Result<http::Request<Body>, Error> {
    let (parts, body) = request.into_parts();
    let bytes = timeout(PATIENCE, read(body, max)).await.map_err(|_| {
        let what = format!("the request was not complete after {} s", PATIENCE.as_secs());
        Error::new(Kind::TimedOut, what).with_hint("End the request when you have sent it.")
    })??;
    Ok(http::Request::from_parts(parts, Body::new(Whole(Some(bytes)))))
}

async fn read(mut body: Body, max: usize) -> Result<Bytes, Error> {
    let mut all = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|status| {
            Error::new(Kind::InvalidArgument, format!("the request ended early: {status}"))
        })?;
        // Trailers mean nothing in a request.
        let data = frame.into_data().unwrap_or_default();
        if all.len() + data.len() > max + FRAME_BYTES_MAX {
            let what = format!("a request has at most {max} bytes");
            return Err(Error::new(Kind::InvalidArgument, what));
        }
        all.extend_from_slice(&data);
    }
    Ok(all.into())
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
