//! Values to turn into messages and back.

use std::collections::BTreeMap;
use std::time::Duration;

use crux_crdt::blob::BlobId;
use crux_crdt::{Digest, Principal};

use super::{
    Blob, Check, CheckResult, Joining, Leader, Member, MemberCounts, MemberState, Scrubbed,
    Service, ServiceStatus, Status, WallTime,
};

pub(crate) fn leader() -> Leader {
    Leader { node: "n2".parse().unwrap(), principal: Principal([2; 32]), term: 7 }
}

/// One with everything that may be missing, and one without.
pub(crate) fn statuses() -> [Status; 2] {
    let full = Status {
        flock: "dev".parse().unwrap(),
        flock_id: Digest([0xf1; 32]),
        node: "n1-1".parse().unwrap(),
        lost_name: Some("n1".to_owned()),
        principal: Principal([1; 32]),
        incarnation: 3,
        state_digest: Digest([0x5d; 32]),
        leader: Some(leader()),
        joining: Joining::Joined,
        members: MemberCounts { alive: 2, suspect: 1, dead: 4 },
        services: 5,
        blobs: 6,
        blob_bytes_sent: 7,
        blob_bytes_fetched: 8,
    };
    let bare = Status { lost_name: None, leader: None, joining: Joining::Alone, ..full.clone() };
    [full, bare]
}

/// One in each state, of which the last has neither an address nor a version.
pub(crate) fn members() -> Vec<Member> {
    let member = |state| Member {
        node: "n1".parse().unwrap(),
        principal: Principal([1; 32]),
        addr: Some("127.0.0.1:7000".parse().unwrap()),
        state,
        since: WallTime { unix_ms: 1_796_045_429_000 },
        version: Some("0.1.0".to_owned()),
        incarnation: 1,
        labels: BTreeMap::from([("site".to_owned(), "lab".to_owned())]),
    };
    let mut members: Vec<_> = MemberState::ALL.into_iter().map(member).collect();
    if let Some(last) = members.last_mut() {
        last.addr = None;
        last.version = None;
    }
    members
}

/// One in each status, live or not.
pub(crate) fn services() -> Vec<Service> {
    let key = Principal([1; 32]);
    let service = |status| Service {
        path: "/dev/main/n1/web/r1".parse().unwrap(),
        ordinal: u16::from(status != ServiceStatus::Up),
        instance: "svc-n1web".to_owned(),
        net_id: format!("/r1/{key}/net/127.0.0.1:9000").parse().unwrap(),
        key_id: None,
        status,
        live: status == ServiceStatus::Up,
        labels: BTreeMap::from([("zone".to_owned(), "b".to_owned())]),
    };
    ServiceStatus::ALL.into_iter().map(service).collect()
}

/// One with each result, of which the first has no hint.
pub(crate) fn checks() -> Vec<Check> {
    let check = |result| Check {
        name: "disk".to_owned(),
        result,
        detail: "there is room".to_owned(),
        hint: (result != CheckResult::Ok).then(|| "make room".to_owned()),
    };
    CheckResult::ALL.into_iter().map(check).collect()
}

fn blob_id(byte: u8) -> BlobId {
    format!("{byte:02x}").repeat(32).parse().unwrap()
}

/// One with everything that may be missing, and one without.
pub(crate) fn blobs() -> [Blob; 2] {
    let full = Blob {
        id: blob_id(7),
        size: 3,
        held: 1,
        pieces: 2,
        sealed: false,
        pinned: true,
        reserved_for: Some(Duration::from_millis(1500)),
        registered: Some("/f".into()),
    };
    let bare = Blob { reserved_for: None, registered: None, sealed: true, ..full.clone() };
    [full, bare]
}

/// A scrub that found both kinds of damage.
pub(crate) fn scrubbed() -> Scrubbed {
    let (damaged, changed) = (vec![(blob_id(7), 2)], vec![blob_id(8)]);
    Scrubbed { blobs: 3, bytes: 4, damaged, changed }
}
