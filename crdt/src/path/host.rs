//! Hosts: IPv4, IPv6 or a DNS name.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use super::{HostError, cut};
use crate::name::{Label, NameError};

/// A host, as a caller reaches it. IPv6 is in brackets, without a zone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// `192.0.2.1`
    V4(Ipv4Addr),
    /// `[2001:db8::1]`
    V6(Ipv6Addr),
    /// `ntp.example.org`
    Dns(DnsName),
}

/// A DNS name, lower case, without the final dot: labels of letters, digits, `-` and `_`.
///
/// `_` is not of the rules for hosts. Container networks use it in names all the same.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnsName(String);

impl Host {
    /// The address, where the host is one; `None` for a name.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::V4(ip) => Some(IpAddr::V4(*ip)),
            Self::V6(ip) => Some(IpAddr::V6(*ip)),
            Self::Dns(_) => None,
        }
    }
}

impl DnsName {
    /// The greatest length in bytes, from RFC 1035, in the printed form.
    pub const MAX: usize = 253;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self::V4(ip),
            IpAddr::V6(ip) => Self::V6(ip),
        }
    }
}

impl FromStr for Host {
    type Err = HostError;

    fn from_str(s: &str) -> Result<Self, HostError> {
        if let Some(inner) = s.strip_prefix('[').and_then(|s| s.strip_suffix(']')) {
            let wrong = |_| HostError::Ipv6 { found: cut(inner) };
            return inner.parse().map(Self::V6).map_err(wrong);
        }
        if s.contains([':', '[', ']']) {
            return Err(HostError::Brackets { found: cut(s) });
        }
        match s.parse() {
            Ok(ip) => Ok(Self::V4(ip)),
            Err(_) => s.parse().map(Self::Dns),
        }
    }
}

impl FromStr for DnsName {
    type Err = HostError;

    fn from_str(s: &str) -> Result<Self, HostError> {
        if s.is_empty() {
            return Err(HostError::Empty);
        }
        if s.len() > Self::MAX {
            return Err(HostError::TooLong { len: s.len(), max: Self::MAX });
        }
        let mut last = "";
        for label in s.split('.') {
            let wrong = |source| HostError::Label { label: cut(label), source };
            check_label(label).map_err(wrong)?;
            last = label;
        }
        if last.bytes().all(|b| b.is_ascii_digit()) {
            return Err(HostError::Ipv4 { found: cut(s) });
        }
        Ok(Self(s.to_ascii_lowercase()))
    }
}

/// A label of a DNS name is a [`Label`] once it is lower case and `_` is taken for a letter.
fn check_label(label: &str) -> Result<(), NameError> {
    label.to_ascii_lowercase().replace('_', "u").parse::<Label>().map(drop)
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(ip) => write!(f, "{ip}"),
            Self::V6(ip) => write!(f, "[{ip}]"),
            Self::Dns(name) => write!(f, "{name}"),
        }
    }
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
