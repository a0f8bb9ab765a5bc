//! Checks by `grpc.health.v1`.

use std::net::SocketAddr;

use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::outcome::Tried;

/// How large an answer may be. It has one number in it.
const ANSWER_BYTES_MAX: usize = 4096;
/// How large its header may be.
const HEADER_BYTES_MAX: u32 = 16 * 1024;

pub(super) async fn check(at: SocketAddr, service: &str) -> Tried {
    let endpoint = Endpoint::from_shared(format!("http://{at}")).map_err(|err| err.to_string())?;
    let endpoint = endpoint.http2_max_header_list_size(HEADER_BYTES_MAX);
    let channel =
        endpoint.connect().await.map_err(|err| format!("no connection: {}", innermost(&err)))?;
    let mut client = HealthClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX);
    let request = HealthCheckRequest { service: service.to_owned() };
    let answer = client
        .check(request)
        .await
        .map_err(|status| format!("gRPC {:?}: {}", status.code(), status.message()))?;
    match answer.into_inner().status() {
        ServingStatus::Serving => Ok("SERVING".to_owned()),
        other => Err(other.as_str_name().to_owned().into()),
    }
}

/// The error that has the reason.
fn innermost(err: &dyn std::error::Error) -> String {
    let mut inner = err;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
