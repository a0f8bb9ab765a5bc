//! The part of an instance's record that the picket reads when it takes over.

use std::collections::BTreeMap;

use crux_protocol::picket::{InstanceId, Placed, Record};
use serde::{Deserialize, Serialize};

/// The engine's record, as it is written.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Detail {
    service: String,
    rev: String,
    ordinal: u16,
    version: u64,
    blob: String,
    ports: BTreeMap<String, u16>,
    /// Missing in records of people's services, and of older builds.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::assignment::placed")]
    placed: Option<Placed>,
}

impl From<&Record> for Detail {
    fn from(record: &Record) -> Self {
        Self {
            service: record.service.to_string(),
            rev: record.rev.to_string(),
            ordinal: record.ordinal,
            version: record.version,
            blob: record.blob.to_string(),
            ports: record.ports.iter().map(|(name, port)| (name.to_string(), *port)).collect(),
            placed: record.placed,
        }
    }
}

impl Detail {
    pub(super) fn to_value(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }

    /// The record of an instance with that detail; none: another build wrote it, and nothing is known of it.
    pub(super) fn read(instance: &str, detail: serde_json::Value) -> Option<Record> {
        let detail: Self = serde_json::from_value(detail).ok()?;
        let port = |(name, port): (String, u16)| Some((name.parse().ok()?, port));
        Some(Record {
            instance: InstanceId::new(instance),
            service: detail.service.parse().ok()?,
            rev: detail.rev.parse().ok()?,
            ordinal: detail.ordinal,
            version: detail.version,
            blob: detail.blob.parse().ok()?,
            ports: detail.ports.into_iter().map(port).collect::<Option<_>>()?,
            placed: detail.placed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn a_record_reads_back_and_what_is_none_is_not_read() {
        let mut record = testing::record(&testing::version(testing::config(
            r#"{"name": "web", "image": "IMAGE"}"#,
        )));
        record.ports.insert("http".parse().unwrap(), 27_200);
        let value = Detail::from(&record).to_value().unwrap();
        assert!(value.get("placed").is_none(), "a person's is as it was before there were targets");
        assert_eq!(Detail::read(record.instance.as_str(), value.clone()), Some(record.clone()));
        let first = crate::assignment::testing::first(2);
        record.placed = Some(Placed { spec: crux_crdt::service::SpecTag([3; 8]), first });
        let placed = Detail::from(&record).to_value().unwrap();
        assert_eq!(Detail::read(record.instance.as_str(), placed), Some(record));
        for (key, wrong) in [("service", "no name"), ("blob", "?"), ("ports", "")] {
            let mut value = value.clone();
            value[key] = wrong.into();
            assert_eq!(Detail::read("i", value), None, "{key}");
        }
    }
}
