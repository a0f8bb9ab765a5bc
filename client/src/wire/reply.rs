//! Answers as the server writes them.

use crux_crdt::Principal;
use crux_crdt::blob::BlobId;
use crux_crdt::path::{Endpoint, KeyId};
use crux_proto::v1;

use crate::blobs::{Listed, Scrubbed};
use crate::fulcrum::request::{Check, LeaderPinged, Registered};
use crate::view::{Leader, Member, Service, Status};

pub(in crate::api) fn leader(leader: &Leader) -> v1::LeaderInfo {
    v1::LeaderInfo {
        node: leader.node.to_string(),
        principal: leader.principal.to_string(),
        epoch: leader.epoch,
    }
}

pub(in crate::api) fn status(status: &Status) -> v1::StatusResponse {
    let counts = status.members;
    v1::StatusResponse {
        flock: status.flock.to_string(),
        flock_id: status.flock_id.to_string(),
        node: status.node.to_string(),
        lost_name: status.lost_name.clone().unwrap_or_default(),
        principal: status.principal.to_string(),
        incarnation: status.incarnation,
        state_digest: status.state_digest.to_string(),
        leader: status.leader.as_ref().map(leader),
        joining: status.joining.to_string(),
        members: Some(v1::MemberCounts {
            alive: counts.alive,
            suspect: counts.suspect,
            dead: counts.dead,
        }),
        services: status.services,
        blobs: status.blobs,
        blob_bytes_sent: status.blob_bytes_sent,
        blob_bytes_fetched: status.blob_bytes_fetched,
    }
}

pub(in crate::api) fn member(member: &Member) -> v1::Member {
    v1::Member {
        node: member.node.to_string(),
        principal: member.principal.to_string(),
        addr: member.addr.as_ref().map(Endpoint::to_string).unwrap_or_default(),
        state: member.state.to_string(),
        incarnation: member.incarnation,
        labels: member.labels.clone().into_iter().collect(),
    }
}

pub(in crate::api) fn service(service: &Service) -> v1::Service {
    v1::Service {
        path: service.path.to_string(),
        instance: service.instance.clone(),
        net_id: service.net_id.to_string(),
        key_id: service.key_id.as_ref().map(KeyId::to_string),
        status: service.status.to_string(),
        node: service.path.node.to_string(),
        live: service.live,
    }
}

pub(in crate::api) fn registered(registered: &Registered) -> v1::RegisterResponse {
    v1::RegisterResponse {
        path: registered.path.to_string(),
        instance: registered.instance.clone(),
        net_id: registered.net_id.to_string(),
    }
}

pub(in crate::api) fn leader_pinged(pinged: &LeaderPinged) -> v1::LeaderPingResponse {
    let print = |all: &[Principal]| all.iter().map(Principal::to_string).collect();
    v1::LeaderPingResponse {
        leader: Some(leader(&pinged.leader)),
        accepted: print(&pinged.accepted),
        failed: print(&pinged.failed),
    }
}

pub(in crate::api) fn check(check: &Check) -> v1::Check {
    v1::Check {
        name: check.name.clone(),
        result: check.result.as_str().to_owned(),
        detail: check.detail.clone(),
        hint: check.hint.clone().unwrap_or_default(),
    }
}

pub(in crate::api) fn blob(blob: &Listed) -> v1::Blob {
    v1::Blob {
        id: blob.id.to_string(),
        size: blob.size,
        sealed: blob.sealed,
        held: blob.held,
        pieces: blob.pieces,
        pinned: blob.pinned,
        reserved_for_ms: blob
            .reserved_for
            .map(|left| left.as_millis().try_into().unwrap_or(u64::MAX)),
        registered: blob.registered.as_ref().map(|path| path.display().to_string()),
    }
}

pub(in crate::api) fn scrubbed(scrubbed: &Scrubbed) -> v1::ScrubResponse {
    let damaged =
        |(id, pieces): &(BlobId, u32)| v1::DamagedBlob { id: id.to_string(), pieces: *pieces };
    v1::ScrubResponse {
        blobs: scrubbed.blobs,
        bytes: scrubbed.bytes,
        damaged: scrubbed.damaged.iter().map(damaged).collect(),
        changed: scrubbed.changed.iter().map(BlobId::to_string).collect(),
    }
}
