//! Values to turn into messages and back.

use std::collections::BTreeMap;
use std::time::Duration;

use crux_crdt::blob::BlobId;
use crux_crdt::service::{Config, Fields, Image};
use crux_crdt::{Digest, Principal};

use super::{
    Blob, Change, Check, CheckResult, CheckState, Event, Inspected, Instance, InstanceExit,
    InstanceState, Joining, Leader, LogLine, LogStream, Member, MemberCounts, MemberState, NodeUse,
    PreviousImage, Scrubbed, Service, ServiceStatus, Settled, Status, WallTime,
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
        node_use: NodeUse::Draining,
        members: MemberCounts { alive: 2, suspect: 1, dead: 4 },
        services: 5,
        blobs: 6,
        blob_bytes_sent: 7,
        blob_bytes_fetched: 8,
        pid: 9,
        picket_pid: Some(6),
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
        signed_labels: BTreeMap::from([("zone".to_owned(), "b".to_owned())]),
        node_use: NodeUse::Open,
        left: BTreeMap::new(),
    };
    let mut members: Vec<_> = MemberState::ALL.into_iter().map(member).collect();
    members.iter_mut().zip(NodeUse::ALL).for_each(|(member, of)| member.node_use = of);
    for member in members.iter_mut().filter(|it| it.node_use == NodeUse::Draining) {
        member.left.insert("web".to_owned(), 2);
    }
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

pub(crate) fn config() -> Config {
    let mut fields = Fields::new("web".parse().unwrap(), Image::Blob(blob_id(7)));
    fields.args = vec!["--listen".to_owned(), "\u{1}é\"".to_owned()];
    fields.try_into().unwrap()
}

/// One in each state, of which the last has nothing that may be missing.
pub(crate) fn instances() -> Vec<Instance> {
    let instance = |state| Instance {
        service: "web".parse().unwrap(),
        rev: "v1".parse().unwrap(),
        ordinal: 1,
        horde: "main".parse().unwrap(),
        instance: Some("web-v1-1-0a0a0a0a".to_owned()),
        state,
        status: ServiceStatus::Degraded,
        since: Duration::from_millis(1500),
        pid: Some(7),
        restarts: 2,
        image: Some(blob_id(7)),
        sealed: true,
        ports: BTreeMap::from([("http".to_owned(), 27_200)]),
        memory: Some(1 << 20),
        cpu: Some(Duration::from_millis(20)),
        reason: Some("exit 1".to_owned()),
    };
    let mut instances: Vec<_> = InstanceState::ALL.into_iter().map(instance).collect();
    let bare = Instance {
        instance: None,
        pid: None,
        image: None,
        sealed: false,
        ports: BTreeMap::new(),
        memory: None,
        cpu: None,
        reason: None,
        ..instance(InstanceState::Stopped)
    };
    instances.push(bare);
    instances
}

/// One with each change, of which the last has no instance.
pub(crate) fn settled() -> Vec<Settled> {
    let settled = |change| Settled {
        service: "web".parse().unwrap(),
        rev: "v1".parse().unwrap(),
        instance: Some("web-v1-0-0a0a0a0a".to_owned()),
        state: InstanceState::Up,
        pid: Some(7),
        ports: BTreeMap::from([("http".to_owned(), 27_200)]),
        change,
        generation: 9,
        notes: vec!["limits are not enforced here".to_owned()],
    };
    let mut all: Vec<_> = Change::ALL.into_iter().map(settled).collect();
    if let Some(last) = all.last_mut() {
        *last = Settled { instance: None, pid: None, ports: BTreeMap::new(), ..last.clone() };
    }
    all
}

/// One with everything, and one of a service that never ran.
pub(crate) fn inspected() -> [Inspected; 2] {
    let check = |passed: Option<bool>| CheckState {
        instance: "web-v1-0-0a0a0a0a".to_owned(),
        check: "http /healthz at http".to_owned(),
        passed,
        failures: 1,
        ago: passed.map(|_| Duration::from_millis(300)),
        text: "503".to_owned(),
    };
    let exit = |code, signal| InstanceExit {
        instance: "web-v1-0-0b0b0b0b".to_owned(),
        at: WallTime { unix_ms: 1_796_045_429_123 },
        code,
        signal,
        ran: Duration::from_secs(3),
        reason: "exited".to_owned(),
    };
    let full = Inspected {
        config: config(),
        generation: 9,
        wanted: true,
        instances: instances(),
        checks: vec![check(None), check(Some(true)), check(Some(false))],
        exits: vec![exit(Some(1), None), exit(None, Some(9)), exit(None, None)],
        previous: Some(PreviousImage { rev: "v0".parse().unwrap(), image: blob_id(6) }),
        isolation: BTreeMap::from([("user".to_owned(), "nobody".to_owned())]),
    };
    let bare = Inspected {
        wanted: false,
        instances: vec![],
        checks: vec![],
        exits: vec![],
        previous: None,
        isolation: BTreeMap::new(),
        ..full.clone()
    };
    [full, bare]
}

/// One of each stream.
pub(crate) fn log_lines() -> Vec<LogLine> {
    let line = |stream| LogLine {
        at: WallTime { unix_ms: 1_796_045_429_123 },
        instance: "web-v1-0-0a0a0a0a".to_owned(),
        stream,
        text: "GET / 200".to_owned(),
    };
    LogStream::ALL.into_iter().map(line).collect()
}

pub(crate) fn event() -> Event {
    Event {
        seq: 3,
        at: WallTime { unix_ms: 1_796_045_429_123 },
        up: Duration::from_millis(987),
        boot: "5f0c9a1b-22d8-47f4-9a1b-22d8e7f40000".to_owned(),
        kind: "plugin.exited".to_owned(),
        node: "n1".parse().unwrap(),
        principal: Principal([1; 32]),
        detail: BTreeMap::from([("service".to_owned(), "web".to_owned())]),
        text: "web exited".to_owned(),
    }
}
