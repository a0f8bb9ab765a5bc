//! `host:port`.

use core::fmt;
use core::net::SocketAddr;
use core::num::NonZeroU16;
use core::str::FromStr;

use super::{EndpointError, Host, cut};

/// Where something is reached: `host:port`, with a port from 1 to 65535.
///
/// The **last** colon splits host and port. The host stays as it was given; a DNS name is resolved
/// by who dials, each time anew.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The host.
    pub host: Host,
    /// The port.
    pub port: NonZeroU16,
}

impl Endpoint {
    /// The socket address, where the host is an address; `None` for a name.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        self.host.ip().map(|ip| SocketAddr::new(ip, self.port.get()))
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(s: &str) -> Result<Self, EndpointError> {
        let no_port = || EndpointError::NoPort { found: cut(s) };
        let (host, port) = s.rsplit_once(':').ok_or_else(no_port)?;
        if port.ends_with(']') {
            return Err(no_port());
        }
        Ok(Self { port: parse_port(port)?, host: host.parse()? })
    }
}

/// Digits only, and no leading zero: a sign or `080` is a slip and not a port.
fn parse_port(s: &str) -> Result<NonZeroU16, EndpointError> {
    let digits = s.starts_with(|c: char| ('1'..='9').contains(&c));
    let wrong = || EndpointError::Port { found: cut(s) };
    s.parse().ok().filter(|_| digits).ok_or_else(wrong)
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Refused where the port is 0: that is no place to reach.
impl TryFrom<SocketAddr> for Endpoint {
    type Error = EndpointError;

    fn try_from(addr: SocketAddr) -> Result<Self, EndpointError> {
        let port = NonZeroU16::new(addr.port());
        let port = port.ok_or_else(|| EndpointError::Port { found: "0".to_owned() })?;
        Ok(Self { host: addr.ip().into(), port })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use core::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;
    use crate::path::HostError;

    pub(in crate::path) fn endpoints() -> impl Strategy<Value = Endpoint> {
        let host = prop_oneof![
            any::<u32>().prop_map(|ip| Host::V4(Ipv4Addr::from(ip))),
            any::<u128>().prop_map(|ip| Host::V6(Ipv6Addr::from(ip))),
            "([a-z0-9]([a-z0-9_-]{0,9}[a-z0-9])?[.]){0,3}[a-z]{1,9}"
                .prop_map(|name| Host::Dns(name.parse().unwrap())),
        ];
        (host, 1..=u16::MAX)
            .prop_map(|(host, port)| Endpoint { host, port: NonZeroU16::new(port).unwrap() })
    }

    #[test]
    fn the_last_colon_splits() {
        let print = |s: &str| s.parse::<Endpoint>().unwrap().to_string();
        assert_eq!(print("127.0.0.1:80"), "127.0.0.1:80");
        assert_eq!(print("[2001:DB8::0:1]:65535"), "[2001:db8::1]:65535");
        assert_eq!(print("NTP.example.org:1"), "ntp.example.org:1");
        assert_eq!(print("node_1:7000"), "node_1:7000");
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        let err = |s: &str| s.parse::<Endpoint>().unwrap_err();
        for no_port in ["", "host", "[::1]"] {
            assert_eq!(err(no_port), EndpointError::NoPort { found: no_port.to_owned() });
        }
        for port in ["", "0", "65536", "+80", "080", "-1", "8 0", "http"] {
            let found = port.to_owned();
            assert_eq!(err(&format!("host:{port}")), EndpointError::Port { found });
        }
        let host = |s: &str| match err(s) {
            EndpointError::Host(err) => err,
            other => panic!("{other}"),
        };
        assert_eq!(host(":80"), HostError::Empty);
        assert!(matches!(host("::1:80"), HostError::Brackets { .. }));
        assert!(matches!(host("[::1:80"), HostError::Brackets { .. }));
        assert!(matches!(host("[::g]:80"), HostError::Ipv6 { .. }));
        assert!(matches!(host("[fe80::1%eth0]:80"), HostError::Ipv6 { .. }));
        assert!(matches!(host("[127.0.0.1]:80"), HostError::Ipv6 { .. }));
        assert!(matches!(host("1.2.3.256:80"), HostError::Ipv4 { .. }));
        assert!(matches!(host("1.2.3:80"), HostError::Ipv4 { .. }));
        assert!(matches!(host("a..b:80"), HostError::Label { .. }));
        assert!(matches!(host("a/b:80"), HostError::Label { .. }));
        assert!(matches!(host("http://a:80"), HostError::Brackets { .. }));
        assert!(matches!(host(&format!("{}a:80", "a.".repeat(130))), HostError::TooLong { .. }));
    }

    proptest! {
        #[test]
        fn round_trip(endpoint in endpoints()) {
            prop_assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
        }

        #[test]
        fn printing_is_canonical(s in "[a-fA-F0-9:.\\[\\]_-]{0,24}") {
            if let Ok(endpoint) = s.parse::<Endpoint>() {
                let printed = endpoint.to_string();
                prop_assert_eq!(printed.parse(), Ok(endpoint));
            }
        }

        #[test]
        fn never_panics(s in any::<String>()) {
            drop(s.parse::<Endpoint>());
        }
    }
}
