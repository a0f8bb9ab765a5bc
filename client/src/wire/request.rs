//! Requests as the server reads them, and as the client writes them.

use std::path::PathBuf;
use std::time::Duration;

use crux_crdt::blob::BlobId;
use crux_proto::v1;

use crate::error::{Error, Kind};
use crate::fulcrum::request::{Deregister, NodeRef, Register};
use crate::parse;

/// Reads a register.
pub(in crate::api) fn register(wire: &v1::RegisterRequest) -> Result<Register, Error> {
    Ok(Register {
        service: parse::service_name("the service name", &wire.service)?,
        rev: parse::service_name("the revision", &wire.rev)?,
        endpoint: parse::endpoint(&wire.address)?,
        horde: parse::horde(&wire.horde)?,
        lease: wire.lease_ms.map(Duration::from_millis).map(parse::lease).transpose()?,
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
        service: parse::service_name("the service name", &wire.service)?,
        rev: parse::service_name("the revision", &wire.rev)?,
        horde: parse::horde(&wire.horde)?,
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

/// Writes a node's name or key.
pub(in crate::api) fn node_to_wire(node: &NodeRef) -> String {
    match node {
        NodeRef::Name(name) => name.to_string(),
        NodeRef::Principal(principal) => principal.to_string(),
    }
}

/// Reads a blob's id.
pub(in crate::api) fn blob(wire: &str) -> Result<BlobId, Error> {
    parse::blob(wire)
}

/// Reads a path on the node's machine: absolute, because the node has a directory of its own.
pub(in crate::api) fn absolute(wire: &str) -> Result<PathBuf, Error> {
    let path = PathBuf::from(wire);
    if path.is_absolute() {
        return Ok(path);
    }
    Err(Error::new(Kind::InvalidArgument, format!("the path {wire:?} is not absolute")))
}

#[cfg(test)]
mod tests {
    use crux_crdt::name::Label;

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
        let register = register(&wire()).unwrap();
        assert_eq!(register.horde, Label::main_horde());
        assert_eq!(register.lease, Some(Duration::from_millis(1500)));
        assert_eq!(super::register(&register_to_wire(&register)), Ok(register));
    }

    #[test]
    fn what_breaks_the_rules_is_named() {
        let err = register(&v1::RegisterRequest { service: "3".to_owned(), ..wire() }).unwrap_err();
        assert_eq!(err.kind(), Kind::InvalidName);
        assert!(err.to_string().starts_with("the service name: it starts with '3'"), "{err}");
        assert!(err.hint().is_some());
        let err = register(&v1::RegisterRequest { address: "h".to_owned(), ..wire() }).unwrap_err();
        assert_eq!(err.kind(), Kind::InvalidPath);
        let err = register(&v1::RegisterRequest { horde: "A".to_owned(), ..wire() }).unwrap_err();
        assert_eq!(err.kind(), Kind::InvalidName);
        let err = register(&v1::RegisterRequest { lease_ms: Some(0), ..wire() }).unwrap_err();
        assert_eq!(err.kind(), Kind::InvalidArgument);
        assert_eq!(parse::query("a*").unwrap_err().kind(), Kind::InvalidPath);
        assert_eq!(parse::node("").unwrap_err().kind(), Kind::InvalidName);
    }
}
