//! The JSON of `desired.json`. Configs are written as people write them; see [`crux_crdt::service`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crux_crdt::name::ServiceName;
use crux_crdt::service::{CONFIG_BYTES_MAX, Config, SERVICES_MAX, SpecTag};
use crux_protocol::picket::{Accepted, Assigned, Batches, Desired, Order, Owner, Version, Wanted};
use serde::{Deserialize, Serialize};

use crate::assignment::{Assignment, Stored, batches, order};
use crate::text;

/// The newest format that this build reads and writes. 2 is 1 with what is done, 3 is 2 with what a target wants.
pub const FORMAT: u64 = 3;
/// The one before. It is written where there never was a target, so that the builds before read it.
const FORMAT_DONE: u64 = 2;
/// The oldest one. It is written where nothing is done either.
pub(super) const FORMAT_OLDEST: u64 = 1;
/// The largest file in bytes: each service has at most three configs, a goal that waits has one, and room for the rest.
pub(super) const BYTES_MAX: u64 = SERVICES_MAX as u64 * (4 * CONFIG_BYTES_MAX as u64 + 64 * 1024);

/// The part that is read first: the format of the rest.
#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) format: u64,
}

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    format: u64,
    generation: u64,
    /// Of the last set of goals that was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "order")]
    order: Option<Order>,
    services: BTreeMap<ServiceName, Entry>,
    /// Its goals that wait.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    blocked: BTreeMap<ServiceName, Assignment>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    run: bool,
    on_trial: bool,
    current: Content,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<Content>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<Content>,
    /// The ordinals of the current content that are done.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    done: BTreeSet<u16>,
    /// The target's word on it; none: it is a person's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<Placing>,
}

/// The target's word on a service that it placed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Placing {
    #[serde(with = "text::one")]
    spec: SpecTag,
    #[serde(with = "batches")]
    batches: Batches,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    number: u64,
    image: Stored,
    config: Config,
}

impl From<&Desired> for File {
    fn from(desired: &Desired) -> Self {
        let services = desired.services.iter().map(|(name, wanted)| (name.clone(), wanted.into()));
        let blocked = desired.accepted.blocked.iter();
        let blocked = blocked.map(|(name, goal)| (name.clone(), goal.into())).collect();
        let (generation, order) = (desired.generation, desired.accepted.order);
        Self {
            format: format_of(desired),
            generation,
            order,
            services: services.collect(),
            blocked,
        }
    }
}

/// The oldest format that can say it.
fn format_of(desired: &Desired) -> u64 {
    let has_done = desired.services.values().any(|wanted| !wanted.done.is_empty());
    match (desired.accepted.order, has_done) {
        (Some(_), _) => FORMAT,
        (None, true) => FORMAT_DONE,
        (None, false) => FORMAT_OLDEST,
    }
}

impl From<&Wanted> for Entry {
    fn from(wanted: &Wanted) -> Self {
        Self {
            run: wanted.run,
            on_trial: wanted.on_trial,
            current: (&*wanted.current).into(),
            previous: wanted.previous.as_deref().map(Content::from),
            refused: wanted.refused.as_deref().map(Content::from),
            done: wanted.done.clone(),
            target: match &wanted.owner {
                Owner::Person => None,
                Owner::Target { spec, batches } => {
                    Some(Placing { spec: *spec, batches: batches.clone() })
                }
            },
        }
    }
}

impl From<&Version> for Content {
    fn from(version: &Version) -> Self {
        let image = version.image.clone().into();
        Self { number: version.number, image, config: version.config.clone() }
    }
}

impl Content {
    /// `is_placed`: the target brought it.
    fn into_version(self, is_placed: bool) -> Arc<Version> {
        let Self { number, image, config } = self;
        let spec = is_placed.then(|| config.spec_tag());
        Arc::new(Version { number, config, image: image.into(), spec })
    }
}

impl Entry {
    /// Whether it agrees with itself, under that name and in a file of that generation.
    fn check(&self, name: &ServiceName, generation: u64) -> Result<(), &'static str> {
        let contents = [Some(&self.current), self.previous.as_ref(), self.refused.as_ref()];
        for content in contents.into_iter().flatten() {
            if content.config.name != *name {
                return Err("its config has another name");
            }
            if content.number > generation {
                return Err("its number is greater than the generation of the file");
            }
            if !content.image.is_absolute() {
                return Err("the path of its image is not absolute");
            }
        }
        if self.done.iter().any(|ordinal| *ordinal >= self.current.config.count) {
            return Err("an instance is done that is beyond its count");
        }
        if self.on_trial && self.previous.is_none() {
            return Err("it is on trial without a previous content");
        }
        if self.target.is_some() && !self.run {
            return Err("the target placed it, and it is stopped");
        }
        Ok(())
    }

    fn into_wanted(self) -> Wanted {
        let is_placed = self.target.is_some();
        let owner = self.target.map(|Placing { spec, batches }| Owner::Target { spec, batches });
        Wanted {
            owner: owner.unwrap_or_default(),
            current: self.current.into_version(is_placed),
            previous: self.previous.map(|content| content.into_version(is_placed)),
            on_trial: self.on_trial,
            refused: self.refused.map(|content| content.into_version(is_placed)),
            run: self.run,
            done: self.done,
        }
    }
}

impl File {
    /// Its meaning.
    ///
    /// # Errors
    /// An entry that contradicts itself, and why.
    pub(super) fn into_desired(self) -> Result<Desired, (String, &'static str)> {
        let (generation, order) = (self.generation, self.order);
        let mut services = BTreeMap::new();
        for (name, entry) in self.services {
            let checked = entry.check(&name, generation).and_then(|()| {
                let is_lost = entry.target.is_some() && order.is_none();
                if is_lost { Err("the target placed it, and there is no order") } else { Ok(()) }
            });
            checked.map_err(|why| (name.to_string(), why))?;
            services.insert(name, entry.into_wanted());
        }
        let mut blocked = BTreeMap::new();
        for (name, goal) in self.blocked {
            let goal = waiting(&name, goal, order).map_err(|why| (name.to_string(), why))?;
            blocked.insert(name, goal);
        }
        Ok(Desired { generation, services, accepted: Accepted { order, blocked } })
    }

    /// The greater number of services and of goals that wait.
    pub(super) fn services(&self) -> usize {
        self.services.len().max(self.blocked.len())
    }
}

/// A goal that waits.
fn waiting(
    name: &ServiceName,
    goal: Assignment,
    order: Option<Order>,
) -> Result<Assigned, &'static str> {
    if goal.config.name != *name {
        return Err("its goal has the config of another service");
    }
    if order.is_none() {
        return Err("its goal waits, and there is no order");
    }
    goal.into_assigned().ok_or("its goal is not one that a node can have")
}
