//! The set that the picket is handed, and the list that it answers with.
//!
//! A set is level, not edge: it names everything that the target wants of one node. So the same set again changes
//! nothing, and a set that was lost is made up for by the next one.

use std::collections::BTreeMap;

use crux_crdt::document::Marker;
use crux_crdt::name::ServiceName;
use crux_crdt::record::{First, Pass, Stage};
use crux_crdt::service::{Config, SERVICES_MAX, SpecTag};

use crate::picket::Image;

/// How many batches one service of a node has at most.
pub const BATCHES_MAX: usize = 16;

/// The place of a set of goals among all of them: first by the target document, then by the pass that planned it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order {
    /// The target document that it enacts.
    pub target: Marker,
    /// The pass that planned it.
    pub pass: Pass,
}

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
    /// Run so many of a version that the node has already. One that it does not have counts as [`Goal::Keep`].
    Had {
        /// The version.
        spec: SpecTag,
        /// How many instances.
        batches: Batches,
    },
    /// Leave it as it is.
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

/// Some instances of a service that were assigned to the node by one pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Batch {
    /// The pass that assigned them first.
    pub first: First,
    /// How many; at least 1.
    pub count: u16,
}

/// How many instances of a service the node is to run, by the pass that assigned them: those that were assigned first
/// come first, each pass once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batches(Vec<Batch>);

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

/// Everything that the target placed on this node, as the picket reports it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Owned {
    /// The order of the set that the picket accepted last; none: there never was one.
    pub order: Option<Order>,
    /// Ascending, each with another key: all but the count.
    pub rows: Vec<OwnedRow>,
}

/// Some instances of one version of a service that are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedRow {
    /// Of which service.
    pub service: ServiceName,
    /// Of which version.
    pub spec: SpecTag,
    /// How far they are.
    pub stage: Stage,
    /// The pass that assigned them first.
    pub first: First,
    /// How many.
    pub count: u16,
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
    /// A config of a target, for as many instances as the batches have; none: a node cannot run so many.
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

impl Batches {
    /// Of these, in any order; those of one pass are put together. None: there are none, or more than
    /// [`BATCHES_MAX`], or one is empty, or they are too many instances.
    pub fn new(mut batches: Vec<Batch>) -> Option<Self> {
        batches.sort_unstable();
        let mut all: Vec<Batch> = Vec::new();
        for batch in batches {
            match all.last_mut().filter(|last| last.first == batch.first) {
                Some(last) => last.count = last.count.checked_add(batch.count)?,
                None => all.push(batch),
            }
        }
        all.iter().try_fold(0_u16, |sum, batch| sum.checked_add(batch.count))?;
        let is_valid = (1..=BATCHES_MAX).contains(&all.len()) && all.iter().all(|it| it.count > 0);
        is_valid.then_some(Self(all))
    }

    /// How many instances they are.
    pub fn count(&self) -> u16 {
        self.0.iter().map(|batch| batch.count).sum()
    }

    /// Those that were assigned first come first.
    pub fn as_slice(&self) -> &[Batch] {
        &self.0
    }
}
