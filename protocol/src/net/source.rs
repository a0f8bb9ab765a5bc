//! TCP that dials from where the node listens.
//!
//! A sponsor calls a joiner back only at the IP it is seen from, so a machine with several addresses
//! should be seen from the one that its node was given. libp2p leaves the choice to the system, which
//! looks at nothing but the way to the peer.
//!
//! **Invariant**: this only ever narrows a choice. Where the node listens at no single IP of the peer's
//! kind (same family, loopback or not), or that IP is not to be had, the system chooses as before.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::tcp::tokio::{TcpStream, Transport as Tcp};
use libp2p::{Multiaddr, Transport};
use tokio::net::TcpSocket;

use super::address::socket_addr;

/// TCP that dials from the IPs that the node listens at.
pub(super) struct FromHere {
    tcp: Tcp,
    here: Vec<IpAddr>,
}

impl FromHere {
    pub(super) fn new(tcp: Tcp, listen: &[SocketAddr]) -> Self {
        let here: Vec<_> = listen.iter().map(SocketAddr::ip).collect();
        Self { tcp, here }
    }
}

/// Which of the IPs to dial from; `None` leaves it to the system.
fn source(here: &[IpAddr], to: IpAddr) -> Option<IpAddr> {
    let mut alike = here.iter().filter(|ip| {
        !ip.is_unspecified() && ip.is_ipv4() == to.is_ipv4() && ip.is_loopback() == to.is_loopback()
    });
    match (alike.next(), alike.next()) {
        (Some(only), None) => Some(*only),
        _ => None,
    }
}

/// A socket that will dial from the IP, at any port.
fn socket_at(ip: IpAddr) -> io::Result<TcpSocket> {
    let socket = if ip.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_nodelay(true)?;
    socket.bind((ip, 0).into())?;
    Ok(socket)
}

impl Transport for FromHere {
    type Output = TcpStream;
    type Error = io::Error;
    type ListenerUpgrade = <Tcp as Transport>::ListenerUpgrade;
    type Dial = BoxFuture<'static, io::Result<TcpStream>>;

    fn listen_on(
        &mut self,
        id: ListenerId,
        addr: Multiaddr,
    ) -> Result<(), TransportError<io::Error>> {
        self.tcp.listen_on(id, addr)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.tcp.remove_listener(id)
    }

    fn dial(
        &mut self,
        addr: Multiaddr,
        opts: DialOpts,
    ) -> Result<Self::Dial, TransportError<io::Error>> {
        let to = socket_addr(&addr).filter(|to| to.port() != 0 && !to.ip().is_unspecified());
        let from = to.and_then(|to| source(&self.here, to.ip()));
        match (to, from.map(socket_at)) {
            (Some(to), Some(Ok(socket))) => {
                Ok(async move { socket.connect(to).await.map(TcpStream) }.boxed())
            }
            _ => self.tcp.dial(addr, opts),
        }
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        Pin::new(&mut self.tcp).poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn the_only_ip_of_the_kind_is_the_source() {
        let here = [ip("127.0.0.11"), ip("10.0.0.5"), ip("::1")];
        assert_eq!(source(&here, ip("127.0.0.12")), Some(ip("127.0.0.11")));
        assert_eq!(source(&here, ip("192.0.2.1")), Some(ip("10.0.0.5")));
        assert_eq!(source(&here, ip("::1")), Some(ip("::1")));
        assert_eq!(source(&here, ip("2001:db8::1")), None);
    }

    #[test]
    fn where_there_is_a_choice_the_system_makes_it() {
        assert_eq!(source(&[ip("0.0.0.0")], ip("10.0.0.1")), None);
        assert_eq!(source(&[ip("10.0.0.5"), ip("10.1.0.5")], ip("10.1.0.9")), None);
        assert_eq!(source(&[ip("127.0.0.1")], ip("10.0.0.1")), None);
        assert_eq!(source(&[], ip("10.0.0.1")), None);
    }
}
