//! The client of a node's APIs: plain values and errors, no gRPC type.
//!
//! The command line is built on it, and so are the test network and the benchmarks.

use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crux_crdt::path::Query;
use crux_proto::v1::{self, control_client::ControlClient};
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request as Call, Response, Status as GrpcStatus};

use crate::error::{Error, Fault, Kind, StateChanged};
use crate::op::{self, ANSWER_BYTES_MAX, Effect};
use crate::socket::{Door, path_of};
use crate::wire::from_status;
use dial::{Dialler, Undialled, dial};

mod blobs;
mod dial;
mod services;
mod watch;

pub use blobs::{Get, Got};
pub use services::{Events, Logs};
pub use watch::{Watch, WatchEvent};

/// How much longer the client waits than it tells the node, so that the node's own error arrives.
const SLACK: Duration = Duration::from_millis(250);

/// The most bytes of headers in an answer: an error carries the last lines of a program.
const HEADER_BYTES_MAX: u32 = 64 * 1024;

/// Connections to the node of a data directory, one for each of its sockets. Cheap to clone; clones share the
/// connections. One that broke is made again at the next call.
#[derive(Debug, Clone)]
pub struct Client {
    control: Line,
    picket: Line,
    limit: Duration,
}

/// A connection to one socket.
#[derive(Debug, Clone)]
struct Line {
    channel: Channel,
    /// Whether the node answered a read over this connection.
    answered: Arc<AtomicBool>,
}

impl Line {
    /// Connects at the first call.
    fn lazy(data_dir: &Path, door: Door) -> Self {
        let dialler = Dialler::new(data_dir.to_owned(), door, None);
        let answered = dialler.answered();
        Self { channel: endpoint().connect_with_connector_lazy(dialler), answered }
    }

    async fn connect(data_dir: &Path, door: Door, limit: Duration) -> Result<Self, Error> {
        let dialled = timeout(limit, dial(data_dir, door)).await;
        let late = || unreachable(&Undialled::late(data_dir, door));
        let stream = dialled.map_err(|_| late())?.map_err(|err| unreachable(&err))?;
        let dialler = Dialler::new(data_dir.to_owned(), door, Some(stream));
        let answered = dialler.answered();
        let channel = timeout(limit, endpoint().connect_with_connector(dialler)).await;
        let channel = channel.map_err(|_| late())?.map_err(|err| {
            let cause = io::Error::other(err);
            unreachable(&Undialled { cause, ..Undialled::late(data_dir, door) })
        })?;
        Ok(Self { channel, answered })
    }
}

impl Client {
    /// Connects to the control socket of the node of a data directory. Each call waits at most `limit` for its
    /// answer.
    ///
    /// # Errors
    /// [`Kind::NoNode`] when there is no socket or nobody answers at it, [`Kind::PermissionDenied`]
    /// when this user may not connect.
    pub async fn connect(data_dir: &Path, limit: Duration) -> Result<Self, Error> {
        Self::connect_at(data_dir, Door::Control, limit).await
    }

    /// Connects to one socket of the node of a data directory; to the other one at the first call that goes there.
    ///
    /// # Errors
    /// Those of [`Client::connect`]; [`Kind::PicketAway`] when only the control socket of the two answers.
    pub async fn connect_at(data_dir: &Path, door: Door, limit: Duration) -> Result<Self, Error> {
        let line = Line::connect(data_dir, door, limit).await?;
        let other = Line::lazy(data_dir, door.other());
        Ok(match door {
            Door::Control => Self { control: line, picket: other, limit },
            Door::Picket => Self { control: other, picket: line, limit },
        })
    }

    /// A client of the node of a data directory, whether it runs yet or not. Connects at the first call,
    /// which fails as [`Client::connect_at`] does. Must be called inside a runtime.
    pub fn lazy(data_dir: &Path, limit: Duration) -> Self {
        let line = |door| Line::lazy(data_dir, door);
        Self { control: line(Door::Control), picket: line(Door::Picket), limit }
    }

    fn line(&self, door: Door) -> &Line {
        match door {
            Door::Control => &self.control,
            Door::Picket => &self.picket,
        }
    }

    /// Asks the node for an operation, and waits for its answer.
    ///
    /// # Errors
    /// [`Kind::TimedOut`], [`Kind::NoNode`] when the connection broke, those of [`Client::connect`] when it
    /// could not be made again, and what the node answers: see the operation.
    pub async fn call<O: op::Call>(&self, op: &O) -> Result<O::Answer, Error> {
        let channel = self.line(O::DOOR).channel.clone();
        if O::EFFECT != Effect::Reads {
            self.served(O::DOOR).await?;
        }
        let mut call = Call::new(op.to_wire());
        if O::EFFECT == Effect::Works {
            let answered = O::send(channel, call).await;
            let answered = answered.map_err(|status| failed(O::EFFECT, &status, self.limit))?;
            return O::answer_from_wire(answered.get_ref());
        }
        // The node is told how long this side waits.
        call.set_timeout(self.limit);
        let answered = self.within(O::EFFECT, O::send(channel, call)).await?;
        O::answer_from_wire(&answered)
    }

    /// Waits until the node answered a read over this connection, so that a write is not sent to a node that
    /// takes connections and never serves, as one whose start is refused: what became of the write would be
    /// unknown. It costs one round trip a connection, and its wait has a limit of its own. A connection may
    /// still break after the read: the write itself makes that one again.
    async fn served(&self, door: Door) -> Result<(), Error> {
        let Line { channel, answered } = self.line(door);
        if !answered.load(Ordering::Relaxed) {
            match door {
                Door::Control => self.read(&op::GetStatus, channel).await?,
                Door::Picket => self.read(&op::GetPicket, channel).await?,
            }
            answered.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Asks, and waits for any answer.
    async fn read<O: op::Call>(&self, op: &O, channel: &Channel) -> Result<(), Error> {
        let mut call = Call::new(op.to_wire());
        call.set_timeout(self.limit);
        self.within(Effect::Reads, O::send(channel.clone(), call)).await.map(drop)
    }

    /// A snapshot of the services a query matches, then every change. The limit holds for the first
    /// answer only.
    ///
    /// # Errors
    /// See [`Client::call`].
    pub async fn watch(&self, query: &Query, all: bool) -> Result<Watch, Error> {
        let call = Call::new(v1::WatchRequest { query: query.to_string(), all });
        let stub = ControlClient::new(self.control.channel.clone());
        let mut stub = stub.max_decoding_message_size(ANSWER_BYTES_MAX);
        let stream = self.within(Effect::Reads, stub.watch(call)).await?;
        Ok(Watch::new(stream))
    }

    /// Waits for an answer within the limit.
    async fn within<T>(
        &self,
        effect: Effect,
        call: impl Future<Output = Result<Response<T>, GrpcStatus>>,
    ) -> Result<T, Error> {
        match timeout(self.limit.saturating_add(SLACK), call).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(failed(effect, &status, self.limit)),
            Err(_) => Err(lost(effect, silence(self.limit))),
        }
    }
}

/// The settings of every connection. Nobody resolves its address: there is a socket.
fn endpoint() -> Endpoint {
    // Of a stream that is dropped early more comes, and by default a connection bears that so many
    // times and ends. The node is not a stranger.
    Endpoint::from_static("http://node.crux.invalid")
        .http2_max_local_error_reset_streams(None)
        .http2_max_header_list_size(HEADER_BYTES_MAX)
}

/// The node's words, or what became of the connection and, with it, of the operation.
fn failed(effect: Effect, status: &GrpcStatus, limit: Duration) -> Error {
    if status.details().is_empty() && undialled(status).is_none() {
        lost(effect, transport(status, limit))
    } else {
        told(status, limit)
    }
}

/// The node's words, or what became of the connection.
fn told(status: &GrpcStatus, limit: Duration) -> Error {
    if status.details().is_empty() { transport(status, limit) } else { from_status(status) }
}

/// A status that the node did not put into words: it came from the connection, or from a stranger.
fn transport(status: &GrpcStatus, limit: Duration) -> Error {
    use tonic::Code::{Cancelled, DeadlineExceeded};
    if let Some(undialled) = undialled(status) {
        return unreachable(undialled);
    }
    if matches!(status.code(), Cancelled | DeadlineExceeded) {
        return silence(limit);
    }
    broken(status).unwrap_or_else(|| from_status(status))
}

/// Why no connection could be made, if none could: the node never saw the call.
fn undialled(status: &GrpcStatus) -> Option<&Undialled> {
    let causes = std::iter::successors(std::error::Error::source(status), |err| err.source());
    causes.filter_map(|err| err.downcast_ref()).next()
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
        Effect::Reads if err.kind() == Kind::NoNode => {
            err.with_hint("The node ended, or did not start: its log says why.")
        }
        Effect::Reads => err,
        Effect::Writes | Effect::Works => err
            .with_state(StateChanged::Unknown)
            .with_hint("Look before trying again: the node may have done it."),
    }
}

/// The error for a socket that nobody answers at.
fn unreachable(undialled: &Undialled) -> Error {
    let Undialled { data_dir, door, other, cause } = undialled;
    if let Err(too_long) = path_of(data_dir, *door) {
        return too_long;
    }
    let dir = data_dir.display();
    if cause.kind() == io::ErrorKind::PermissionDenied {
        let message = format!("this user may not talk to the node of {dir}");
        return Error::new(Kind::PermissionDenied, message)
            .with_hint("Run the command as the user that the node runs as, or as root.")
            .with_fault(Fault::Caller);
    }
    let error = match (door, other) {
        (Door::Picket, true) => {
            let message = format!("the node of {dir} runs without a picket, so it runs no services");
            Error::new(Kind::PicketAway, message)
                .with_hint("Start the node without `services = false`.")
        }
        (Door::Control, true) => {
            let message = format!("the fulcrum of the node of {dir} does not run");
            Error::new(Kind::NoNode, message).with_hint(
                "The node's picket starts it again. If that does not help, `events` and the node's log say why.",
            )
        }
        (_, false) => Error::new(Kind::NoNode, format!("no node answers at {dir}")).with_hint(format!(
            "Start a node with `crux-node run --data-dir {dir} …`, or name the data directory of a \
             running one with --data-dir or CRUX_DATA_DIR."
        )),
    };
    error.with_field("data_dir", dir.to_string()).with_field("cause", cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::op::{GetStatus, Leave};

    /// The connection was there and is lost: what changes something may have done it.
    #[test]
    fn what_was_sent_and_not_answered_may_have_been_done() {
        let lost = GrpcStatus::unavailable("the connection ended");
        let state = |effect| failed(effect, &lost, Duration::ZERO).state_changed();
        assert_eq!(state(Effect::Reads), StateChanged::No);
        assert_eq!(state(Effect::Writes), StateChanged::Unknown);
        assert_eq!(state(Effect::Works), StateChanged::Unknown);
    }

    /// Nothing listens in a directory that is not there.
    #[tokio::test]
    async fn a_lazy_client_says_who_does_not_answer_and_what_to_do() {
        let dir = Path::new("/proc/crux-nowhere");
        let limit = Duration::from_secs(9);
        let client = Client::lazy(dir, limit);
        let connected = Client::connect(dir, limit).await.unwrap_err();
        let read = client.call(&GetStatus).await.unwrap_err();
        let write = client.call(&Leave).await.unwrap_err();
        for error in [read, write] {
            assert_eq!(error.kind(), Kind::NoNode);
            assert_eq!(error.to_string(), connected.to_string());
            assert_eq!(error.hint(), connected.hint());
            assert_eq!(error.state_changed(), StateChanged::No, "it was not sent");
        }
    }

    #[tokio::test]
    async fn a_lazy_client_says_that_the_path_is_too_long() {
        let dir = Path::new("/proc").join("x".repeat(200));
        let error = Client::lazy(&dir, Duration::from_secs(9)).call(&Leave).await.unwrap_err();
        assert_eq!(error.kind(), Kind::SocketPathTooLong);
        assert_eq!(error.state_changed(), StateChanged::No);
    }

    /// Nothing was sent to a socket that this user may not connect to.
    #[test]
    fn who_may_not_connect_changed_nothing() {
        let cause = io::ErrorKind::PermissionDenied.into();
        let undialled = Undialled { cause, ..Undialled::late(Path::new("/data"), Door::Control) };
        let status = GrpcStatus::from_error(Box::new(undialled));
        let error = failed(Effect::Writes, &status, Duration::ZERO);
        assert_eq!(
            (error.kind(), error.state_changed()),
            (Kind::PermissionDenied, StateChanged::No)
        );
        assert_eq!(error.fault(), Fault::Caller);
        assert!(error.hint().is_some());
    }
}
