//! A typed client of one node's control socket.

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use crux_proto::v1::control_client::ControlClient;
use crux_proto::v1::{
    Check, DeregisterRequest, DoctorRequest, ForgetRequest, LeaderPingRequest, LeaderPingResponse,
    LeaveRequest, Member, MembersRequest, RegisterRequest, RegisterResponse, ResolveRequest,
    Service, ServicesRequest, StatusRequest, StatusResponse, WatchRequest, WatchResponse,
};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Response, Status, Streaming};

use crate::Error;

/// How long one call may take; a node that is paused must not hold up a look at the others.
const CALL_WITHIN: Duration = Duration::from_secs(5);

/// What to register.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The service name.
    pub service: String,
    /// The revision.
    pub rev: String,
    /// Where it is reached, HOST:PORT.
    pub address: String,
    /// How many other members must have stored it before the call returns.
    pub sync: u32,
}

impl Registration {
    /// A registration in the default horde, until it is deregistered.
    pub fn new(
        service: impl Into<String>,
        rev: impl Into<String>,
        address: impl std::fmt::Display,
    ) -> Self {
        Self { service: service.into(), rev: rev.into(), address: address.to_string(), sync: 0 }
    }
}

/// A client of one node. Cheap to clone; connects at the first call, and again after a restart.
#[derive(Debug, Clone)]
pub struct NodeClient {
    node: String,
    control: ControlClient<Channel>,
}

impl NodeClient {
    /// A client of the node that serves `socket`, whether it runs yet or not.
    ///
    /// Must be called inside a runtime.
    #[must_use]
    pub fn new(node: impl Into<String>, socket: PathBuf) -> Self {
        // The address is never resolved: the connector goes to the socket.
        let channel = Endpoint::from_static("http://control.invalid").connect_with_connector_lazy(
            tower::service_fn(move |_: Uri| {
                let socket = socket.clone();
                async move { UnixStream::connect(socket).await.map(TokioIo::new) }
            }),
        );
        Self { node: node.into(), control: ControlClient::new(channel) }
    }

    /// What the node is and what it sees.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`].
    pub async fn status(&self) -> Result<StatusResponse, Error> {
        let mut control = self.control.clone();
        self.call("Status", control.status(StatusRequest {})).await
    }

    /// Every member the node knows, in any state.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`].
    pub async fn members(&self) -> Result<Vec<Member>, Error> {
        let mut control = self.control.clone();
        Ok(self.call("Members", control.members(MembersRequest {})).await?.members)
    }

    /// The services a query finds, live ones only unless `all`.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`].
    pub async fn services(&self, query: &str, all: bool) -> Result<Vec<Service>, Error> {
        let mut control = self.control.clone();
        let request = ServicesRequest { query: query.to_owned(), all };
        Ok(self.call("Services", control.services(request)).await?.services)
    }

    /// One live instance of a service.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`].
    pub async fn resolve(&self, name: &str) -> Result<Option<Service>, Error> {
        let mut control = self.control.clone();
        let request = ResolveRequest { name: name.to_owned() };
        Ok(self.call("Resolve", control.resolve(request)).await?.service)
    }

    /// Registers a service of this node; returns when it is durable there.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`].
    pub async fn register(&self, what: &Registration) -> Result<RegisterResponse, Error> {
        let mut control = self.control.clone();
        let request = RegisterRequest {
            service: what.service.clone(),
            rev: what.rev.clone(),
            address: what.address.clone(),
            sync: what.sync,
            ..Default::default()
        };
        self.call("Register", control.register(request)).await
    }

    /// Removes a registration of this node; returns when that is durable there.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`].
    pub async fn deregister(&self, service: &str, rev: &str) -> Result<(), Error> {
        let mut control = self.control.clone();
        let request = DeregisterRequest {
            service: service.to_owned(),
            rev: rev.to_owned(),
            ..Default::default()
        };
        self.call("Deregister", control.deregister(request)).await.map(drop)
    }

    /// A snapshot of what the query matches, then every change.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`].
    pub async fn watch(&self, query: &str) -> Result<Streaming<WatchResponse>, Error> {
        let mut control = self.control.clone();
        let request = WatchRequest { query: query.to_owned(), all: false };
        self.call("Watch", control.watch(request)).await
    }

    /// The fenced no-op of the leader.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`].
    pub async fn leader_ping(&self) -> Result<LeaderPingResponse, Error> {
        let mut control = self.control.clone();
        self.call("LeaderPing", control.leader_ping(LeaderPingRequest {})).await
    }

    /// Retires a member that is not coming back.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`].
    pub async fn forget(&self, node: &str) -> Result<(), Error> {
        let mut control = self.control.clone();
        let request = ForgetRequest { node: node.to_owned() };
        self.call("Forget", control.forget(request)).await.map(drop)
    }

    /// Leaves the flock gracefully; the node then stops.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`].
    pub async fn leave(&self) -> Result<(), Error> {
        let mut control = self.control.clone();
        self.call("Leave", control.leave(LeaveRequest {})).await.map(drop)
    }

    /// Checks what commonly goes wrong.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`].
    pub async fn doctor(&self) -> Result<Vec<Check>, Error> {
        let mut control = self.control.clone();
        Ok(self.call("Doctor", control.doctor(DoctorRequest {})).await?.checks)
    }

    /// Bounds a call in time and gives its error the node and the call.
    async fn call<T>(
        &self,
        call: &'static str,
        answer: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Error> {
        let answer = match timeout(CALL_WITHIN, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(Status::deadline_exceeded(format!("no answer in {CALL_WITHIN:?}"))),
        };
        answer.map(Response::into_inner).map_err(|status| Error::Refused {
            node: self.node.clone(),
            call,
            status: Box::new(status),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_node_that_does_not_run_is_refused_by_name_and_call() {
        let home = tempfile::tempdir().expect("a directory");
        let client = NodeClient::new("n7", home.path().join("control.sock"));
        let error = client.status().await.expect_err("nobody listens").to_string();
        assert!(error.contains("n7") && error.contains("Status"), "{error}");
    }
}
