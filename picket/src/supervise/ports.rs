//! Ports for programs.
//!
//! A fixed port is tried, so that an error has the name of the port and not that of a program that ends. A port that
//! is `auto` is the next one of the range that can be listened at. Between the trial and the program's own attempt
//! somebody else may take it; the engine then chooses others.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::ops::RangeInclusive;

use crux_crdt::service::{Port, PortName, Ports};

/// Where ports are chosen from: below the range that outgoing connections use, which by default begins at 32768.
/// From 05.
pub(super) const AUTO: RangeInclusive<u16> = 27_200..=27_999;

/// Hands out ports.
#[derive(Debug)]
pub(super) struct Chooser {
    /// The next one to try.
    next: u16,
}

impl Chooser {
    /// One that begins anywhere in the range: nodes that share a machine are seldom in each other's way then.
    pub(super) fn new(random: u16) -> Self {
        Self { next: AUTO.start() + random % count() }
    }

    /// A number for each port, none of those to avoid. `is_free` says whether it can be listened at.
    ///
    /// # Errors
    /// For people: a fixed port is taken, or none is free.
    pub(super) fn choose(
        &mut self,
        ports: &Ports,
        avoid: &BTreeSet<u16>,
        is_free: impl Fn(u16) -> io::Result<()>,
    ) -> Result<BTreeMap<PortName, u16>, String> {
        let mut chosen = BTreeMap::new();
        let mut used = avoid.clone();
        used.extend(ports.iter().filter_map(|(_, port)| port.number()));
        for (name, port) in ports.iter() {
            let number = match port {
                Port::Number(number) => {
                    is_free(number.get()).map_err(|err| refused(name, number.get(), &err))?;
                    number.get()
                }
                Port::Auto => {
                    let port = self.auto(&used, &is_free).ok_or_else(|| {
                        let (first, last) = (AUTO.start(), AUTO.end());
                        format!("no port from {first} to {last} is free for {name}")
                    })?;
                    used.insert(port);
                    port
                }
            };
            chosen.insert(name.clone(), number);
        }
        Ok(chosen)
    }

    fn auto(
        &mut self,
        used: &BTreeSet<u16>,
        is_free: impl Fn(u16) -> io::Result<()>,
    ) -> Option<u16> {
        (0..count()).find_map(|_| {
            let port = self.next;
            self.next = if port == *AUTO.end() { *AUTO.start() } else { port + 1 };
            (!used.contains(&port) && is_free(port).is_ok()).then_some(port)
        })
    }
}

const fn count() -> u16 {
    *AUTO.end() - *AUTO.start() + 1
}

fn refused(name: &PortName, port: u16, err: &io::Error) -> String {
    match err.kind() {
        io::ErrorKind::AddrInUse => {
            format!("port {port} ({name}) is taken by another program of this machine")
        }
        io::ErrorKind::PermissionDenied => {
            format!("port {port} ({name}): only a program that runs as root may listen there")
        }
        _ => format!("port {port} ({name}): {err}"),
    }
}

/// Whether a port can be listened at: on the node's address, on loopback, and on all addresses, which is how most
/// programs listen.
pub(super) fn probe(addr: IpAddr, port: u16) -> io::Result<()> {
    let mut all = BTreeSet::from([addr, Ipv4Addr::LOCALHOST.into(), Ipv4Addr::UNSPECIFIED.into()]);
    all.retain(|ip| ip.is_ipv4() || addr.is_ipv6());
    all.into_iter().try_for_each(|ip| TcpListener::bind(SocketAddr::new(ip, port)).map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(all: &[(&str, Option<u16>)]) -> Ports {
        let mut ports = Ports::default();
        for (name, number) in all {
            let port = number.and_then(std::num::NonZeroU16::new).map_or(Port::Auto, Port::Number);
            ports.push(name.parse().unwrap(), port).unwrap();
        }
        ports
    }

    #[expect(clippy::unnecessary_wraps, reason = "as a probe answers")]
    const fn free(_: u16) -> io::Result<()> {
        Ok(())
    }

    #[test]
    fn each_auto_port_is_another_one_and_none_of_those_to_avoid() {
        let mut chooser = Chooser::new(count() - 2);
        let avoid = BTreeSet::from([*AUTO.start()]);
        let all = ports(&[("a", None), ("b", Some(27_201)), ("c", None), ("d", None)]);
        let chosen = chooser.choose(&all, &avoid, free).unwrap();
        let chosen: Vec<_> = chosen.into_values().collect();
        assert_eq!(chosen, [27_998, 27_201, 27_999, 27_202], "the range goes round");
        let again = chooser.choose(&ports(&[("a", None)]), &BTreeSet::new(), free).unwrap();
        assert_eq!(again.into_values().next(), Some(27_203), "none is given again at once");
    }

    #[test]
    fn a_port_that_is_taken_is_left_out_or_named() {
        let mut chooser = Chooser::new(0);
        let is_free =
            |port| if port % 2 == 0 { Err(io::ErrorKind::AddrInUse.into()) } else { Ok(()) };
        let chosen =
            chooser.choose(&ports(&[("a", None), ("b", None)]), &BTreeSet::new(), is_free).unwrap();
        assert_eq!(chosen.into_values().collect::<Vec<_>>(), [27_201, 27_203]);
        let why =
            chooser.choose(&ports(&[("web", Some(80))]), &BTreeSet::new(), is_free).unwrap_err();
        assert_eq!(why, "port 80 (web) is taken by another program of this machine");
        let all = AUTO.collect();
        let why = chooser.choose(&ports(&[("a", None)]), &all, free).unwrap_err();
        assert!(why.starts_with("no port from 27200 to 27999 is free"), "{why}");
    }

    #[test]
    fn a_listener_anywhere_on_the_machine_takes_a_port() {
        for at in [Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED] {
            let listener = TcpListener::bind((at, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            let err = probe(Ipv4Addr::UNSPECIFIED.into(), port).unwrap_err();
            assert_eq!(err.kind(), io::ErrorKind::AddrInUse);
            drop(listener);
            probe(Ipv4Addr::LOCALHOST.into(), port).unwrap();
        }
    }
}
