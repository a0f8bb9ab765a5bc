//! `grpc.health.v1`, served from statuses that the caller keeps. With the feature `health`.
//!
//! A node serves it on its control socket and the picket on its own, each from what it knows. Only how a name is
//! looked up differs, so that is the argument ([`Statuses`]); this module is what the two have in common.
//!
//! * `Check` of a name that nothing has is `NOT_FOUND`; `Watch` says `SERVICE_UNKNOWN`, and continues: a service may
//!   be added later. (The server in `tonic-health` refuses such a watch, and knows its names beforehand.)
//! * `Watch` says how it is at once, and then each change that is still there when the reader comes back. So a
//!   reader that does not read costs one message.

use std::future::Future;
use std::pin::Pin;

use futures::Stream;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

pub use tonic_health::pb::FILE_DESCRIPTOR_SET;

use crate::model::ServiceStatus;

/// How long the name in a request may be, in bytes, with all around it: a path has five parts of at most 63 bytes.
const REQUEST_BYTES_MAX: usize = 1024;

/// Where the service looks how something is. Clones are readers of their own.
pub trait Statuses: Clone + Send + Sync + 'static {
    /// Whether what has this name serves; `None`: nothing has it. The empty name is the whole process.
    fn serves(&self, name: &str) -> Option<bool>;

    /// Resolves when an answer may have changed since this reader called it last, or at once the first time. `false`:
    /// nothing changes any more, and watches end.
    fn changed(&mut self) -> impl Future<Output = bool> + Send;
}

/// Whether a service with this status serves, as a prober sees it: *up* and *degraded* do.
pub const fn is_serving(status: ServiceStatus) -> bool {
    matches!(status, ServiceStatus::Up | ServiceStatus::Degraded)
}

/// The service `grpc.health.v1.Health` over these statuses.
pub fn server<S: Statuses>(statuses: S) -> HealthServer<Served<S>> {
    HealthServer::new(Served(statuses)).max_decoding_message_size(REQUEST_BYTES_MAX)
}

/// The handlers of [`server`].
#[derive(Debug)]
pub struct Served<S>(S);

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl<S: Statuses> Health for Served<S> {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(&self, call: Request<HealthCheckRequest>) -> Answer<HealthCheckResponse> {
        match self.0.serves(&call.get_ref().service) {
            Some(serves) => Ok(Response::new(response(Some(serves)))),
            None => Err(Status::not_found("nothing here has this name")),
        }
    }

    async fn watch(&self, call: Request<HealthCheckRequest>) -> Answer<Self::WatchStream> {
        let (name, statuses) = (call.into_inner().service, self.0.clone());
        let reader = Reader { name, statuses, said: None };
        let told = futures::stream::unfold(reader, |mut reader| async move {
            let next = reader.next().await?;
            Some((Ok(response(next)), reader))
        });
        let told: Self::WatchStream = Box::pin(told);
        Ok(Response::new(told))
    }
}

fn response(serves: Option<bool>) -> HealthCheckResponse {
    let status = match serves {
        Some(true) => ServingStatus::Serving,
        Some(false) => ServingStatus::NotServing,
        None => ServingStatus::ServiceUnknown,
    };
    HealthCheckResponse { status: status.into() }
}

/// One watch.
struct Reader<S> {
    name: String,
    statuses: S,
    /// The status that it sent last; none: nothing yet.
    said: Option<Option<bool>>,
}

impl<S: Statuses> Reader<S> {
    /// Waits for a change, and gives the next status to send. None: nothing changes any more.
    async fn next(&mut self) -> Option<Option<bool>> {
        loop {
            let now = self.statuses.serves(&self.name);
            if self.said != Some(now) {
                self.said = Some(now);
                return Some(now);
            }
            if !self.statuses.changed().await {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use futures::StreamExt as _;
    use tokio::sync::watch;
    use tonic::Code;

    use super::*;

    #[derive(Clone)]
    struct Book(watch::Receiver<Arc<BTreeMap<&'static str, bool>>>);

    impl Statuses for Book {
        fn serves(&self, name: &str) -> Option<bool> {
            self.0.borrow().get(name).copied()
        }

        async fn changed(&mut self) -> bool {
            self.0.changed().await.is_ok()
        }
    }

    fn of(service: &str) -> Request<HealthCheckRequest> {
        Request::new(HealthCheckRequest { service: service.to_owned() })
    }

    #[tokio::test]
    async fn a_check_says_how_it_is_and_what_is_not_there() {
        let (_book, read) = watch::channel(Arc::new(BTreeMap::from([("", true), ("web", false)])));
        let served = Served(Book(read));
        let status =
            |answer: Answer<HealthCheckResponse>| answer.map(|it| it.into_inner().status());
        assert_eq!(status(served.check(of("")).await).unwrap(), ServingStatus::Serving);
        assert_eq!(status(served.check(of("web")).await).unwrap(), ServingStatus::NotServing);
        assert_eq!(status(served.check(of("dns")).await).unwrap_err().code(), Code::NotFound);
    }

    #[tokio::test]
    async fn a_watch_says_changes_of_its_name_only_and_waits_for_what_is_not_there() {
        let (book, read) = watch::channel(Arc::new(BTreeMap::from([("web", true)])));
        let say = |all: &[(&'static str, bool)]| {
            book.send_replace(Arc::new(all.iter().copied().collect()));
        };
        let served = Served(Book(read));
        let mut told = served.watch(of("dns")).await.unwrap().into_inner();
        let mut next = async || told.next().await.map(|it| it.unwrap().status());
        assert_eq!(next().await, Some(ServingStatus::ServiceUnknown));
        say(&[("web", false)]);
        say(&[("web", false), ("dns", true)]);
        assert_eq!(next().await, Some(ServingStatus::Serving));
        say(&[("dns", false)]);
        say(&[("dns", true)]);
        say(&[]);
        assert_eq!(next().await, Some(ServingStatus::ServiceUnknown), "one answer, the last");
        drop(book);
        assert_eq!(next().await, None);
    }

    #[test]
    fn up_and_degraded_serve() {
        let serving = ServiceStatus::ALL.into_iter().filter(|status| is_serving(*status));
        assert_eq!(serving.collect::<Vec<_>>(), [ServiceStatus::Up, ServiceStatus::Degraded]);
    }
}
