//! The network between hosts. Carries out what [`crux_protocol::link`] asks of an adapter.

mod conn;
mod dial;
mod exchange;
mod gossip;
mod paths;
mod peers;
mod side;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

pub(super) use conn::{Conn, ConnId, Message, Side};
pub(super) use dial::Attempt;
pub(super) use paths::{Cut, Paths, Weather};
pub(super) use side::Socket;

/// Everything between the hosts.
#[derive(Debug, Default)]
pub(super) struct Net {
    pub(super) paths: Paths,
    pub(super) conns: BTreeMap<ConnId, Conn>,
    pub(super) next_conn: u64,
    /// The dials that connections in their handshake answer.
    pub(super) dials: BTreeMap<ConnId, crux_protocol::link::DialId>,
}

const PORT: u16 = 7000;

/// Where a host listens.
pub(super) fn addr_of(host: usize) -> SocketAddr {
    let [.., high, low] = (host + 1).to_be_bytes();
    SocketAddr::new(Ipv4Addr::new(10, 0, high, low).into(), PORT)
}

/// Who listens there, if a host may.
pub(super) fn host_at(addr: SocketAddr, hosts: usize) -> Option<usize> {
    (0..hosts).find(|host| addr_of(*host) == addr)
}
