//! Requests as the server reads them, and as the client writes them.

use std::str::FromStr;
use std::time::Duration;

use crux_crdt::name::{Label, NameError, ServiceName};
use crux_crdt::path::{Endpoint, Query};
use crux_proto::v1;

use crate::error::{Error, Kind};
use crate::fulcrum::request::{Deregister, NodeRef, Register};

/// Reads a register.
pub(in crate::api) fn register(wire: v1::RegisterRequest) -> Result<Register, Error> {
    let endpoint: Result<Endpoint, _> = wire.address.parse();
    Ok(Register {
        service: name("the service name", &wire.service)?,
        rev: name("the revision", &wire.rev)?,
        endpoint: endpoint.map_err(|err| Error::from(err).augment("the address"))?,
        horde: horde(&wire.horde)?,
        lease: wire.lease_ms.map(lease).transpose()?,
        sync: wire.sync,
    })
}

/// Writes a register.
pub(in crate::api) fn register_to_wire(register: &Register) -> v1::RegisterRequest {
    v1::RegisterRequest {
        service: register.service.to_string(),
        rev: register.rev.to_string(),
        address: register.endpoint.to_string(),
        horde: register.horde.to_string(),
        lease_ms: register.lease.map(|lease| u64::try_from(lease.as_millis()).unwrap_or(u64::MAX)),
        sync: register.sync,
    }
}

/// Reads a deregister.
pub(in crate::api) fn deregister(wire: &v1::DeregisterRequest) -> Result<Deregister, Error> {
    Ok(Deregister {
        service: name("the service name", &wire.service)?,
        rev: name("the revision", &wire.rev)?,
        horde: horde(&wire.horde)?,
    })
}

/// Writes a deregister.
pub(in crate::api) fn deregister_to_wire(deregister: &Deregister) -> v1::DeregisterRequest {
    v1::DeregisterRequest {
        service: deregister.service.to_string(),
        rev: deregister.rev.to_string(),
        horde: deregister.horde.to_string(),
    }
}

/// Reads a query.
pub(in crate::api) fn query(wire: &str) -> Result<Query, Error> {
    wire.parse().map_err(|err| Error::from(err).augment("the query"))
}

/// Reads a node's name or key.
pub(in crate::api) fn node(wire: &str) -> Result<NodeRef, Error> {
    NodeRef::parse(wire).map_err(|err| {
        Error::from(err)
            .augment("the node")
            .with_hint("Give a node's name, or its principal in 64 hex digits.")
    })
}

/// Writes a node's name or key.
pub(in crate::api) fn node_to_wire(node: &NodeRef) -> String {
    match node {
        NodeRef::Name(name) => name.to_string(),
        NodeRef::Principal(principal) => principal.to_string(),
    }
}

fn name<T: FromStr<Err = NameError>>(what: &str, s: &str) -> Result<T, Error> {
    let hint = format!(
        "A name of a service or revision is a letter, then letters, digits, `_`, `-` and `.`; at \
         most {} bytes.",
        ServiceName::MAX
    );
    s.parse().map_err(|err| Error::from(err).augment(what).with_hint(hint))
}

/// An empty horde is the default one.
fn horde(s: &str) -> Result<Label, Error> {
    if s.is_empty() {
        return Ok(Label::main_horde());
    }
    s.parse().map_err(|err| Error::from(err).augment("the horde"))
}

fn lease(ms: u64) -> Result<Duration, Error> {
    match ms {
        0 => Err(Error::new(Kind::InvalidArgument, "a lease of no time")
            .with_hint("Leave the lease out to stay until deregistered.")),
        ms => Ok(Duration::from_millis(ms)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire() -> v1::RegisterRequest {
        v1::RegisterRequest {
            service: "ntp3".to_owned(),
            rev: "r1".to_owned(),
            address: "127.0.0.1:9000".to_owned(),
            horde: String::new(),
            lease_ms: Some(1500),
            sync: 2,
        }
    }

    #[test]
    fn a_register_round_trips() {
        let register = register(wire()).unwrap();
        assert_eq!(register.horde, Label::main_horde());
        assert_eq!(register.lease, Some(Duration::from_millis(1500)));
        assert_eq!(super::register(register_to_wire(&register)), Ok(register));
    }

    #[test]
    fn what_breaks_the_rules_is_named() {
        let err = register(v1::RegisterRequest { service: "3".to_owned(), ..wire() }).unwrap_err();
        assert_eq!(err.kind(), Kind::InvalidName);
        assert!(err.to_string().starts_with("the service name: it starts with '3'"), "{err}");
        assert!(err.hint().is_some());
        let err = register(v1::RegisterRequest { address: "h".to_owned(), ..wire() }).unwrap_err();
        assert_eq!(err.kind(), Kind::InvalidPath);
        let err = register(v1::RegisterRequest { horde: "A".to_owned(), ..wire() }).unwrap_err();
        assert_eq!(err.kind(), Kind::InvalidName);
        let err = register(v1::RegisterRequest { lease_ms: Some(0), ..wire() }).unwrap_err();
        assert_eq!(err.kind(), Kind::InvalidArgument);
        assert_eq!(query("a*").unwrap_err().kind(), Kind::InvalidPath);
        assert_eq!(node("").unwrap_err().kind(), Kind::InvalidName);
    }
}
