//! The solver's view of a horde: nodes, what they have room for, what an instance takes, and what runs where.
//!
//! A [`World`] is a value that the caller builds from what it sees; the solver reads nothing else. **Invariants**,
//! kept by the methods that build one:
//!
//! * Nodes are in the order of their names, and no two have the same name. So two nodes that see the same horde
//!   hand the solver the same value, whatever came first.
//! * Everything has a bound ([`bounds`]), so no sum of loads leaves 64 bits.
//!
//! [`read`](read()) makes one from JSON, for `khan solve` and for tests.

pub mod bounds;
mod error;
mod node;
mod nodes;
mod present;
mod read;
mod resource;
mod service;
mod usage;

use std::collections::BTreeMap;

use crux_crdt::name::ServiceName;

pub use error::WorldError;
pub use node::Node;
pub use nodes::NodeSet;
pub use present::Present;
pub use read::{ReadError, Scene, read};
pub use resource::{Amounts, Resource, Room};
pub use service::Service;
pub use usage::Usage;

use bounds::{AMOUNT_MAX, COUNT_MAX, NODES_MAX, SERVICES_MAX};

/// The solver's view of a horde.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct World {
    nodes: Vec<Node>,
    services: BTreeMap<ServiceName, Service>,
    present: BTreeMap<ServiceName, BTreeMap<usize, Present>>,
}

impl World {
    /// A horde in which nothing runs. The order of the nodes does not matter.
    ///
    /// # Errors
    /// There are too many nodes, two have one name, or one has room beyond the bound.
    pub fn new(mut nodes: Vec<Node>) -> Result<Self, WorldError> {
        if nodes.len() > NODES_MAX {
            return Err(WorldError::Nodes { found: nodes.len() });
        }
        nodes.sort_by(|one, other| one.name.cmp(&other.name));
        if let Some(pair) = nodes.windows(2).find(|pair| pair[0].name == pair[1].name) {
            return Err(WorldError::Twice { node: pair[0].name.clone() });
        }
        let beyond = |node: &&Node| node.room.greatest() > AMOUNT_MAX;
        if let Some(node) = nodes.iter().find(beyond) {
            return Err(WorldError::Amount { of: node.name.clone() });
        }
        Ok(Self { nodes, ..Self::default() })
    }

    /// States what an instance of a service takes, and its priority. A service of which nothing is stated takes
    /// nothing, and has priority 0.
    ///
    /// # Errors
    /// There are too many services, or an instance takes more than the bound.
    pub fn describe(&mut self, name: ServiceName, service: Service) -> Result<(), WorldError> {
        if service.weight.greatest() > AMOUNT_MAX {
            return Err(WorldError::Amount { of: name.to_string() });
        }
        if self.services.len() >= SERVICES_MAX && !self.services.contains_key(&name) {
            return Err(WorldError::Services);
        }
        self.services.insert(name, service);
        Ok(())
    }

    /// States what of a service runs, or is assigned and on its way, on a node. A count of 0: nothing.
    ///
    /// # Errors
    /// The node is unknown, there are too many services, or the count is beyond the bound.
    pub fn run(
        &mut self,
        name: ServiceName,
        node: &str,
        present: Present,
    ) -> Result<(), WorldError> {
        let at = self.index(node).ok_or_else(|| WorldError::Unknown { node: node.to_owned() })?;
        if present.count > COUNT_MAX {
            return Err(WorldError::Count { found: present.count });
        }
        if self.present.len() >= SERVICES_MAX && !self.present.contains_key(&name) {
            return Err(WorldError::Services);
        }
        let nodes = self.present.entry(name).or_default();
        if present.count == 0 {
            nodes.remove(&at);
        } else {
            nodes.insert(at, present);
        }
        Ok(())
    }

    /// Changes what becomes of a node.
    ///
    /// # Errors
    /// The node is unknown.
    pub fn set_usage(&mut self, node: &str, usage: Usage) -> Result<(), WorldError> {
        let at = self.index(node).ok_or_else(|| WorldError::Unknown { node: node.to_owned() })?;
        self.nodes[at].usage = usage;
        Ok(())
    }

    /// The nodes, in the order of their names.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The place of a node in [`nodes`](Self::nodes).
    pub fn index(&self, node: &str) -> Option<usize> {
        self.nodes.binary_search_by(|it| it.name.as_str().cmp(node)).ok()
    }

    /// The resources that an instance of a service takes, and its priority.
    pub fn service(&self, name: &ServiceName) -> Service {
        self.services.get(name).copied().unwrap_or_default()
    }

    /// The instances of a service present on a node.
    pub fn present(&self, name: &ServiceName, node: usize) -> Option<Present> {
        self.present.get(name)?.get(&node).copied()
    }

    /// The instances of a service that are present, by node.
    pub fn present_of(&self, name: &ServiceName) -> impl Iterator<Item = (usize, Present)> {
        self.present.get(name).into_iter().flatten().map(|(node, present)| (*node, *present))
    }

    /// The services of which something is or was present.
    pub fn services_present(&self) -> impl Iterator<Item = &ServiceName> {
        self.present.keys()
    }
}
