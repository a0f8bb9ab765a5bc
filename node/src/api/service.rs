//! One handler per call: convert, ask, convert.

use std::pin::Pin;

use crux_proto::v1;
use futures::Stream;
use rand::Rng as _;
use tokio::sync::watch;
use tonic::{Request as Call, Response, Status};

use super::control::Handle;
use super::convert::{reply, request};
use super::error::to_status;
use super::feed::{Feed, Seen};
use crate::blobs::want::Pantry;
use crate::error::{Error, Kind, StateChanged};
use crate::fulcrum::request::{Reply, Request};
use crate::parse;

/// The Control service.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) handle: Handle,
    pub(super) pantry: Pantry,
    /// What those who watch saw last.
    pub(super) seen: Seen,
    /// Turns true when the server stops: streams end then.
    pub(super) closing: watch::Receiver<bool>,
}

type Answer<T> = Result<Response<T>, Status>;

/// The handler's result as gRPC wants it.
fn answer<T>(result: Result<T, Error>) -> Answer<T> {
    result.map(Response::new).map_err(|err| to_status(&err))
}

/// The fulcrum answered a request with the reply of another one.
fn mixed_up() -> Error {
    Error::new(Kind::Internal, "the fulcrum gave the answer to another request")
        .with_state(StateChanged::Unknown)
}

impl Service {
    async fn register(&self, wire: v1::RegisterRequest) -> Result<v1::RegisterResponse, Error> {
        let register = request::register(&wire)?;
        match self.handle.ask(Request::Register(register)).await? {
            Reply::Registered(registered) => Ok(reply::registered(&registered)),
            _ => Err(mixed_up()),
        }
    }

    async fn deregister(
        &self,
        wire: v1::DeregisterRequest,
    ) -> Result<v1::DeregisterResponse, Error> {
        let deregister = request::deregister(&wire)?;
        match self.handle.ask(Request::Deregister(deregister)).await? {
            Reply::Deregistered => Ok(v1::DeregisterResponse {}),
            _ => Err(mixed_up()),
        }
    }

    async fn leader_ping(&self) -> Result<v1::LeaderPingResponse, Error> {
        match self.handle.ask(Request::LeaderPing).await? {
            Reply::LeaderPinged(pinged) => Ok(reply::leader_pinged(&pinged)),
            _ => Err(mixed_up()),
        }
    }

    async fn forget(&self, wire: v1::ForgetRequest) -> Result<v1::ForgetResponse, Error> {
        let node = parse::node(&wire.node)?;
        match self.handle.ask(Request::Forget(node)).await? {
            Reply::Forgotten(principal) => {
                Ok(v1::ForgetResponse { principal: principal.to_string() })
            }
            _ => Err(mixed_up()),
        }
    }

    async fn leave(&self) -> Result<v1::LeaveResponse, Error> {
        match self.handle.ask(Request::Leave).await? {
            Reply::Left => Ok(v1::LeaveResponse {}),
            _ => Err(mixed_up()),
        }
    }

    async fn doctor(&self) -> Result<v1::DoctorResponse, Error> {
        match self.handle.ask(Request::Doctor).await? {
            Reply::Checked(checks) => {
                Ok(v1::DoctorResponse { checks: checks.iter().map(reply::check).collect() })
            }
            _ => Err(mixed_up()),
        }
    }

    fn services(&self, wire: &v1::ServicesRequest) -> Result<v1::ServicesResponse, Error> {
        let query = parse::query(&wire.query)?;
        let view = self.handle.view();
        let services = view.services(&query, wire.all).into_iter();
        Ok(v1::ServicesResponse { services: services.map(reply::service).collect() })
    }

    fn resolve(&self, wire: &v1::ResolveRequest) -> Result<v1::ResolveResponse, Error> {
        let view = self.handle.view();
        let service = view.resolve(&wire.name, rand::rng().next_u64())?;
        Ok(v1::ResolveResponse { service: Some(reply::service(service)) })
    }
}

#[tonic::async_trait]
impl v1::control_server::Control for Service {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<v1::WatchResponse, Status>> + Send>>;

    async fn status(&self, _: Call<v1::StatusRequest>) -> Answer<v1::StatusResponse> {
        let mut status = self.handle.view().status();
        status.blobs = self.pantry.blobs.count() as u64;
        let moved = self.pantry.blobs.moved();
        (status.blob_bytes_sent, status.blob_bytes_fetched) = (moved.sent, moved.fetched);
        answer(Ok(reply::status(&status)))
    }

    async fn leader(&self, _: Call<v1::LeaderRequest>) -> Answer<v1::LeaderResponse> {
        let leader = self.handle.view().leader.as_ref().map(reply::leader);
        answer(Ok(v1::LeaderResponse { leader }))
    }

    async fn leader_ping(&self, _: Call<v1::LeaderPingRequest>) -> Answer<v1::LeaderPingResponse> {
        answer(Self::leader_ping(self).await)
    }

    async fn members(&self, _: Call<v1::MembersRequest>) -> Answer<v1::MembersResponse> {
        let members = self.handle.view().members.iter().map(reply::member).collect();
        answer(Ok(v1::MembersResponse { members }))
    }

    async fn register(&self, call: Call<v1::RegisterRequest>) -> Answer<v1::RegisterResponse> {
        answer(Self::register(self, call.into_inner()).await)
    }

    async fn deregister(
        &self,
        call: Call<v1::DeregisterRequest>,
    ) -> Answer<v1::DeregisterResponse> {
        answer(Self::deregister(self, call.into_inner()).await)
    }

    async fn services(&self, call: Call<v1::ServicesRequest>) -> Answer<v1::ServicesResponse> {
        answer(Self::services(self, call.get_ref()))
    }

    async fn resolve(&self, call: Call<v1::ResolveRequest>) -> Answer<v1::ResolveResponse> {
        answer(Self::resolve(self, call.get_ref()))
    }

    async fn watch(&self, call: Call<v1::WatchRequest>) -> Answer<Self::WatchStream> {
        let wire = call.get_ref();
        let query = parse::query(&wire.query).map_err(|err| to_status(&err))?;
        let (views, closing) = (self.handle.view.clone(), self.closing.clone());
        let feed = Feed::new(views, closing, query, wire.all, self.seen.clone());
        answer(Ok(Box::pin(feed.into_stream())))
    }

    async fn forget(&self, call: Call<v1::ForgetRequest>) -> Answer<v1::ForgetResponse> {
        answer(Self::forget(self, call.into_inner()).await)
    }

    async fn leave(&self, _: Call<v1::LeaveRequest>) -> Answer<v1::LeaveResponse> {
        answer(Self::leave(self).await)
    }

    async fn doctor(&self, _: Call<v1::DoctorRequest>) -> Answer<v1::DoctorResponse> {
        answer(Self::doctor(self).await)
    }
}
