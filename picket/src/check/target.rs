use std::net::SocketAddr;

use crux_crdt::service::{PortName, Probe};

/// The target of a check, with its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A connection is accepted.
    Tcp(SocketAddr),
    /// `GET` of a path answers 2xx or 3xx.
    Http {
        /// Where.
        at: SocketAddr,
        /// The path, with its query.
        path: String,
    },
    /// `grpc.health.v1` answers SERVING.
    Grpc {
        /// Where.
        at: SocketAddr,
        /// Of this service; empty: of the server.
        service: String,
    },
    /// A command ends with 0.
    Exec(Vec<String>),
}

impl Target {
    /// The target of a probe; none if `address` knows no address for its port.
    pub fn new(probe: &Probe, address: impl Fn(&PortName) -> Option<SocketAddr>) -> Option<Self> {
        Some(match probe {
            Probe::Tcp { port } => Self::Tcp(address(port)?),
            Probe::Http { path, port } => Self::Http { at: address(port)?, path: path.clone() },
            Probe::Grpc { port, service } => {
                Self::Grpc { at: address(port)?, service: service.clone() }
            }
            Probe::Exec { command } => Self::Exec(command.clone()),
        })
    }
}
