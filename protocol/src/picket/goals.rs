//! Everything that a target wants of a node, as one set.

use std::collections::BTreeMap;

use crux_crdt::name::ServiceName;
use crux_crdt::service::{Config, SERVICES_MAX, SpecTag};

use super::batches::Batches;
use super::desired::Image;
use super::order::Order;

/// Everything that a target wants of one node: what is not in it ends, if the target had placed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goals {
    order: Order,
    services: BTreeMap<ServiceName, Goal>,
}

/// The goal of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goal {
    /// Run this.
    Run(Box<Assigned>),
    /// Run so many of a version that the node has already, now or to go back to. One that it does not have
    /// counts as [`Goal::Keep`].
    Had {
        /// The version.
        spec: SpecTag,
        /// How many instances.
        batches: Batches,
    },
    /// Leave it as it is: its image is not here yet, or something about it is not decided.
    Keep,
}

/// A version of a service with its image, and how many instances of it the node is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    config: Config,
    image: Image,
    spec: SpecTag,
    batches: Batches,
}

/// Why goals are not a set that a node can take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GoalsError {
    /// More than [`SERVICES_MAX`].
    #[error("{0} services, and a node runs at most {SERVICES_MAX}")]
    TooMany(usize),
    /// A goal has the config of another service.
    #[error("the goal of {name} has the config of {found}")]
    OtherService {
        /// The goal's.
        name: ServiceName,
        /// The config's.
        found: ServiceName,
    },
}

impl Goals {
    /// A set of goals.
    ///
    /// # Errors
    /// [`GoalsError`].
    pub fn new(order: Order, services: BTreeMap<ServiceName, Goal>) -> Result<Self, GoalsError> {
        if services.len() > SERVICES_MAX {
            return Err(GoalsError::TooMany(services.len()));
        }
        for (name, goal) in &services {
            if let Goal::Run(assigned) = goal
                && assigned.config.name != *name
            {
                let (name, found) = (name.clone(), assigned.config.name.clone());
                return Err(GoalsError::OtherService { name, found });
            }
        }
        Ok(Self { order, services })
    }

    /// Its place among all sets.
    pub const fn order(&self) -> Order {
        self.order
    }

    /// The goal of each service.
    pub const fn services(&self) -> &BTreeMap<ServiceName, Goal> {
        &self.services
    }
}

impl Assigned {
    /// A config as a node runs it, for as many instances as the batches have; none: it cannot have so many.
    pub fn new(config: &Config, image: Image, batches: Batches) -> Option<Self> {
        let config = config.on_node(batches.count()).ok()?;
        let spec = config.spec_tag();
        Some(Self { config, image, spec, batches })
    }

    /// The config, with that many instances.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Its image for this machine.
    pub const fn image(&self) -> &Image {
        &self.image
    }

    /// Which version it is: computed from the config.
    pub const fn spec(&self) -> SpecTag {
        self.spec
    }

    /// How many instances.
    pub const fn batches(&self) -> &Batches {
        &self.batches
    }
}
