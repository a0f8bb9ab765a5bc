use std::io;
use std::net::SocketAddr;

/// Why the network could not be started. Nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process (or another node in this one) listens there.
    #[error("{addr} is in use")]
    AddressInUse {
        /// Where.
        addr: SocketAddr,
    },
    /// The system does not let this node listen there: no such address, or no permission.
    #[error("cannot listen on {addr}")]
    Listen {
        /// Where.
        addr: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A listener did not come up in time.
    #[error("listening on {addr} did not start in time")]
    ListenTimeout {
        /// Where.
        addr: SocketAddr,
    },
    /// A constant of this crate is not accepted by libp2p. A bug, found by any test.
    #[error("the network was set up wrongly: {0}")]
    Setup(String),
}
