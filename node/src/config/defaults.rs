//! The defaults, in one place, with where each comes from.

use std::net::{Ipv4Addr, SocketAddr};

/// Every address of the machine, so that a container needs no setting. The port is a guess that no
/// well-known service contradicts; 7117 to 7119 are free in the usual lists.
pub(super) const LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 7117);

/// On: it costs a packet now and then, and two nodes on a desk find each other.
pub(super) const MDNS: bool = true;

/// What this project says, and what others warn of.
pub(super) const LOG: &str = "warn,crux_node=info,crux_protocol=info";
