//! Answers as the client reads them. A node of another version may say what this one does not
//! understand: that is an error and not a guess.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use crux_crdt::Principal;
use crux_crdt::blob::BlobId;
use crux_proto::v1;

use crate::blobs::{Listed, Scrubbed};
use crate::error::{Error, Kind};
use crate::fulcrum::request::{Check, CheckResult, LeaderPinged, Registered};
use crate::view::{Leader, Member, MemberCounts, Service, Status};

/// Parses one field.
fn parse<T: FromStr<Err: Display>>(field: &str, s: &str) -> Result<T, Error> {
    s.parse().map_err(|err| odd(format!("{field}: {err}")))
}

/// An answer that this version does not understand.
fn odd(what: impl Into<String>) -> Error {
    Error::new(Kind::Internal, what)
        .augment("the node's answer")
        .with_hint("The node and this command may be of different versions.")
}

pub(in crate::api) fn leader(wire: &v1::LeaderInfo) -> Result<Leader, Error> {
    Ok(Leader {
        node: parse("leader.node", &wire.node)?,
        principal: parse("leader.principal", &wire.principal)?,
        epoch: wire.epoch,
    })
}

pub(in crate::api) fn status(wire: &v1::StatusResponse) -> Result<Status, Error> {
    let counts = wire.members.unwrap_or_default();
    let lost_name = Some(&wire.lost_name).filter(|name| !name.is_empty());
    Ok(Status {
        flock: parse("flock", &wire.flock)?,
        flock_id: parse("flock_id", &wire.flock_id)?,
        node: parse("node", &wire.node)?,
        lost_name: lost_name.cloned(),
        principal: parse("principal", &wire.principal)?,
        incarnation: wire.incarnation,
        state_digest: parse("state_digest", &wire.state_digest)?,
        leader: wire.leader.as_ref().map(leader).transpose()?,
        joining: parse("joining", &wire.joining)?,
        members: MemberCounts { alive: counts.alive, suspect: counts.suspect, dead: counts.dead },
        services: wire.services,
        blobs: wire.blobs,
        blob_bytes_sent: wire.blob_bytes_sent,
        blob_bytes_fetched: wire.blob_bytes_fetched,
    })
}

pub(in crate::api) fn member(wire: &v1::Member) -> Result<Member, Error> {
    let addr = Some(&wire.addr).filter(|addr| !addr.is_empty());
    Ok(Member {
        node: parse("node", &wire.node)?,
        principal: parse("principal", &wire.principal)?,
        addr: addr.map(|addr| parse("addr", addr)).transpose()?,
        state: parse("state", &wire.state)?,
        incarnation: wire.incarnation,
        labels: wire.labels.clone().into_iter().collect(),
    })
}

pub(in crate::api) fn service(wire: &v1::Service) -> Result<Service, Error> {
    Ok(Service {
        path: parse("path", &wire.path)?,
        instance: wire.instance.clone(),
        net_id: parse("net_id", &wire.net_id)?,
        key_id: wire.key_id.as_ref().map(|id| parse("key_id", id)).transpose()?,
        status: parse("status", &wire.status)?,
        live: wire.live,
    })
}

pub(in crate::api) fn services(wire: &v1::ServicesResponse) -> Result<Vec<Service>, Error> {
    wire.services.iter().map(service).collect()
}

pub(in crate::api) fn registered(wire: &v1::RegisterResponse) -> Result<Registered, Error> {
    Ok(Registered {
        path: parse("path", &wire.path)?,
        instance: wire.instance.clone(),
        net_id: parse("net_id", &wire.net_id)?,
    })
}

pub(in crate::api) fn leader_pinged(wire: &v1::LeaderPingResponse) -> Result<LeaderPinged, Error> {
    let keys = |field: &str, all: &[String]| -> Result<Vec<Principal>, Error> {
        all.iter().map(|key| parse(field, key)).collect()
    };
    Ok(LeaderPinged {
        leader: leader(present("leader", wire.leader.as_ref())?)?,
        accepted: keys("accepted", &wire.accepted)?,
        failed: keys("failed", &wire.failed)?,
    })
}

pub(in crate::api) fn principal(wire: &str) -> Result<Principal, Error> {
    parse("principal", wire)
}

pub(in crate::api) fn check(wire: &v1::Check) -> Result<Check, Error> {
    let all = [CheckResult::Ok, CheckResult::Warn, CheckResult::Fail];
    let result = all.into_iter().find(|result| result.as_str() == wire.result);
    Ok(Check {
        name: wire.name.clone(),
        result: present("result", result)?,
        detail: wire.detail.clone(),
        hint: Some(wire.hint.clone()).filter(|hint| !hint.is_empty()),
    })
}

pub(in crate::api) fn blob_id(wire: &str) -> Result<BlobId, Error> {
    parse("blob", wire)
}

pub(in crate::api) fn blob(wire: &v1::Blob) -> Result<Listed, Error> {
    Ok(Listed {
        id: blob_id(&wire.id)?,
        size: wire.size,
        held: wire.held,
        pieces: wire.pieces,
        sealed: wire.sealed,
        pinned: wire.pinned,
        reserved_for: wire.reserved_for_ms.map(Duration::from_millis),
        registered: wire.registered.as_ref().map(Into::into),
    })
}

pub(in crate::api) fn scrubbed(wire: &v1::ScrubResponse) -> Result<Scrubbed, Error> {
    let damaged = wire.damaged.iter().map(|one| Ok((blob_id(&one.id)?, one.pieces)));
    Ok(Scrubbed {
        blobs: wire.blobs,
        bytes: wire.bytes,
        damaged: damaged.collect::<Result<_, Error>>()?,
        changed: wire.changed.iter().map(|id| blob_id(id)).collect::<Result<_, _>>()?,
    })
}

/// A message that must be set.
pub(in crate::api) fn present<T>(field: &str, wire: Option<T>) -> Result<T, Error> {
    wire.ok_or_else(|| odd(format!("{field}: not set")))
}

#[cfg(test)]
mod tests {
    use super::super::reply;
    use super::*;
    use crate::view::testing::view;

    #[test]
    fn what_the_server_writes_the_client_reads() {
        let view = view();
        assert_eq!(status(&reply::status(&view.status())), Ok(view.status()));
        for one in &view.members {
            assert_eq!(member(&reply::member(one)).as_ref(), Ok(one));
        }
        for one in &view.services {
            assert_eq!(service(&reply::service(one)).as_ref(), Ok(one));
        }
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let mut wire = reply::service(&view().services[0]);
        wire.status = "sideways".to_owned();
        let err = service(&wire).unwrap_err();
        assert_eq!(err.kind(), Kind::Internal);
        assert!(err.to_string().contains("status"), "{err}");
    }
}
