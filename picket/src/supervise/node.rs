//! The picket's knowledge of its node, also while the fulcrum is away.

use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::Path;

use crux_crdt::path::Endpoint;

use crate::crash::Write;
use crate::durable::{self, Sync};
use crate::link::Ready;

/// The largest file that is read. A node's description of itself has a few names and eight addresses.
const BYTES_MAX: u64 = 64 << 10;

/// The node as it described itself last, in a file, because services start before the fulcrum says it again.
#[derive(Debug, Default)]
pub(super) struct Node {
    ready: Option<Ready>,
    /// Where programs listen; found out with each description.
    addr: Option<IpAddr>,
}

impl Node {
    /// As it was kept; empty if it never was, or is damaged: the fulcrum says it again.
    pub(super) fn read(path: &Path) -> Self {
        use io::Read as _;
        let mut bytes = Vec::new();
        let read =
            std::fs::File::open(path).and_then(|file| file.take(BYTES_MAX).read_to_end(&mut bytes));
        let ready = read.ok().and_then(|_| serde_json::from_slice(&bytes).ok());
        let mut node = Self::default();
        if let Some(ready) = ready {
            node.set(ready);
        }
        node
    }

    /// Keeps it. Waits for the disk.
    pub(super) fn write(path: &Path, ready: &Ready) -> io::Result<()> {
        durable::write(Write::Node, path, &serde_json::to_vec(ready)?, Sync::Disk)
    }

    /// It described itself. Whether that is new.
    pub(super) fn set(&mut self, ready: Ready) -> bool {
        self.addr = Some(address(&ready.addresses, can_listen));
        let is_new = self.ready.as_ref() != Some(&ready);
        self.ready = Some(ready);
        is_new
    }

    /// Its last description of itself.
    pub(super) const fn ready(&self) -> Option<&Ready> {
        self.ready.as_ref()
    }

    /// The address at which programs listen.
    pub(super) fn addr(&self) -> IpAddr {
        self.addr.unwrap_or(Ipv4Addr::UNSPECIFIED.into())
    }

    /// The address at which programs are checked.
    pub(super) fn checked_at(&self) -> IpAddr {
        let addr = self.addr();
        if addr.is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { addr }
    }

    /// Where others reach a port of this node; none while the node never said where it is, or for port 0.
    pub(super) fn endpoint(&self, port: u16) -> Option<Endpoint> {
        let host = self.ready.as_ref()?.addresses.first()?.host.clone();
        Some(Endpoint { host, port: std::num::NonZeroU16::new(port)? })
    }
}

/// Where programs listen: at the first address of the node that is one of this machine, so that they are reached
/// where they are registered; else at all, as behind a translation of addresses.
fn address(addresses: &[Endpoint], can_listen: impl Fn(IpAddr) -> bool) -> IpAddr {
    let ips = addresses.iter().filter_map(|address| address.host.ip());
    let mut ips = ips.filter(|ip| can_listen(*ip));
    ips.next().unwrap_or(Ipv4Addr::UNSPECIFIED.into())
}

fn can_listen(ip: IpAddr) -> bool {
    TcpListener::bind((ip, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::super::testing::ready;
    use super::*;

    #[test]
    fn programs_listen_where_the_node_is_reached_if_that_is_here() {
        let all: Vec<Endpoint> = ["n1.example:1", "203.0.113.7:2", "127.0.0.1:3"]
            .iter()
            .map(|it| it.parse().unwrap())
            .collect();
        assert_eq!(address(&all, |ip| ip.is_loopback()), Ipv4Addr::LOCALHOST);
        assert_eq!(address(&all, |_| true), Ipv4Addr::new(203, 0, 113, 7));
        assert_eq!(address(&all, |_| false), Ipv4Addr::UNSPECIFIED);
        assert!(
            can_listen(Ipv4Addr::LOCALHOST.into())
                && !can_listen(Ipv4Addr::new(203, 0, 113, 7).into())
        );
    }

    #[test]
    fn what_it_said_reads_back_and_damage_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.json");
        assert!(Node::read(&path).ready().is_none());
        Node::write(&path, &ready()).unwrap();
        let node = Node::read(&path);
        assert_eq!(node.ready(), Some(&ready()));
        assert_eq!(node.endpoint(80).unwrap().to_string(), "127.0.0.1:80");
        assert_eq!(node.checked_at(), Ipv4Addr::LOCALHOST);
        std::fs::write(&path, "{").unwrap();
        assert!(Node::read(&path).ready().is_none());
    }
}
