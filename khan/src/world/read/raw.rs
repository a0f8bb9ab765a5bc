//! A world as it is written.

use core::fmt;
use std::collections::BTreeMap;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::unique::Unique;
use crate::syntax::Stage;
use crate::world::{Present, Usage};

/// A world as it is written.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWorld {
    pub(super) nodes: Vec<RawNode>,
    #[serde(default)]
    pub(super) present: Unique<String, Unique<String, RawPresent>>,
    #[serde(default)]
    pub(super) usage: Unique<String, Usage>,
    #[serde(default)]
    pub(super) room: Option<[Option<u64>; 3]>,
    #[serde(default)]
    pub(super) weights: Unique<String, [u64; 3]>,
    #[serde(default)]
    pub(super) priorities: Unique<String, i32>,
    #[serde(default)]
    pub(super) stages: Unique<String, Unique<Stage, u32>>,
}

/// A node as it is written.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawNode {
    pub(super) name: String,
    #[serde(default)]
    pub(super) labels: Labels,
    #[serde(default)]
    pub(super) room: Option<[Option<u64>; 3]>,
}

/// A list of keys, or an object of keys and values.
#[derive(Debug, Default)]
pub(super) struct Labels(pub(super) BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(LabelsVisitor)
    }
}

struct LabelsVisitor;

impl<'de> Visitor<'de> for LabelsVisitor {
    type Value = Labels;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of keys, or an object of keys and values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Labels, A::Error> {
        let mut labels = BTreeMap::new();
        while let Some(key) = from.next_element::<String>()? {
            if labels.contains_key(&key) {
                return Err(A::Error::custom(format_args!("{key:?} is there twice")));
            }
            labels.insert(key, String::new());
        }
        Ok(Labels(labels))
    }

    fn visit_map<A: MapAccess<'de>>(self, from: A) -> Result<Labels, A::Error> {
        Unique::deserialize(MapAccessDeserializer::new(from)).map(|it: Unique<_, _>| Labels(it.0))
    }
}

/// A number of instances, or an object with their number and their rank.
#[derive(Debug)]
pub(super) struct RawPresent(Present);

impl From<RawPresent> for Present {
    fn from(raw: RawPresent) -> Self {
        raw.0
    }
}

/// The object.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Ranked {
    count: u32,
    #[serde(default)]
    rank: u64,
}

impl<'de> Deserialize<'de> for RawPresent {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(PresentVisitor)
    }
}

struct PresentVisitor;

impl<'de> Visitor<'de> for PresentVisitor {
    type Value = RawPresent;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of instances, or an object with `count` and `rank`")
    }

    fn visit_u64<E: Error>(self, count: u64) -> Result<RawPresent, E> {
        let count = u32::try_from(count);
        let count = count.map_err(|_| E::custom("more instances than are possible"))?;
        Ok(RawPresent(Present::of(count)))
    }

    fn visit_map<A: MapAccess<'de>>(self, from: A) -> Result<RawPresent, A::Error> {
        let Ranked { count, rank } = Ranked::deserialize(MapAccessDeserializer::new(from))?;
        Ok(RawPresent(Present { count, rank }))
    }
}
