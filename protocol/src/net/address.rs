//! Socket addresses as libp2p writes them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

use super::Transport;

/// Stands in for port 0 on the memory transport, which is one per process.
static NEXT_MEMORY_PORT: AtomicU16 = AtomicU16::new(1);

impl Transport {
    /// Returns the address in libp2p's notation.
    ///
    /// The memory transport has 64-bit ports, into which an IPv4 address and its port fit.
    pub(super) fn multiaddr(self, addr: SocketAddr) -> Multiaddr {
        match self {
            Self::Tcp => Multiaddr::empty().with(addr.ip().into()).with(Protocol::Tcp(addr.port())),
            Self::Memory => {
                let ip = match addr.ip() {
                    IpAddr::V4(ip) => ip.to_bits(),
                    IpAddr::V6(_) => 0,
                };
                let port = u64::from(ip) << 16 | u64::from(addr.port());
                Multiaddr::empty().with(Protocol::Memory(port))
            }
        }
    }

    /// Returns an address to listen on, in which a memory port 0 is replaced by a free one.
    pub(super) fn listen_multiaddr(self, mut addr: SocketAddr) -> Multiaddr {
        if self == Self::Memory && addr.port() == 0 {
            addr.set_port(NEXT_MEMORY_PORT.fetch_add(1, Ordering::Relaxed));
        }
        self.multiaddr(addr)
    }
}

/// Returns the socket address that a `Multiaddr` begins with, if it is one of ours.
pub(super) fn socket_addr(addr: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = addr.iter();
    let ip = match parts.next()? {
        Protocol::Ip4(ip) => IpAddr::V4(ip),
        Protocol::Ip6(ip) => IpAddr::V6(ip),
        Protocol::Memory(port) => {
            let [_, _, a, b, c, d, high, low] = port.to_be_bytes();
            let ip = Ipv4Addr::new(a, b, c, d);
            return Some((ip, u16::from_be_bytes([high, low])).into());
        }
        _ => return None,
    };
    match parts.next()? {
        Protocol::Tcp(port) => Some((ip, port).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_round_trip() {
        for addr in ["127.0.0.1:4001", "[::1]:1", "0.0.0.0:65535"] {
            let addr: SocketAddr = addr.parse().expect("an address");
            assert_eq!(socket_addr(&Transport::Tcp.multiaddr(addr)), Some(addr));
        }
        let addr = SocketAddr::from(([10, 1, 2, 3], 700));
        assert_eq!(socket_addr(&Transport::Memory.multiaddr(addr)), Some(addr));
    }

    #[test]
    fn other_addresses_are_none_of_ours() {
        for addr in ["/dns4/localhost/tcp/1", "/ip4/1.2.3.4/udp/1/quic-v1", "/ip4/1.2.3.4"] {
            assert_eq!(socket_addr(&addr.parse().expect("a multiaddr")), None);
        }
    }
}
