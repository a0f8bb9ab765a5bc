//! Serves Control, health and reflection until told to stop.

use std::future::Future;
use std::time::Duration;

use crux_proto::v1::blobs_server::BlobsServer;
use crux_proto::v1::control_server::ControlServer;
use tokio::sync::watch;
use tonic::transport::Server;
use tonic_health::ServingStatus;

use super::blobs;
use super::calls::Calls;
use super::feed::Seen;
use super::limits::{REQUEST_BYTES_MAX, STREAMS_MAX};
use super::seats::Seats;
use super::service::Service;
use super::socket::Socket;
use crate::blobs::want::Pantry;
use crate::error::{Error, Kind};
use crate::fulcrum::Handle;

/// How long calls under way may take after the signal to stop. `leave` answers within it; longer
/// would only delay the end.
const GRACE: Duration = Duration::from_secs(2);

/// How long a node that starts may take until it shows itself among the members. One write to the disk, mostly;
/// where that fails, as on a full disk, commands have to be answered all the same.
const SHOWN_WITHIN: Duration = Duration::from_secs(1);

/// The longest part of a put, in bytes: a chunk of 1 MiB, and some.
const PART_BYTES_MAX: usize = 1024 * 1024 + 64 * 1024;

/// Serves the control API on a socket, from the moment that the node shows itself, until `shutdown` resolves; health says *serving* of the blobs
/// once `ready` does. Then says *not serving*, closes silent connections, ends the streams, finishes the
/// calls under way for at most two seconds, and removes the socket.
///
/// # Errors
/// [`Kind::Internal`] when the server cannot be built or ends by itself.
pub async fn serve(
    socket: Socket,
    handle: Handle,
    pantry: Pantry,
    ready: impl Future<Output = ()> + Send,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    shown(&handle).await;
    let (close, closing) = watch::channel(false);
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<ControlServer<Service>>().await;
    reporter.set_not_serving::<BlobsServer<blobs::Service>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(crux_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|err| internal("building the reflection service", &err))?;
    let (view, of_blobs) = (handle.view.clone(), pantry.clone());
    let blobs = blobs::Service { pantry: of_blobs, view, closing: closing.clone() };
    let blobs = BlobsServer::new(blobs).max_decoding_message_size(PART_BYTES_MAX);
    let seen = Seen::default();
    let service = Service { handle, pantry, seen, closing: closing.clone() };
    let control = ControlServer::new(service).max_decoding_message_size(REQUEST_BYTES_MAX);
    let seats = Seats::new(socket.limits.connections);
    let calls = Calls::new(socket.limits);
    let server = Server::builder()
        .max_concurrent_streams(STREAMS_MAX)
        // Of a call that is refused early more comes, and by default a connection bears that so many
        // times and ends. Only this user and root can connect.
        .http2_max_local_error_reset_streams(None)
        .layer(calls)
        .add_service(health)
        .add_service(reflection)
        .add_service(control)
        .add_service(blobs)
        .serve_with_incoming_shutdown(socket.incoming(seats.clone()), closed(closing));
    tokio::pin!(server);
    let announced = async {
        ready.await;
        reporter.set_serving::<BlobsServer<blobs::Service>>().await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = announced => {}
        ended = &mut server => return ended.map_err(|err| internal("serving", &err)),
        () = shutdown => {}
    }
    reporter.set_service_status("", ServingStatus::NotServing).await;
    reporter.set_not_serving::<ControlServer<Service>>().await;
    reporter.set_not_serving::<BlobsServer<blobs::Service>>().await;
    close.send_replace(true);
    seats.close_silent();
    match tokio::time::timeout(GRACE, server).await {
        Ok(ended) => ended.map_err(|err| internal("serving", &err)),
        Err(_) => Ok(()),
    }
}

/// Resolves when the node shows itself, or does not within [`SHOWN_WITHIN`]. A command right after the start would
/// otherwise hear of a flock of none. Those that are connected wait.
async fn shown(handle: &Handle) {
    let mut views = handle.view.clone();
    let shown = views.wait_for(|view| view.members.iter().any(|it| it.principal == view.principal));
    drop(tokio::time::timeout(SHOWN_WITHIN, shown).await);
}

/// Resolves when the server is to stop.
async fn closed(mut closing: watch::Receiver<bool>) {
    while !*closing.borrow_and_update() {
        if closing.changed().await.is_err() {
            return;
        }
    }
}

fn internal(doing: &str, err: &dyn std::error::Error) -> Error {
    Error::new(Kind::Internal, err.to_string()).augment(doing).augment("the control API")
}
