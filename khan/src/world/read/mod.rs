//! A world from JSON: what `khan solve --world FILE` takes.
//!
//! ```json
//! {
//!   "nodes": [{"name": "kv0", "labels": ["KV"]}, {"name": "n1", "labels": {"zone": "a"}, "room": [2000, 512, 8]}],
//!   "present": {"web": {"kv0": 1, "n1": {"count": 2, "rank": 7}}},
//!   "usage": {"n1": "keep"},
//!   "room": [4000, null, 16],
//!   "weights": {"web": [500, 256, 1]},
//!   "priorities": {"web": 10},
//!   "stages": {"web": {"ready": 1, "start": 2}}
//! }
//! ```
//!
//! Only `nodes` must be there. Labels are a list of keys, or an object of keys and values. `room` and the weights
//! are processors in 1/1000, memory in MiB, and places; `null` is without limit, and a node's own `room` holds in
//! place of the common one. A service without a weight takes nothing. Every instance present is ready, unless
//! `stages` names its service: then so many are in that stage and no further.
//!
//! **Strict.** Unknown keys, keys that are there twice, unknown nodes and amounts beyond the bounds are refused with
//! the line and column, or with the path of the value; nothing is left out silently. Bytes come from a person or a
//! program, so the reader bounds them before it reads them and never panics.

mod error;
mod raw;
mod unique;

use std::collections::BTreeMap;

use crux_crdt::name::ServiceName;

use super::bounds::{BYTES_MAX, NAME_MAX};
use super::{Amounts, Node, Room, Service, World, WorldError};
use crate::pass::Stages;
use raw::{RawNode, RawWorld};

pub use error::ReadError;

/// A world, and how far the instances in it are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scene {
    /// The world.
    pub world: World,
    /// How many instances are in which stage.
    pub stages: Stages,
}

/// Reads a world.
///
/// # Errors
/// The text is too large, not JSON, or not a world; the error says where.
pub fn read(text: &str) -> Result<Scene, ReadError> {
    if text.len() > BYTES_MAX {
        return Err(ReadError::TooLarge { found: text.len() });
    }
    let raw: RawWorld = serde_json::from_str(text)?;
    let mut world = nodes(raw.nodes, raw.room)?;
    for (node, usage) in raw.usage.0 {
        let set = world.set_usage(&node, usage);
        set.map_err(|why| ReadError::at(format!("usage.{node}"), why))?;
    }
    services(&mut world, raw.weights.0, &raw.priorities.0)?;
    let mut stages = Stages::default();
    for (service, nodes) in raw.present.0 {
        let name = name(&service, "present")?;
        for (node, present) in nodes.0 {
            let ran = world.run(name.clone(), &node, present.into());
            ran.map_err(|why| ReadError::at(format!("present.{service}.{node}"), why))?;
        }
        stages.all_ready(&world, &name);
    }
    for (service, counts) in raw.stages.0 {
        stages.put(name(&service, "stages")?, counts.0);
    }
    Ok(Scene { world, stages })
}

fn nodes(raw: Vec<RawNode>, common: Option<[Option<u64>; 3]>) -> Result<World, ReadError> {
    let common = Room(common.unwrap_or_default());
    if let Some(at) = raw.iter().position(|node| !(1..=NAME_MAX).contains(&node.name.len())) {
        return Err(ReadError::Name { path: format!("nodes[{at}].name"), why: NAME.to_owned() });
    }
    let node = |raw: RawNode| Node {
        name: raw.name,
        labels: raw.labels.0,
        room: raw.room.map_or(common, Room),
        ..Node::default()
    };
    let nodes = raw.into_iter().map(node).collect();
    World::new(nodes).map_err(|why| ReadError::at("nodes".to_owned(), why))
}

const NAME: &str = "the name of a node has 1 to 255 bytes";

fn services(
    world: &mut World,
    weights: BTreeMap<String, [u64; 3]>,
    priorities: &BTreeMap<String, i32>,
) -> Result<(), ReadError> {
    for (service, weight) in weights {
        let described = Service { weight: Amounts(weight), priority: 0 };
        let described = world.describe(name(&service, "weights")?, described);
        described.map_err(|why| ReadError::at(format!("weights.{service}"), why))?;
    }
    for (service, priority) in priorities {
        let name = name(service, "priorities")?;
        let described = Service { priority: *priority, ..world.service(&name) };
        let described: Result<(), WorldError> = world.describe(name, described);
        described.map_err(|why| ReadError::at(format!("priorities.{service}"), why))?;
    }
    Ok(())
}

fn name(service: &str, of: &str) -> Result<ServiceName, ReadError> {
    let why = |why| ReadError::Name {
        path: format!("{of}.{service}"),
        why: format!("invalid name of a service: {why}"),
    };
    service.parse().map_err(why)
}
