//! The model as messages, and back.
//!
//! A node of another version may say what this one does not understand: that is an error and not a
//! guess. A new field of an answer touches this file, the message and the struct.

use std::time::Duration;

use crux_crdt::blob::BlobId;
use crux_crdt::path::{Endpoint, KeyId};
use crux_proto::v1;

use super::Message;
use super::field::{parse, present};
use crate::error::Error;
use crate::model::{
    Blob, Check, CheckResult, Leader, Member, MemberCounts, Progress, Scrubbed, Service, Status,
    WallTime,
};

impl Message for Leader {
    type Wire = v1::LeaderInfo;

    fn to_wire(&self) -> v1::LeaderInfo {
        v1::LeaderInfo {
            node: self.node.to_string(),
            principal: self.principal.to_string(),
            term: self.term,
        }
    }

    fn from_wire(wire: &v1::LeaderInfo) -> Result<Self, Error> {
        Ok(Self {
            node: parse("leader.node", &wire.node)?,
            principal: parse("leader.principal", &wire.principal)?,
            term: wire.term,
        })
    }
}

impl Message for MemberCounts {
    type Wire = v1::MemberCounts;

    fn to_wire(&self) -> v1::MemberCounts {
        v1::MemberCounts { alive: self.alive, suspect: self.suspect, dead: self.dead }
    }

    fn from_wire(wire: &v1::MemberCounts) -> Result<Self, Error> {
        Ok(Self { alive: wire.alive, suspect: wire.suspect, dead: wire.dead })
    }
}

impl Message for Status {
    type Wire = v1::StatusResponse;

    fn to_wire(&self) -> v1::StatusResponse {
        v1::StatusResponse {
            flock: self.flock.to_string(),
            flock_id: self.flock_id.to_string(),
            node: self.node.to_string(),
            lost_name: self.lost_name.clone().unwrap_or_default(),
            principal: self.principal.to_string(),
            incarnation: self.incarnation,
            state_digest: self.state_digest.to_string(),
            leader: self.leader.as_ref().map(Message::to_wire),
            joining: self.joining.to_string(),
            node_use: self.node_use.to_string(),
            members: Some(self.members.to_wire()),
            services: self.services,
            blobs: self.blobs,
            blob_bytes_sent: self.blob_bytes_sent,
            blob_bytes_fetched: self.blob_bytes_fetched,
            pid: self.pid,
            picket_pid: self.picket_pid,
        }
    }

    fn from_wire(wire: &v1::StatusResponse) -> Result<Self, Error> {
        let lost_name = Some(&wire.lost_name).filter(|name| !name.is_empty());
        Ok(Self {
            flock: parse("flock", &wire.flock)?,
            flock_id: parse("flock_id", &wire.flock_id)?,
            node: parse("node", &wire.node)?,
            lost_name: lost_name.cloned(),
            principal: parse("principal", &wire.principal)?,
            incarnation: wire.incarnation,
            state_digest: parse("state_digest", &wire.state_digest)?,
            leader: wire.leader.as_ref().map(Message::from_wire).transpose()?,
            joining: parse("joining", &wire.joining)?,
            node_use: parse("use", &wire.node_use)?,
            members: Message::from_wire(&wire.members.unwrap_or_default())?,
            services: wire.services,
            blobs: wire.blobs,
            blob_bytes_sent: wire.blob_bytes_sent,
            blob_bytes_fetched: wire.blob_bytes_fetched,
            pid: wire.pid,
            picket_pid: wire.picket_pid,
        })
    }
}

impl Message for Member {
    type Wire = v1::Member;

    fn to_wire(&self) -> v1::Member {
        v1::Member {
            node: self.node.to_string(),
            principal: self.principal.to_string(),
            addr: self.addr.as_ref().map(Endpoint::to_string).unwrap_or_default(),
            state: self.state.to_string(),
            since_unix_ms: self.since.unix_ms,
            version: self.version.clone().unwrap_or_default(),
            incarnation: self.incarnation,
            labels: self.labels.clone().into_iter().collect(),
            signed_labels: self.signed_labels.clone().into_iter().collect(),
            node_use: self.node_use.to_string(),
            left: self.left.clone().into_iter().collect(),
        }
    }

    fn from_wire(wire: &v1::Member) -> Result<Self, Error> {
        let addr = Some(&wire.addr).filter(|addr| !addr.is_empty());
        let version = Some(&wire.version).filter(|version| !version.is_empty());
        Ok(Self {
            node: parse("node", &wire.node)?,
            principal: parse("principal", &wire.principal)?,
            addr: addr.map(|addr| parse("addr", addr)).transpose()?,
            state: parse("state", &wire.state)?,
            since: WallTime { unix_ms: wire.since_unix_ms },
            version: version.cloned(),
            incarnation: wire.incarnation,
            labels: wire.labels.clone().into_iter().collect(),
            signed_labels: wire.signed_labels.clone().into_iter().collect(),
            node_use: parse("use", &wire.node_use)?,
            left: wire.left.clone().into_iter().collect(),
        })
    }
}

impl Message for Service {
    type Wire = v1::Service;

    fn to_wire(&self) -> v1::Service {
        v1::Service {
            path: self.path.to_string(),
            instance: self.instance.clone(),
            net_id: self.net_id.to_string(),
            key_id: self.key_id.as_ref().map(KeyId::to_string),
            status: self.status.to_string(),
            node: self.path.node.to_string(),
            live: self.live,
            ordinal: self.ordinal.into(),
            labels: self.labels.clone().into_iter().collect(),
        }
    }

    fn from_wire(wire: &v1::Service) -> Result<Self, Error> {
        Ok(Self {
            path: parse("path", &wire.path)?,
            ordinal: present("ordinal", wire.ordinal.try_into().ok())?,
            instance: wire.instance.clone(),
            net_id: parse("net_id", &wire.net_id)?,
            key_id: wire.key_id.as_ref().map(|id| parse("key_id", id)).transpose()?,
            status: parse("status", &wire.status)?,
            live: wire.live,
            labels: wire.labels.clone().into_iter().collect(),
        })
    }
}

impl Message for Vec<Service> {
    type Wire = v1::ServicesResponse;

    fn to_wire(&self) -> v1::ServicesResponse {
        v1::ServicesResponse { services: self.iter().map(Message::to_wire).collect() }
    }

    fn from_wire(wire: &v1::ServicesResponse) -> Result<Self, Error> {
        wire.services.iter().map(Message::from_wire).collect()
    }
}

impl Message for Check {
    type Wire = v1::Check;

    fn to_wire(&self) -> v1::Check {
        v1::Check {
            name: self.name.clone(),
            result: self.result.as_str().to_owned(),
            detail: self.detail.clone(),
            hint: self.hint.clone().unwrap_or_default(),
        }
    }

    fn from_wire(wire: &v1::Check) -> Result<Self, Error> {
        let result = CheckResult::ALL.into_iter().find(|result| result.as_str() == wire.result);
        Ok(Self {
            name: wire.name.clone(),
            result: present("result", result)?,
            detail: wire.detail.clone(),
            hint: Some(wire.hint.clone()).filter(|hint| !hint.is_empty()),
        })
    }
}

impl Message for Blob {
    type Wire = v1::Blob;

    fn to_wire(&self) -> v1::Blob {
        let millis = |left: Duration| left.as_millis().try_into().unwrap_or(u64::MAX);
        v1::Blob {
            id: self.id.to_string(),
            size: self.size,
            sealed: self.sealed,
            held: self.held,
            pieces: self.pieces,
            pinned: self.pinned,
            reserved_for_ms: self.reserved_for.map(millis),
            registered: self.registered.as_ref().map(|path| path.display().to_string()),
        }
    }

    fn from_wire(wire: &v1::Blob) -> Result<Self, Error> {
        Ok(Self {
            id: parse("blob", &wire.id)?,
            size: wire.size,
            held: wire.held,
            pieces: wire.pieces,
            sealed: wire.sealed,
            pinned: wire.pinned,
            reserved_for: wire.reserved_for_ms.map(Duration::from_millis),
            registered: wire.registered.as_ref().map(Into::into),
        })
    }
}

impl Message for Scrubbed {
    type Wire = v1::ScrubResponse;

    fn to_wire(&self) -> v1::ScrubResponse {
        let damaged =
            |(id, pieces): &(BlobId, u32)| v1::DamagedBlob { id: id.to_string(), pieces: *pieces };
        v1::ScrubResponse {
            blobs: self.blobs,
            bytes: self.bytes,
            damaged: self.damaged.iter().map(damaged).collect(),
            changed: self.changed.iter().map(BlobId::to_string).collect(),
        }
    }

    fn from_wire(wire: &v1::ScrubResponse) -> Result<Self, Error> {
        let damaged = wire.damaged.iter().map(|one| Ok((parse("blob", &one.id)?, one.pieces)));
        Ok(Self {
            blobs: wire.blobs,
            bytes: wire.bytes,
            damaged: damaged.collect::<Result<_, Error>>()?,
            changed: wire.changed.iter().map(|id| parse("blob", id)).collect::<Result<_, _>>()?,
        })
    }
}

impl Message for Progress {
    type Wire = v1::FetchProgress;

    fn to_wire(&self) -> v1::FetchProgress {
        v1::FetchProgress { held: self.held, size: self.size, providers: self.providers }
    }

    fn from_wire(wire: &v1::FetchProgress) -> Result<Self, Error> {
        Ok(Self { held: wire.held, size: wire.size, providers: wire.providers })
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;
    use crate::error::Kind;
    use crate::model::{NodeUse, testing};

    fn round_trips<T: Message + PartialEq + Debug>(value: &T) {
        assert_eq!(T::from_wire(&value.to_wire()).as_ref(), Ok(value));
    }

    #[test]
    fn what_the_server_writes_the_client_reads() {
        testing::statuses().iter().for_each(round_trips);
        testing::members().iter().for_each(round_trips);
        testing::blobs().iter().for_each(round_trips);
        testing::checks().iter().for_each(round_trips);
        round_trips(&testing::services());
        round_trips(&testing::scrubbed());
        round_trips(&Progress { held: 1, size: 2, providers: 3 });
    }

    #[test]
    fn a_member_of_an_older_version_is_open() {
        let wire = v1::Member { node_use: String::new(), ..testing::members()[1].to_wire() };
        assert_eq!(Member::from_wire(&wire).unwrap().node_use, NodeUse::Open);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let mut wire = testing::services()[0].to_wire();
        wire.status = "sideways".to_owned();
        let err = Service::from_wire(&wire).unwrap_err();
        assert_eq!(err.kind(), Kind::Internal);
        assert!(err.to_string().contains("status"), "{err}");
    }
}
