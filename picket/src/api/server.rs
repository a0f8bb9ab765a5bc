use std::future::Future;
use std::time::Duration;

use crux_client::op::SERVICES_REQUEST_BYTES_MAX as REQUEST_BYTES_MAX;
use crux_client::{Error, Kind};
use crux_proto::v1::services_server::ServicesServer;
use tokio::sync::watch;
use tonic::transport::Server;

use super::service::Service;
use crate::supervise::health::Health;
use crux_client::door::{Calls, STREAMS_MAX, Seats, Socket};

/// How long calls under way may take after the signal to stop; longer would only delay the end.
const GRACE: Duration = Duration::from_millis(500);

/// Serves until `shutdown` resolves. Then closes silent connections, ends the streams, finishes the calls under way for
/// at most half a second, and removes the socket.
///
/// # Errors
/// [`Kind::Internal`] when the server cannot be built or ends by itself.
pub(crate) async fn serve(
    socket: Socket,
    mut service: Service,
    health: Health,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let (close, closing) = watch::channel(false);
    service.closing = closing.clone();
    let internal = |err: &dyn std::error::Error| {
        Error::new(Kind::Internal, err.to_string()).augment("the picket's API")
    };
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(crux_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(crux_client::health::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|err| internal(&err))?;
    let services = ServicesServer::new(service).max_decoding_message_size(REQUEST_BYTES_MAX);
    let seats = Seats::new(socket.limits.connections);
    let server = Server::builder()
        .max_concurrent_streams(STREAMS_MAX)
        // As for the control API: a call that is refused early does not end the connection.
        .http2_max_local_error_reset_streams(None)
        .layer(Calls::new(socket.limits, REQUEST_BYTES_MAX))
        .add_service(crux_client::health::server(health))
        .add_service(reflection)
        .add_service(services)
        .serve_with_incoming_shutdown(socket.incoming(seats.clone()), closed(closing));
    tokio::pin!(server);
    tokio::select! {
        ended = &mut server => return ended.map_err(|err| internal(&err)),
        () = shutdown => {}
    }
    close.send_replace(true);
    seats.close_silent();
    match tokio::time::timeout(GRACE, server).await {
        Ok(ended) => ended.map_err(|err| internal(&err)),
        Err(_) => Ok(()),
    }
}

/// Resolves when the server is to stop.
pub(super) async fn closed(mut closing: watch::Receiver<bool>) {
    while !*closing.borrow_and_update() {
        if closing.changed().await.is_err() {
            return;
        }
    }
}
