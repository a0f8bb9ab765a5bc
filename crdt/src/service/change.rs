//! Consequences of a config: registrations, and what another config of the same service changes.

use std::collections::BTreeMap;

use super::config::{Config, Fields};
use super::policy::UpdateBy;
use super::port::{Port, PortName};
use super::register::{Register, RegisterAs};
use crate::name::ServiceName;
use crate::record::ServiceKey;

/// The step from one config to another one of the same service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Nothing: they say the same.
    Nothing,
    /// The running instances stay: times, checks, registrations, the number of instances, what only a target uses.
    Settings,
    /// Instances have to be started with it: the program, or what it was given at its start.
    Instances,
}

/// The config is that of another service: the name is the one thing that an update cannot change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is the config of {next}, and cannot replace that of {name}")]
pub struct OtherService {
    /// The service.
    pub name: ServiceName,
    /// The name in the config.
    pub next: ServiceName,
}

impl<I> Fields<I> {
    /// How an update replaces an instance: as written; else by overlap, unless a port has a fixed number, as
    /// two instances cannot have it.
    pub fn update_by(&self) -> UpdateBy {
        let is_fixed = self.ports.iter().any(|(_, port)| port.number().is_some());
        self.update.unwrap_or(if is_fixed { UpdateBy::Replace } else { UpdateBy::Overlap })
    }

    /// The names under which it is registered while it is well.
    pub fn registered_as(&self) -> Vec<RegisterAs> {
        match (&self.register, self.ports.first()) {
            (Register::List(list), _) => list.clone(),
            (Register::ByName, None) => Vec::new(),
            (Register::ByName, Some(port)) => vec![RegisterAs {
                service: self.name.clone(),
                rev: self.rev.clone(),
                port: port.clone(),
                labels: BTreeMap::new(),
            }],
        }
    }

    /// The registrations of the instance with that ordinal (the first has 0), each with its port's number and
    /// its labels. `ports` has the numbers of the ports that are `auto`; what has none is not registered.
    pub fn registrations(
        &self,
        ordinal: u16,
        ports: &BTreeMap<PortName, u16>,
    ) -> Vec<(ServiceKey, u16, BTreeMap<String, String>)> {
        let number = |name: &PortName| {
            let fixed = self.ports.get(name).and_then(Port::number);
            fixed.or_else(|| ports.get(name).copied())
        };
        let resolve = |entry: RegisterAs| {
            let port = number(&entry.port)?;
            let (service, rev) = (entry.service, entry.rev);
            Some((
                ServiceKey { horde: self.horde.clone(), service, rev, ordinal },
                port,
                entry.labels,
            ))
        };
        self.registered_as().into_iter().filter_map(resolve).collect()
    }
}

impl Config {
    /// Whether both say the same, however it is written.
    pub fn same_content(&self, other: &Self) -> bool {
        self.plain() == other.plain()
    }

    /// The step from this config to the next one of the same service.
    ///
    /// # Errors
    /// [`OtherService`]: the next one has another name.
    pub fn change_to(&self, next: &Self) -> Result<Change, OtherService> {
        if self.name != next.name {
            return Err(OtherService { name: self.name.clone(), next: next.name.clone() });
        }
        let (old, new) = (self.plain(), next.plain());
        if old == new {
            return Ok(Change::Nothing);
        }
        // A field that is not named here means new instances, so that a later one is not forgotten.
        let settings = Self::settings_of(old, &new);
        Ok(if settings == new { Change::Settings } else { Change::Instances })
    }

    /// The old fields with those of the new ones that running instances can stay with.
    fn settings_of(old: Fields<super::Image>, new: &Fields<super::Image>) -> Fields<super::Image> {
        Fields {
            register: new.register.clone(),
            check: new.check.clone(),
            count: new.count,
            restart: new.restart,
            update: new.update,
            start_period: new.start_period,
            start_timeout: new.start_timeout,
            drain: new.drain,
            quit_timeout: new.quit_timeout,
            backoff_max: new.backoff_max,
            retry_failed: new.retry_failed,
            log_max: new.log_max,
            priority: new.priority,
            rollout: new.rollout,
            moving: new.moving,
            ..old
        }
    }

    /// The fields with what is absent written out.
    pub(super) fn plain(&self) -> Fields<super::Image> {
        let (register, update) = (self.registered_as(), self.update_by());
        Fields {
            register: Register::List(register),
            update: Some(update),
            ..self.clone().into_fields()
        }
    }
}
