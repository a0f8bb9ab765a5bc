//! The network between hosts. Carries out what [`crux_protocol::link`] asks of an adapter.

mod conn;
mod conns;
mod dial;
mod exchange;
mod gossip;
mod mesh;
mod paths;
mod peers;
mod seen;
mod side;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use crux_crdt::Digest;

use conn::{Conn, RumourId};
pub(super) use conn::{ConnId, Message, Side};
pub(super) use conns::Conns;
pub(super) use dial::Attempt;
pub(super) use paths::Paths;
pub(super) use side::Socket;

/// Everything between the hosts.
#[derive(Debug, Default)]
pub(super) struct Net {
    pub(super) paths: Paths,
    pub(super) conns: Conns,
    /// The dials that connections in their handshake answer.
    pub(super) dials: BTreeMap<ConnId, crux_protocol::link::DialId>,
    /// The numbers of all gossip messages there were, by their contents.
    rumours: BTreeMap<Digest, RumourId>,
}

const PORT: u16 = 7000;

/// Where a host listens.
pub(super) fn addr_of(host: usize) -> SocketAddr {
    let [.., high, low] = (host + 1).to_be_bytes();
    SocketAddr::new(Ipv4Addr::new(10, 0, high, low).into(), PORT)
}

/// The host that listens there, if any.
pub(super) fn host_at(addr: SocketAddr, hosts: usize) -> Option<usize> {
    let std::net::IpAddr::V4(ip) = addr.ip() else { return None };
    let [_, _, high, low] = ip.octets();
    let host = usize::from(u16::from_be_bytes([high, low])).checked_sub(1)?;
    (host < hosts && addr_of(host) == addr).then_some(host)
}
