use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use libp2p::{Multiaddr, PeerId};

use super::super::address::socket_addr;

/// Addresses that one host has for itself: an IPv4 address, or the 64 bits of an IPv6 network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    V4(Ipv4Addr),
    V6([u8; 8]),
}

/// What one customer of a provider has: the 48 bits of an IPv6 network that a site is given, with 65,536
/// groups in it. An IPv4 address is one of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Network {
    V4(Ipv4Addr),
    V6([u8; 6]),
}

impl Group {
    pub(crate) const fn network(self) -> Network {
        match self {
            Self::V4(ip) => Network::V4(ip),
            Self::V6([a, b, c, d, e, f, ..]) => Network::V6([a, b, c, d, e, f]),
        }
    }

    pub(crate) fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip),
            IpAddr::V6(ip) => {
                let [a, b, c, d, e, f, g, h, ..] = ip.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }

    /// The first of its addresses.
    pub(crate) fn first(self) -> IpAddr {
        match self {
            Self::V4(ip) => ip.into(),
            Self::V6([a, b, c, d, e, f, g, h]) => {
                [a, b, c, d, e, f, g, h, 0, 0, 0, 0, 0, 0, 0, 0].into()
            }
        }
    }

    /// The group that a connection comes from.
    pub(crate) fn from(addr: &Multiaddr) -> Self {
        socket_addr(addr).map_or(Self::V4(Ipv4Addr::UNSPECIFIED), |addr| Self::of(addr.ip()))
    }
}

/// Where members are: what they state, and where each was seen last. Bounded by the members.
#[derive(Debug, Default)]
pub(crate) struct Familiar {
    own: BTreeSet<Group>,
    stated: BTreeMap<PeerId, BTreeSet<Group>>,
    seen: BTreeMap<PeerId, Group>,
    /// How many of the above name each group.
    count: BTreeMap<Group, usize>,
}

impl Familiar {
    /// Knows where this node itself is: whoever shares its address is as near as a member.
    pub(crate) fn new(own: impl IntoIterator<Item = IpAddr>) -> Self {
        let own = own.into_iter().filter(|ip| !ip.is_unspecified()).map(Group::of).collect();
        Self { own, ..Self::default() }
    }

    pub(crate) fn contains(&self, group: &Group) -> bool {
        self.own.contains(group) || self.count.contains_key(group)
    }

    /// Replaces the addresses that a member states.
    pub(crate) fn state(&mut self, peer: PeerId, ips: impl IntoIterator<Item = IpAddr>) {
        let new: BTreeSet<_> = ips.into_iter().map(Group::of).collect();
        new.iter().for_each(|group| *self.count.entry(*group).or_default() += 1);
        for old in self.stated.remove(&peer).into_iter().flatten() {
            self.forget(old);
        }
        if !new.is_empty() {
            self.stated.insert(peer, new);
        }
    }

    /// Says where a member was seen.
    pub(crate) fn see(&mut self, peer: PeerId, group: Group) {
        *self.count.entry(group).or_default() += 1;
        if let Some(old) = self.seen.insert(peer, group) {
            self.forget(old);
        }
    }

    /// Forgets those who are not members.
    pub(crate) fn retain(&mut self, is_member: impl Fn(&PeerId) -> bool) {
        let stated = self.stated.extract_if(.., |peer, _| !is_member(peer));
        let mut gone: Vec<_> = stated.flat_map(|(_, groups)| groups).collect();
        gone.extend(self.seen.extract_if(.., |peer, _| !is_member(peer)).map(|(_, group)| group));
        gone.into_iter().for_each(|group| self.forget(group));
    }

    fn forget(&mut self, group: Group) {
        if let Some(count) = self.count.get_mut(&group) {
            *count -= 1;
            if *count == 0 {
                self.count.remove(&group);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crux_crdt::Principal;

    use super::super::super::identity::peer_of;
    use super::*;

    fn group(ip: &str) -> Group {
        Group::of(ip.parse().expect("an address"))
    }

    #[test]
    fn an_ipv6_network_is_one_group_and_a_mapped_address_is_ipv4() {
        assert_eq!(group("2001:db8:1:2:3::4"), group("2001:db8:1:2::ffff"));
        assert_ne!(group("2001:db8:1:2::4"), group("2001:db8:1:3::4"));
        assert_eq!(group("::ffff:10.0.0.1"), group("10.0.0.1"));
        assert_ne!(group("10.0.0.1"), group("10.0.0.2"));
    }

    #[test]
    fn a_site_is_one_network_and_an_ipv4_address_another() {
        let network = |ip: &str| group(ip).network();
        assert_eq!(network("2001:db8:1:2::4"), network("2001:db8:1:ffff::9"));
        assert_ne!(network("2001:db8:1::4"), network("2001:db8:2::4"));
        assert_ne!(network("10.0.0.1"), network("10.0.0.2"));
    }

    #[test]
    fn members_are_familiar_where_they_say_and_where_they_were_seen_last() {
        let [a, b] = [1, 2].map(|n| peer_of(&Principal([n; 32])));
        let ip = |n| IpAddr::from([10, 0, 0, n]);
        let mut familiar = Familiar::new([ip(9), Ipv4Addr::UNSPECIFIED.into()]);
        familiar.state(a, [ip(1), ip(2)]);
        familiar.state(b, [ip(2)]);
        familiar.see(b, Group::of(ip(3)));
        familiar.see(b, Group::of(ip(4)));
        let known = |familiar: &Familiar| {
            (0..=9).filter(|n| familiar.contains(&Group::of(ip(*n)))).collect::<Vec<_>>()
        };
        assert_eq!(known(&familiar), [1, 2, 4, 9]);
        familiar.state(a, [ip(5)]);
        assert_eq!(known(&familiar), [2, 4, 5, 9]);
        familiar.retain(|peer| *peer == a);
        assert_eq!(known(&familiar), [5, 9]);
        familiar.retain(|_| false);
        familiar.state(b, []);
        assert_eq!(known(&familiar), [9]);
        assert!(familiar.count.is_empty());
    }
}
