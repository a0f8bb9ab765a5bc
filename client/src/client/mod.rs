//! The client of the control API: plain structs and errors, no gRPC type.
//!
//! The CLI is built on it, and so are the test network and the benchmarks.

use std::future::Future;
use std::io;
use std::path::Path;
use std::time::Duration;

use crux_crdt::Principal;
use crux_crdt::path::Query;
use crux_proto::v1::{self, blobs_client::BlobsClient, control_client::ControlClient};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Request as Call, Response, Status as GrpcStatus};

use super::convert::{answer, request};
use super::error::from_status;
use super::socket::path_in;
use crate::error::{Error, Fault, Kind, StateChanged};
use crate::fulcrum::request::{Check, Deregister, LeaderPinged, NodeRef, Register, Registered};
use crate::view::{Leader, Member, Service, Status};

mod blobs;
mod watch;

pub use blobs::{Get, Got};
pub use watch::{Watch, WatchEvent};

/// The longest answer in bytes. A service takes about 300, so this is some 200 000 services.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How much longer the client waits than it tells the node, so that the node's own error arrives.
const SLACK: Duration = Duration::from_millis(250);

/// How long to wait before the socket is dialled again whose queue is full.
const REDIAL: Duration = Duration::from_millis(20);

/// Whether a call may change state: decides what a lost answer means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Reads,
    Writes,
}

/// A connection to the node of a data directory. Cheap to clone; clones share the connection.
#[derive(Debug, Clone)]
pub struct Client {
    inner: ControlClient<Channel>,
    blobs: BlobsClient<Channel>,
    limit: Duration,
}

impl Client {
    /// Connects to the node of a data directory. Each call waits at most `limit` for its answer.
    ///
    /// # Errors
    /// [`Kind::NoNode`] when there is no socket or nobody answers at it, [`Kind::PermissionDenied`]
    /// when this user may not connect.
    pub async fn connect(data_dir: &Path, limit: Duration) -> Result<Self, Error> {
        let path = path_in(data_dir)?;
        let no_node = |err: &io::Error| unreachable(data_dir, err);
        let dialled = timeout(limit, dial(&path)).await;
        let stream = dialled
            .map_err(|_| no_node(&io::ErrorKind::TimedOut.into()))?
            .map_err(|err| no_node(&err))?;
        let mut first = Some(stream);
        let connector = tower::service_fn(move |_: Uri| {
            let (first, path) = (first.take(), path.clone());
            async move {
                let stream = match first {
                    Some(stream) => stream,
                    None => dial(&path).await?,
                };
                io::Result::Ok(TokioIo::new(stream))
            }
        });
        // Of a stream that is dropped early more comes, and by default a connection bears that so
        // many times and ends. The node is no stranger.
        let endpoint = Endpoint::from_static("http://node.crux.invalid")
            .http2_max_local_error_reset_streams(None);
        let channel = timeout(limit, endpoint.connect_with_connector(connector)).await;
        let channel = channel
            .map_err(|_| no_node(&io::ErrorKind::TimedOut.into()))?
            .map_err(|err| no_node(&io::Error::other(err)))?;
        let blobs = BlobsClient::new(channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX);
        let inner = ControlClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX);
        Ok(Self { inner, blobs, limit })
    }

    /// What the node is and what it sees.
    ///
    /// # Errors
    /// As every call: [`Kind::TimedOut`], [`Kind::NoNode`] when the connection broke, and what the
    /// node answers.
    pub async fn status(&self) -> Result<Status, Error> {
        let call = self.call(v1::StatusRequest {});
        let mut inner = self.inner.clone();
        let wire = self.within(Effect::Reads, inner.status(call)).await?;
        answer::status(&wire)
    }

    /// Who leads, from the node's view; `None` when nobody does.
    ///
    /// # Errors
    /// See [`Client::status`].
    pub async fn leader(&self) -> Result<Option<Leader>, Error> {
        let call = self.call(v1::LeaderRequest {});
        let mut inner = self.inner.clone();
        let wire = self.within(Effect::Reads, inner.leader(call)).await?;
        wire.leader.as_ref().map(answer::leader).transpose()
    }

    /// Has every live member store the leader's claim.
    ///
    /// # Errors
    /// See [`Client::status`]; [`Kind::NoLeader`], [`Kind::Fenced`].
    pub async fn leader_ping(&self) -> Result<LeaderPinged, Error> {
        let call = self.call(v1::LeaderPingRequest {});
        let mut inner = self.inner.clone();
        let wire = self.within(Effect::Writes, inner.leader_ping(call)).await?;
        answer::leader_pinged(&wire)
    }

    /// Every member the node knows, in any state.
    ///
    /// # Errors
    /// See [`Client::status`].
    pub async fn members(&self) -> Result<Vec<Member>, Error> {
        let call = self.call(v1::MembersRequest {});
        let mut inner = self.inner.clone();
        let wire = self.within(Effect::Reads, inner.members(call)).await?;
        wire.members.iter().map(answer::member).collect()
    }

    /// Registers a service of the node. Returns when durable.
    ///
    /// # Errors
    /// See [`Client::status`]; [`Kind::LimitReached`], [`Kind::DiskFull`].
    pub async fn register(&self, register: &Register) -> Result<Registered, Error> {
        let call = self.call(request::register_to_wire(register));
        let mut inner = self.inner.clone();
        let wire = self.within(Effect::Writes, inner.register(call)).await?;
        answer::registered(&wire)
    }

    /// Removes a registration of the node. Returns when durable.
    ///
    /// # Errors
    /// See [`Client::status`]; [`Kind::NotFound`].
    pub async fn deregister(&self, deregister: &Deregister) -> Result<(), Error> {
        let call = self.call(request::deregister_to_wire(deregister));
        let mut inner = self.inner.clone();
        self.within(Effect::Writes, inner.deregister(call)).await.map(drop)
    }

    /// The services a query matches, ordered by path; live ones, or with `all` the rest too.
    ///
    /// # Errors
    /// See [`Client::status`].
    pub async fn services(&self, query: &Query, all: bool) -> Result<Vec<Service>, Error> {
        let call = self.call(v1::ServicesRequest { query: query.to_string(), all });
        let mut inner = self.inner.clone();
        let wire = self.within(Effect::Reads, inner.services(call)).await?;
        answer::services(&wire)
    }

    /// Picks one live instance for a generic or actual name, an instance name or a query.
    ///
    /// # Errors
    /// See [`Client::status`]; [`Kind::NotFound`].
    pub async fn resolve(&self, name: &str) -> Result<Service, Error> {
        let call = self.call(v1::ResolveRequest { name: name.to_owned() });
        let mut inner = self.inner.clone();
        let wire = self.within(Effect::Reads, inner.resolve(call)).await?;
        answer::service(&answer::present("service", wire.service)?)
    }

    /// A snapshot of the services a query matches, then every change. The limit holds for the first
    /// answer only.
    ///
    /// # Errors
    /// See [`Client::status`].
    pub async fn watch(&self, query: &Query, all: bool) -> Result<Watch, Error> {
        let call = Call::new(v1::WatchRequest { query: query.to_string(), all });
        let mut inner = self.inner.clone();
        let stream = self.within(Effect::Reads, inner.watch(call)).await?;
        Ok(Watch::new(stream))
    }

    /// Retires a member that is not coming back; returns who it was.
    ///
    /// # Errors
    /// See [`Client::status`]; [`Kind::NotFound`], [`Kind::Refused`] when it is alive.
    pub async fn forget(&self, node: &NodeRef) -> Result<Principal, Error> {
        let call = self.call(v1::ForgetRequest { node: request::node_to_wire(node) });
        let mut inner = self.inner.clone();
        let wire = self.within(Effect::Writes, inner.forget(call)).await?;
        answer::principal(&wire.principal)
    }

    /// Makes the node leave the flock and stop.
    ///
    /// # Errors
    /// See [`Client::status`].
    pub async fn leave(&self) -> Result<(), Error> {
        let call = self.call(v1::LeaveRequest {});
        let mut inner = self.inner.clone();
        self.within(Effect::Writes, inner.leave(call)).await.map(drop)
    }

    /// Checks what commonly goes wrong.
    ///
    /// # Errors
    /// See [`Client::status`].
    pub async fn doctor(&self) -> Result<Vec<Check>, Error> {
        let call = self.call(v1::DoctorRequest {});
        let mut inner = self.inner.clone();
        let wire = self.within(Effect::Reads, inner.doctor(call)).await?;
        wire.checks.iter().map(answer::check).collect()
    }

    /// A call that tells the node how long this side waits.
    fn call<T>(&self, message: T) -> Call<T> {
        let mut call = Call::new(message);
        call.set_timeout(self.limit);
        call
    }

    /// Waits for an answer within the limit.
    async fn within<T>(
        &self,
        effect: Effect,
        call: impl Future<Output = Result<Response<T>, GrpcStatus>>,
    ) -> Result<T, Error> {
        match timeout(self.limit.saturating_add(SLACK), call).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) if status.details().is_empty() => {
                Err(lost(effect, transport(&status, self.limit)))
            }
            Ok(Err(status)) => Err(from_status(&status)),
            Err(_) => Err(lost(effect, silence(self.limit))),
        }
    }
}

/// Connects to the socket. One whose queue is full refuses in a way that means: in a moment.
async fn dial(path: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => tokio::time::sleep(REDIAL).await,
            done => return done,
        }
    }
}

/// A status that the node did not put into words: it came from the connection, or from a stranger.
fn transport(status: &GrpcStatus, limit: Duration) -> Error {
    use tonic::Code::{Cancelled, DeadlineExceeded};
    if matches!(status.code(), Cancelled | DeadlineExceeded) {
        return silence(limit);
    }
    broken(status).unwrap_or_else(|| from_status(status))
}

/// The error for a connection that broke, if that is what the status says: then it has a cause on
/// this side.
fn broken(status: &GrpcStatus) -> Option<Error> {
    let cause = chain(std::error::Error::source(status)?);
    let err = Error::new(Kind::NoNode, format!("the connection to the node broke: {cause}"));
    Some(err.with_field("cause", cause))
}

/// An error and what it came from, down to what the other side said.
fn chain(err: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(err), |err| err.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The answer did not come in time.
fn silence(limit: Duration) -> Error {
    let message = format!("no answer within {} ms", limit.as_millis());
    Error::new(Kind::TimedOut, message)
}

/// After an error that the node did not put into words, a write may or may not have happened.
fn lost(effect: Effect, err: Error) -> Error {
    match effect {
        Effect::Reads => err,
        Effect::Writes => err
            .with_state(StateChanged::Unknown)
            .with_hint("Look before trying again: the node may have done it."),
    }
}

/// The error for a socket that nobody answers at.
fn unreachable(data_dir: &Path, err: &io::Error) -> Error {
    let dir = data_dir.display();
    if err.kind() == io::ErrorKind::PermissionDenied {
        let message = format!("this user may not talk to the node of {dir}");
        return Error::new(Kind::PermissionDenied, message)
            .with_hint("Run the command as the user that the node runs as, or as root.")
            .with_fault(Fault::Caller);
    }
    let hint = format!(
        "Start a node with `crux-node run --data-dir {dir} …`, or name the data directory of a \
         running one with --data-dir or CRUX_DATA_DIR."
    );
    let error = Error::new(Kind::NoNode, format!("no node answers at {dir}")).with_hint(hint);
    error.with_field("data_dir", dir.to_string()).with_field("cause", err.to_string())
}
