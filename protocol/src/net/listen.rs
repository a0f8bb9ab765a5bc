//! Listening.

use std::io;
use std::net::{SocketAddr, TcpListener};

use futures::StreamExt;
use libp2p::Swarm;
use libp2p::core::transport::{ListenerId, TransportError};
use libp2p::swarm::SwarmEvent;
use tokio::time::timeout;

use super::address::socket_addr;
use super::behaviour::{Behaviour, BehaviourEvent};
use super::limits::LISTEN_TIMEOUT;
use super::{Error, Transport};

/// A listener that is starting.
struct Starting {
    id: ListenerId,
    addr: SocketAddr,
    told: bool,
}

/// Listens on all addresses. Returns them with their real ports; an unspecified IP stays one.
///
/// What else happens meanwhile (a peer that connects at once) is put into `early`.
pub(super) async fn listen(
    swarm: &mut Swarm<Behaviour>,
    transport: Transport,
    addrs: &[SocketAddr],
    early: &mut Vec<SwarmEvent<BehaviourEvent>>,
) -> Result<Vec<SocketAddr>, Error> {
    if transport == Transport::Tcp {
        for addr in addrs {
            check_free(*addr)?;
        }
    }
    let mut listeners = Vec::new();
    for addr in addrs {
        let id = swarm
            .listen_on(transport.listen_multiaddr(*addr))
            .map_err(|error| failed(*addr, transport, error))?;
        listeners.push(Starting { id, addr: *addr, told: false });
    }
    let told = timeout(LISTEN_TIMEOUT, await_ports(swarm, &mut listeners, early)).await;
    match (told, listeners.iter().find(|listener| !listener.told)) {
        (Err(_), Some(late)) => Err(Error::ListenTimeout { addr: late.addr }),
        _ => Ok(listeners.into_iter().map(|listener| listener.addr).collect()),
    }
}

/// Waits until every listener has told its port.
async fn await_ports(
    swarm: &mut Swarm<Behaviour>,
    listeners: &mut [Starting],
    early: &mut Vec<SwarmEvent<BehaviourEvent>>,
) {
    while listeners.iter().any(|listener| !listener.told) {
        match swarm.select_next_some().await {
            SwarmEvent::NewListenAddr { listener_id, address } => {
                let mut starting = listeners.iter_mut();
                let listener = starting.find(|listener| listener.id == listener_id);
                if let (Some(listener), Some(real)) = (listener, socket_addr(&address)) {
                    listener.addr.set_port(real.port());
                    listener.told = true;
                }
            }
            other => early.push(other),
        }
    }
}

/// Fails if somebody listens on an address.
///
/// libp2p sets `SO_REUSEPORT` on its listeners, with which two processes of one user share a port
/// and each gets half of the connections. A plain listener does not bind to such a port.
fn check_free(addr: SocketAddr) -> Result<(), Error> {
    match TcpListener::bind(addr) {
        Ok(_) => Ok(()),
        Err(source) => Err(of_io(addr, source)),
    }
}

fn of_io(addr: SocketAddr, source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::AddrInUse => Error::AddressInUse { addr },
        _ => Error::Listen { addr, source },
    }
}

fn failed(addr: SocketAddr, transport: Transport, error: TransportError<io::Error>) -> Error {
    match (error, transport) {
        // It has no other reason to fail.
        (_, Transport::Memory) => Error::AddressInUse { addr },
        (TransportError::Other(source), Transport::Tcp) => of_io(addr, source),
        (error, Transport::Tcp) => {
            Error::Listen { addr, source: io::Error::other(error.to_string()) }
        }
    }
}
