//! How many calls of each kind are open at once, over all connections.
//!
//! Every request passes here before it is decoded, once it is there whole (see `whole`). Calls that only read
//! what the node shows are always let through: they wait for nothing. The others are counted by class, and one beyond the limit of its
//! class is refused at once with `limit_reached` or `busy`; it never waits, and so it never keeps
//! another one waiting. A short call counts until it is answered, and its answer waits in
//! [`untaken`](super::untaken) until somebody reads it; a watch or a get until its stream
//! ends or is dropped, whether or not anybody reads it.
//!
//! Few requests may be long. The long part of one counts in bytes, as it arrives and until the call is answered,
//! so one that is slow takes no more than what is there of it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::wire::to_status;
use http_body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::body::Body;
use tonic::codegen::{Body as HttpBody, BoxFuture, Bytes, Service, http};
use tower::Layer;

use super::limits::{BULK_BYTES_MAX, LONG_PER_CONNECTION, Limits, UNTAKEN_BYTES_MAX};
use super::seats::{Line, Open};
use super::untaken::Untaken;
use super::whole::{Bulk, Length, whole};
use crate::error::StateChanged;
use crate::{Error, Kind};

/// The kind that a call is counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Answered from what the node shows.
    Read,
    /// A stream that lasts until somebody ends it.
    Watch,
    /// A blob on its way.
    Transfer,
    /// All others.
    Request,
}

impl Class {
    /// The class of a call by its path, `/SERVICE/METHOD`.
    fn of(path: &str) -> Self {
        let (service, method) = path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
        match (service, method) {
            ("crux.v1.Control", "Status" | "Leader" | "Members" | "Services" | "Resolve")
            | ("crux.v1.Documents", "ListDocuments" | "ShowDocument" | "DocumentBasis")
            | ("crux.v1.Blobs", "HeldBlobs")
            | ("crux.v1.Proctor", "Show")
            | ("grpc.health.v1.Health", "Check")
            | ("crux.v1.Services", "GetPicket" | "ShowService") => Self::Read,
            ("crux.v1.Control" | "grpc.health.v1.Health", "Watch")
            | ("crux.v1.Services", "Logs" | "Events") => Self::Watch,
            ("crux.v1.Blobs", "Put" | "Get") => Self::Transfer,
            (service, _) if service.starts_with("grpc.reflection.") => Self::Watch,
            _ => Self::Request,
        }
    }

    /// Whether the request may be long.
    fn is_bulk(path: &str) -> bool {
        matches!(
            path,
            "/crux.v1.Documents/PutDocuments" | "/crux.v1.Proctor/Plan" | "/crux.v1.Proctor/Apply"
        )
    }

    /// Whether the request itself is a stream.
    fn is_streaming(path: &str) -> bool {
        path == "/crux.v1.Blobs/Put" || path.starts_with("/grpc.reflection.")
    }

    const fn is_long(self) -> bool {
        matches!(self, Self::Watch | Self::Transfer)
    }
}

/// The places for calls of each class.
#[derive(Debug, Clone)]
pub struct Calls {
    limits: Limits,
    request_bytes_max: usize,
    bulk_bytes_max: usize,
    bulk: Bulk,
    watches: Arc<Semaphore>,
    transfers: Arc<Semaphore>,
    requests: Arc<Semaphore>,
    untaken: Untaken,
}

impl Calls {
    /// With these limits, for requests of at most so many bytes.
    pub fn new(limits: Limits, request_bytes_max: usize) -> Self {
        let places = |max| Arc::new(Semaphore::new(max));
        Self {
            limits,
            request_bytes_max,
            bulk_bytes_max: request_bytes_max,
            bulk: Bulk::new(BULK_BYTES_MAX),
            watches: places(limits.watches),
            transfers: places(limits.transfers),
            requests: places(limits.requests),
            untaken: Untaken::new(UNTAKEN_BYTES_MAX),
        }
    }

    /// The same, and requests that may be long have at most so many bytes.
    #[must_use]
    pub fn with_bulk(self, bulk_bytes_max: usize) -> Self {
        Self { bulk_bytes_max, ..self }
    }

    /// How long the request of a call may be, by the path of the call.
    fn length(&self, path: &str) -> Length {
        let most = if Class::is_bulk(path) { self.bulk_bytes_max } else { self.request_bytes_max };
        Length { short: self.request_bytes_max, most }
    }

    /// A place for a call, on its connection and among all of its class.
    fn admit(&self, class: Class, line: Option<&Line>) -> Result<Place, Error> {
        let of_connection = line.map(|line| line.open(class.is_long()));
        if matches!(of_connection, Some(None)) {
            let what = "watches, puts and gets open on one connection";
            return Err(refused(LONG_PER_CONNECTION, what));
        }
        let (places, max, what) = match class {
            Class::Read => return Ok(Place { _open: of_connection.flatten(), _permit: None }),
            Class::Watch => (&self.watches, self.limits.watches, "watches open"),
            Class::Transfer => (&self.transfers, self.limits.transfers, "puts and gets under way"),
            Class::Request => (&self.requests, self.limits.requests, "requests under way"),
        };
        let permit = places.clone().try_acquire_owned().map_err(|_| match class {
            Class::Request => Error::new(Kind::Busy, format!("the node has {max} {what}"))
                .with_hint("Try again in a moment, and with fewer at once."),
            _ => refused(max, what),
        })?;
        Ok(Place { _open: of_connection.flatten(), _permit: Some(permit) })
    }
}

/// The refusal of a long call.
fn refused(max: usize, what: &str) -> Error {
    Error::new(Kind::LimitReached, format!("the node takes no more than {max} {what}"))
        .with_hint("End one of them, then try again. Short commands are answered all the same.")
        .with_field("limit", max.to_string())
        .with_retry(true)
}

/// A call that counts. It ends when this is dropped.
#[derive(Debug)]
struct Place {
    _open: Option<Open>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl<S> Layer<S> for Calls {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, calls: self.clone() }
    }
}

/// A service whose calls are counted.
#[derive(Debug, Clone)]
pub struct Counted<S> {
    inner: S,
    calls: Calls,
}

impl<S> Service<http::Request<Body>> for Counted<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<Self::Response, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let class = Class::of(request.uri().path());
        let is_streaming = Class::is_streaming(request.uri().path());
        let length = self.calls.length(request.uri().path());
        let calls = self.calls.clone();
        // The one that was polled until it was ready.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        Box::pin(async move {
            let request = match is_streaming {
                true => Ok((request, None)),
                false => whole(request, length, &calls.bulk).await,
            };
            let admitted = request.and_then(|(request, held)| {
                let place = calls.admit(class, request.extensions().get::<Line>())?;
                Ok((request, place, held))
            });
            let (request, place, _held) = match admitted {
                Ok(admitted) => admitted,
                Err(err) => return Ok(to_status(&err).into_http()),
            };
            let answer = inner.call(request).await?;
            if !class.is_long() {
                let lost = match class {
                    Class::Read => StateChanged::No,
                    _ => StateChanged::Unknown,
                };
                return Ok(calls.untaken.keep(answer, lost).await);
            }
            Ok(answer.map(|body| Body::new(Held { body, _place: place })))
        })
    }
}

/// A stream that counts as long as it is there.
#[derive(Debug)]
struct Held {
    body: Body,
    _place: Place,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_classed_by_what_they_cost() {
        let of = |path| Class::of(path);
        assert_eq!(of("/crux.v1.Control/Status"), Class::Read);
        assert_eq!(of("/grpc.health.v1.Health/Check"), Class::Read);
        assert_eq!(of("/crux.v1.Control/Watch"), Class::Watch);
        assert_eq!(of("/grpc.health.v1.Health/Watch"), Class::Watch);
        let reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
        assert_eq!(of(reflection), Class::Watch);
        assert_eq!(of("/crux.v1.Blobs/Get"), Class::Transfer);
        assert_eq!(of("/crux.v1.Blobs/Scrub"), Class::Request);
        assert_eq!(of("/crux.v1.Documents/PutDocuments"), Class::Request);
        assert_eq!(of("/crux.v1.Documents/ShowDocument"), Class::Read);
        assert_eq!(of("/crux.v1.Control/Register"), Class::Request);
        assert_eq!(of("/crux.v1.Services/Logs"), Class::Watch);
        assert_eq!(of("/crux.v1.Services/AddService"), Class::Request);
        assert_eq!(of("/whatever"), Class::Request);
    }

    #[test]
    fn each_class_has_a_limit_of_its_own_and_reading_has_none() {
        let limits = Limits::of(64);
        let calls = Calls::new(limits, 1024);
        let mut open = Vec::new();
        let classes = [
            (Class::Watch, limits.watches, Kind::LimitReached),
            (Class::Transfer, limits.transfers, Kind::LimitReached),
            (Class::Request, limits.requests, Kind::Busy),
        ];
        for (class, max, kind) in classes {
            open.extend((0..max).map(|_| calls.admit(class, None).unwrap()));
            let err = calls.admit(class, None).unwrap_err();
            assert_eq!((err.kind(), err.retryable()), (kind, true));
            assert!(err.to_string().contains(&max.to_string()), "{err}");
        }
        open.extend((0..1000).map(|_| calls.admit(Class::Read, None).unwrap()));
        drop(open);
        assert!(calls.admit(Class::Watch, None).is_ok());
    }
}
