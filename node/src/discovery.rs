//! Finds nodes of the same flock on the link, by multicast DNS (RFC 6762, RFC 6763).
//!
//! The service type carries a tag derived from the initial secret, so that flocks do not see each
//! other. An outsider on the link learns where nodes are, the first eight digits of their principals
//! and which of them belong together, but not to what flock. What is found is a place to dial, no
//! more: who answers there proves itself like everyone else.

use std::future::Future;
use std::net::SocketAddr;

use crux_crdt::Principal;
use crux_crdt::path::Endpoint;
use data_encoding::HEXLOWER;
use mdns_sd::{ServiceDaemon, ServiceEvent, ServiceInfo};
use tokio::sync::mpsc;

/// Stops the library's thread when dropped.
struct Daemon(ServiceDaemon);

impl Drop for Daemon {
    fn drop(&mut self) {
        // It ends by itself when the process does; what it says of that is of no use here.
        drop(self.0.shutdown());
    }
}

/// Announces this node on the link, and looks for others, under the tag of the flock; `found` gets where they
/// are, as `HOST:PORT`. What is returned has to be polled for that. It stops the discovery when dropped, and
/// ends by itself only when the library's thread does.
///
/// # Errors
/// The machine has no multicast, or its port 5353 is taken exclusively.
pub fn start(
    tag: &[u8; 16],
    me: Principal,
    addresses: &[Endpoint],
    found: mpsc::Sender<String>,
) -> Result<impl Future<Output = ()> + Send + 'static, mdns_sd::Error> {
    // Service names have at most 15 bytes (RFC 6335).
    let tag = HEXLOWER.encode(&tag[..5]);
    let kind = format!("_crux{tag}._tcp.local.");
    let daemon = Daemon(ServiceDaemon::new()?);
    let instance = me.short();
    for addr in addresses.iter().filter_map(Endpoint::socket_addr) {
        let host = format!("{instance}.local.");
        let none: [(&str, &str); 0] = [];
        let info = ServiceInfo::new(&kind, &instance, &host, addr.ip(), addr.port(), &none[..])?;
        daemon.0.register(info)?;
    }
    let events = daemon.0.browse(&kind)?;
    Ok(async move {
        let _daemon = daemon;
        while let Ok(event) = events.recv_async().await {
            if let ServiceEvent::ServiceResolved(service) = event {
                for ip in service.get_addresses() {
                    let addr = SocketAddr::new(ip.to_ip_addr(), service.get_port());
                    // When the loop is busy, the next announcement tells it again.
                    drop(found.try_send(addr.to_string()));
                }
            }
        }
    })
}
