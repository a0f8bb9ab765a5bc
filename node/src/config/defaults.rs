//! The defaults, in one place, with where each comes from.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Every address of the machine, so that a container needs no setting. The port is a guess that no
/// well-known service contradicts; 7117 to 7119 are free in the usual lists.
pub(super) const LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 7117);

/// Lines of this project, and warnings of others; but for two libraries that warn of what happens in every
/// start. Gossipsub does of a message that came from a peer and was about to be published here, too, and
/// yamux of a connection that the peer closed first, as one of two that dialled each other.
pub(super) const LOG: &str =
    "warn,crux_node=info,crux_protocol=info,libp2p_gossipsub=error,yamux=error";

/// Below the 10 s after which `docker stop` kills a container.
pub(super) const STOP_TIMEOUT: Duration = Duration::from_secs(8);
