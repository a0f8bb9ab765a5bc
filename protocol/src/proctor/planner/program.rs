use std::collections::BTreeMap;

use crux_crdt::document::Marker;
use crux_crdt::name::ServiceName;
use crux_crdt::service::{Config, SpecTag};
use crux_khan::{Checked, Diagnostic};

use crate::proctor::{Content, Held};

/// A target, ready to be planned: its program checked, and the versions of its services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The document.
    pub marker: Marker,
    /// Its program.
    pub checked: Checked,
    /// The services that it has, each with its version.
    pub services: BTreeMap<ServiceName, Version>,
    /// The version of each service in the generation before, as far as it is known: to go back to.
    pub before: BTreeMap<ServiceName, SpecTag>,
}

/// The version of a service that a target wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its tag.
    pub spec: SpecTag,
    /// Its config.
    pub config: Config,
}

/// The reason why a document cannot be planned. Running instances run on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// It is not a target that this build can read.
    #[error("this build cannot read the target")]
    Unreadable,
    /// Its program has an error, which the command that signed it should have refused.
    #[error("the program of the target has an error: {0}")]
    Program(String),
}

impl Program {
    /// The target that a document has; one that wants nothing if it is deleted.
    ///
    /// # Errors
    /// [`ProgramError`].
    pub fn of(held: &Held) -> Result<Self, ProgramError> {
        let (services, checked) = match &held.content {
            Content::Target(target) => (versions(target.services()), check(target.program())?),
            Content::Deleted => (BTreeMap::new(), Checked::default()),
            Content::Unreadable => return Err(ProgramError::Unreadable),
        };
        Ok(Self { marker: held.marker, checked, services, before: BTreeMap::new() })
    }

    /// The version of a service, if a pick places it.
    pub(super) fn picked(&self, service: &ServiceName) -> Option<&Version> {
        self.checked.pick_of(service.as_str())?;
        self.services.get(service)
    }
}

fn versions(configs: &BTreeMap<ServiceName, Config>) -> BTreeMap<ServiceName, Version> {
    let version = |config: &Config| Version { spec: config.spec_tag(), config: config.clone() };
    configs.iter().map(|(name, config)| (name.clone(), version(config))).collect()
}

fn check(text: &str) -> Result<Checked, ProgramError> {
    let compiled = crux_khan::compile(text);
    let first = || compiled.diagnostics.iter().find(|it| it.is_error());
    let message = |it: &Diagnostic| it.message.clone();
    compiled.checked.ok_or_else(|| ProgramError::Program(first().map_or_else(String::new, message)))
}
