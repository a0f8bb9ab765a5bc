//! Whether services have room on one node: instances, registrations, ports and names.

use std::sync::Arc;

use crux_crdt::service::{Config, SERVICES_MAX};

use super::desired::Version;
use super::request::Refusal;
use super::rules::{INSTANCES_MAX, REGISTRATIONS_MAX};

/// The contents that are there, to which others are added one by one.
#[derive(Debug, Default)]
pub(super) struct Room(Vec<Arc<Version>>);

impl Room {
    /// With those that are there anyhow.
    pub(super) fn with(there: impl Iterator<Item = Arc<Version>>) -> Self {
        Self(there.collect())
    }

    /// Whether there is room for a config, of a service that is new or is counted already.
    pub(super) fn takes(&self, config: &Config, is_new: bool) -> Result<(), Refusal> {
        if is_new && self.0.len() >= SERVICES_MAX {
            return Err(Refusal::Services);
        }
        let all = || self.0.iter().map(|version| &version.config).chain([config]);
        let instances: usize = all().map(|config| usize::from(config.count)).sum();
        if instances > INSTANCES_MAX {
            return Err(Refusal::Instances);
        }
        let of = |config: &Config| usize::from(config.count) * config.registered_as().len();
        if all().map(of).sum::<usize>() > REGISTRATIONS_MAX {
            return Err(Refusal::Registrations);
        }
        self.0.iter().try_for_each(|other| beside(config, &other.config))
    }

    /// It is there from now on.
    pub(super) fn add(&mut self, version: Option<Arc<Version>>) {
        self.0.extend(version);
    }
}

/// Whether two services can run on one node.
fn beside(config: &Config, other: &Config) -> Result<(), Refusal> {
    let fixed = |config: &Config| -> Vec<u16> {
        config.ports.iter().filter_map(|(_, port)| port.number()).collect()
    };
    let theirs = fixed(other);
    if let Some(port) = fixed(config).into_iter().find(|port| theirs.contains(port)) {
        return Err(Refusal::PortInUse { port, by: other.name.clone() });
    }
    let keys = |config: &Config| {
        let names = config.registered_as().into_iter();
        let horde = config.horde.clone();
        names.map(move |it| (horde.clone(), it.service, it.rev))
    };
    let theirs: Vec<_> = keys(other).collect();
    match keys(config).find(|key| theirs.contains(key)) {
        Some((_, service, rev)) => {
            Err(Refusal::RegisteredTwice { service, rev, by: other.name.clone() })
        }
        None => Ok(()),
    }
}
