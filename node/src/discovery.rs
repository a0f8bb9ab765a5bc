//! Finds nodes of the same flock on the link, by multicast DNS (RFC 6762, RFC 6763).
//!
//! The service type carries a tag derived from the initial secret, so that flocks do not see each
//! other. An outsider on the link learns where nodes are, the first eight digits of their principals
//! and which of them belong together, but not to what flock. What is found is a place to dial, no
//! more: who answers there proves itself like everyone else.

use std::net::SocketAddr;

use crux_crdt::Principal;
use crux_crdt::path::Endpoint;
use data_encoding::HEXLOWER;
use mdns_sd::{ServiceDaemon, ServiceEvent, ServiceInfo};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// A running discovery. Dropping the task stops it.
#[derive(Debug)]
pub struct Discovery {
    /// Keeps it running.
    pub task: Task,
    /// What it found: `HOST:PORT`.
    pub found: mpsc::Receiver<String>,
}

/// Stops the discovery when dropped.
pub struct Task {
    daemon: ServiceDaemon,
    browse: JoinHandle<()>,
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task").finish_non_exhaustive()
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.browse.abort();
        // It ends by itself when the process does; what it says of that is of no use here.
        drop(self.daemon.shutdown());
    }
}

/// Announces this node on the link, and looks for others, under the tag of the flock.
///
/// # Errors
/// The machine has no multicast, or its port 5353 is taken exclusively.
pub fn start(
    tag: &[u8; 16],
    me: Principal,
    addresses: &[Endpoint],
    found: mpsc::Sender<String>,
) -> Result<Task, mdns_sd::Error> {
    // Service names have at most 15 bytes (RFC 6335).
    let tag = HEXLOWER.encode(&tag[..5]);
    let kind = format!("_crux{tag}._tcp.local.");
    let daemon = ServiceDaemon::new()?;
    let instance = me.short();
    for addr in addresses.iter().filter_map(Endpoint::socket_addr) {
        let host = format!("{instance}.local.");
        let none: [(&str, &str); 0] = [];
        let info = ServiceInfo::new(&kind, &instance, &host, addr.ip(), addr.port(), &none[..])?;
        daemon.register(info)?;
    }
    let events = daemon.browse(&kind)?;
    let browse = tokio::spawn(async move {
        while let Ok(event) = events.recv_async().await {
            if let ServiceEvent::ServiceResolved(service) = event {
                for ip in service.get_addresses() {
                    let addr = SocketAddr::new(ip.to_ip_addr(), service.get_port());
                    // When the loop is busy, the next announcement tells it again.
                    drop(found.try_send(addr.to_string()));
                }
            }
        }
    });
    Ok(Task { daemon, browse })
}
