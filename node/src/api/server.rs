//! Serves Control, health and reflection until told to stop.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crux_client::door::{Calls, STREAMS_MAX, Seats, Socket};
use crux_client::op::{PUT_BYTES_MAX, PUT_DOCUMENTS_MAX};
use crux_proto::v1::blobs_server::BlobsServer;
use crux_proto::v1::control_server::ControlServer;
use crux_proto::v1::documents_server::DocumentsServer;
use crux_proto::v1::proctor_server::ProctorServer;
use tokio::sync::watch;
use tonic::transport::Server;

use super::feed::Seen;
use super::health::NodeHealth;
use super::service::Service;
use super::{blobs, documents, proctor};
use crate::blobs::want::Pantry;
use crate::error::{Error, Kind};
use crate::fulcrum::Handle;
use crate::fulcrum::health::Stated;
use crate::view::Enacted;

/// How long calls under way may take after the signal to stop. `leave` answers within it; longer
/// would only delay the end.
const GRACE: Duration = Duration::from_secs(2);

/// The longest request in bytes: names and addresses are short.
const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// The longest part of a put, in bytes: a chunk of 1 MiB, and some.
const PART_BYTES_MAX: usize = 1024 * 1024 + 64 * 1024;

/// The longest put of documents, in bytes: as many as a client hands in, and some for each.
const BULK_BYTES_MAX: usize = PUT_BYTES_MAX + PUT_DOCUMENTS_MAX * 8 + REQUEST_BYTES_MAX;

/// The state that other parts of the node show, beside the fulcrum.
#[derive(Debug, Clone)]
pub struct Shows {
    /// How services say that they are.
    pub stated: watch::Receiver<Stated>,
    /// The goals of this node, and what is there of them.
    pub enacted: watch::Receiver<Arc<Enacted>>,
}

/// Serves the control API on a socket, from the moment that the node shows itself, until `shutdown` resolves; health says *serving* of the blobs
/// once `ready` does, and of services what was `stated` of them. Then says *not serving*, closes silent connections, ends the streams, finishes the
/// calls under way for at most two seconds, and removes the socket.
///
/// # Errors
/// [`Kind::Internal`] when the server cannot be built or ends by itself.
pub async fn serve(
    socket: Socket,
    handle: Handle,
    pantry: Pantry,
    shows: Shows,
    ready: impl Future<Output = ()> + Send,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let Shows { stated, enacted } = shows;
    // Those that are connected wait.
    handle.shown().await;
    let (close, closing) = watch::channel(false);
    let (preload, preloaded) = watch::channel(false);
    let views = handle.view.clone();
    let health = NodeHealth { views, stated, preloaded, closing: closing.clone() };
    let health = crux_client::health::server(health);
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(crux_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(crux_client::health::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|err| internal("building the reflection service", &err))?;
    let (view, of_blobs) = (handle.view.clone(), pantry.clone());
    let blobs = blobs::Service { pantry: of_blobs, view, closing: closing.clone() };
    let blobs = BlobsServer::new(blobs).max_decoding_message_size(PART_BYTES_MAX);
    let documents = documents::Service { handle: handle.clone() };
    let proctor = proctor::Service { documents: documents.clone(), enacted };
    let proctor = ProctorServer::new(proctor).max_decoding_message_size(BULK_BYTES_MAX);
    let documents = DocumentsServer::new(documents).max_decoding_message_size(BULK_BYTES_MAX);
    let seen = Seen::default();
    let service = Service { handle, pantry, seen, closing: closing.clone() };
    let control = ControlServer::new(service).max_decoding_message_size(REQUEST_BYTES_MAX);
    let seats = Seats::new(socket.limits.connections);
    let calls = Calls::new(socket.limits, REQUEST_BYTES_MAX).with_bulk(BULK_BYTES_MAX);
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
        .add_service(documents)
        .add_service(proctor)
        .serve_with_incoming_shutdown(socket.incoming(seats.clone()), closed(closing));
    tokio::pin!(server);
    let announced = async {
        ready.await;
        preload.send_replace(true);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = announced => {}
        ended = &mut server => return ended.map_err(|err| internal("serving", &err)),
        () = shutdown => {}
    }
    close.send_replace(true);
    seats.close_silent();
    match tokio::time::timeout(GRACE, server).await {
        Ok(ended) => ended.map_err(|err| internal("serving", &err)),
        Err(_) => Ok(()),
    }
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
