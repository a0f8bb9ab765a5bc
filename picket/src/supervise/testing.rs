//! Values for tests.

use std::collections::BTreeMap;

use crux_crdt::Principal;
use crux_crdt::blob::{BlobId, Descriptor, Root};
use crux_crdt::service::Config;
use crux_protocol::picket::{Image, InstanceId, Record, Row, RunState, Version};
use crux_protocol::time::Instant;

use crate::link::Ready;

/// A blob.
pub(crate) const BLOB: BlobId = BlobId([7; 32]);

/// A config; `IMAGE` is [`BLOB`].
pub(crate) fn config(json: &str) -> Config {
    serde_json::from_str(&json.replace("IMAGE", &BLOB.to_string())).unwrap()
}

/// A content with that config.
pub(crate) fn version(config: Config) -> Version {
    let descriptor = Descriptor { blob: BLOB, root: Root([8; 32]), size: 3 };
    Version { number: 1, config, image: Image { descriptor, path: "/none".to_owned() }, spec: None }
}

/// The record of its first instance.
pub(crate) fn record(version: &Version) -> Record {
    Record {
        instance: InstanceId::new("web-v1-1-abcdefgh"),
        service: version.config.name.clone(),
        rev: version.config.rev.clone(),
        ordinal: 0,
        version: version.number,
        blob: version.image.blob(),
        ports: BTreeMap::new(),
        placed: None,
    }
}

/// A node's description of itself.
pub(crate) fn ready() -> Ready {
    Ready {
        principal: Principal([1; 32]),
        node: "n1".parse().unwrap(),
        flock: "dev".parse().unwrap(),
        addresses: vec!["127.0.0.1:7117".parse().unwrap()],
    }
}

/// A line of `ps`.
pub(crate) fn row(name: &str, instance: &str, state: RunState) -> Row {
    Row {
        service: name.parse().unwrap(),
        rev: "v1".parse().unwrap(),
        ordinal: 0,
        horde: "main".parse().unwrap(),
        version: 1,
        instance: Some(InstanceId::new(instance)),
        state,
        is_held: false,
        since: Instant::ORIGIN,
        pid: None,
        restarts: 0,
        image: BLOB,
        sealed: None,
        ports: BTreeMap::new(),
        reason: String::new(),
    }
}
