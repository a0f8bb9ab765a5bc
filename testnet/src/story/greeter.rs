//! A real gRPC server for the flock to find: the standard health service.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Endpoint, Server};
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::Error;

/// The name it registers and answers under.
const SERVICE: &str = "greeter";

/// A gRPC server on a loopback port of its own; stops when dropped.
#[derive(Debug)]
pub struct Greeter {
    addr: SocketAddr,
    task: JoinHandle<()>,
}

impl Greeter {
    /// Starts serving.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when no port can be had.
    pub async fn start() -> Result<Self, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(Error::io("listen for the greeter"))?;
        let addr = listener.local_addr().map_err(Error::io("ask for the greeter's port"))?;
        let (reporter, health) = tonic_health::server::health_reporter();
        reporter.set_service_status(SERVICE, ServingStatus::Serving).await;
        let server = Server::builder()
            .add_service(health)
            .serve_with_incoming(TcpListenerStream::new(listener));
        let task = tokio::spawn(async move {
            // A failure to serve shows as a failed call.
            server.await.ok();
        });
        Ok(Self { addr, task })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Calls the greeter that a look-up found under this `NetId` and checks that it serves.
    ///
    /// # Errors
    ///
    /// [`Error::Broken`] when the `NetId` has no address or nobody serves there.
    pub async fn call(net_id: &str) -> Result<(), Error> {
        let addr =
            address_of(net_id).ok_or_else(|| Error::Broken(format!("invalid NetId {net_id}")))?;
        let broken = |why: String| Error::Broken(format!("the call to {addr} failed: {why}"));
        let channel = Endpoint::from_shared(format!("http://{addr}"))
            .map_err(|error| broken(error.to_string()))?
            .connect()
            .await
            .map_err(|error| broken(error.to_string()))?;
        let mut client = HealthClient::new(channel);
        let request = HealthCheckRequest { service: SERVICE.to_owned() };
        let answer =
            client.check(request).await.map_err(|status| broken(status.to_string()))?.into_inner();
        match answer.status() {
            tonic_health::pb::health_check_response::ServingStatus::Serving => Ok(()),
            other => Err(broken(format!("it says {}", other.as_str_name()))),
        }
    }
}

impl Drop for Greeter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The `host:port` of `/rev/principal/net/host:port`.
fn address_of(net_id: &str) -> Option<&str> {
    match net_id.splitn(5, '/').collect::<Vec<_>>()[..] {
        ["", _rev, _principal, "net", addr] => Some(addr),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_net_id_is_its_last_part() {
        assert_eq!(address_of("/v1/abc/net/127.0.0.1:80"), Some("127.0.0.1:80"));
        assert_eq!(address_of("/v1/abc/keys/00"), None);
        assert_eq!(address_of("127.0.0.1:80"), None);
    }

    #[tokio::test]
    async fn a_started_greeter_answers_and_a_dropped_one_does_not() {
        let greeter = Greeter::start().await.expect("a port");
        let net_id = format!("/v1/abc/net/{}", greeter.addr());
        Greeter::call(&net_id).await.expect("serves");
        drop(greeter);
        let nobody = Greeter::call("/v1/abc/net/127.0.0.1:1").await;
        assert!(matches!(nobody, Err(Error::Broken(_))));
    }
}
