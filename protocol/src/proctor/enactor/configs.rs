use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::blob::BlobId;
use crux_crdt::document::Target;
use crux_crdt::name::ServiceName;
use crux_crdt::record::Stage;
use crux_crdt::service::{Config, Machine, SpecTag};

use super::earlier::Earlier;
use super::parts::Parts;
use crate::proctor::Owned;

/// The configs of what the node is to run. Each was found in what a user signed, whatever the leader says: in the target
/// document, or in an earlier generation.
///
/// **Invariant**: it remembers at most one for each service of the assignment, and that for as long as the version is in
/// it: so a target that replaces another one changes nothing here before it is planned.
#[derive(Debug, Default)]
pub(super) struct Configs(BTreeMap<ServiceName, (SpecTag, Config)>);

/// The knowledge about a version.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known<'a> {
    /// Its config, and its image for this machine.
    Config(&'a Config, BlobId),
    /// There is no image of it for this machine.
    NoImage,
    /// It may be in an earlier generation that is not here.
    Nothing,
}

impl Configs {
    /// Looks for the versions of all parts. Returns those that are in nothing that is here.
    pub(super) fn find(
        &mut self,
        parts: &Parts,
        target: Option<&Target>,
        earlier: &Earlier,
    ) -> BTreeSet<(ServiceName, SpecTag)> {
        self.0.retain(|name, (spec, _)| parts.get(name).is_some_and(|part| part.spec == *spec));
        let mut missing = BTreeSet::new();
        for (name, part) in parts {
            if self.0.contains_key(name) {
                continue;
            }
            let current = target.and_then(|target| config_in(target, name, part.spec));
            match current.or_else(|| earlier.config(name, part.spec)) {
                Some(config) => _ = self.0.insert(name.clone(), (part.spec, config.clone())),
                None => _ = missing.insert((name.clone(), part.spec)),
            }
        }
        missing
    }

    /// Looks up the version of a service that the assignment has.
    pub(super) fn of(&self, name: &ServiceName, machine: Machine) -> Known<'_> {
        let Some((_, config)) = self.0.get(name) else { return Known::Nothing };
        config.image.of(machine).map_or(Known::NoImage, |blob| Known::Config(config, blob))
    }
}

/// The config of a version of a service in a target.
pub(super) fn config_in<'a>(
    target: &'a Target,
    service: &ServiceName,
    spec: SpecTag,
) -> Option<&'a Config> {
    target.services().get(service).filter(|config| config.spec_tag() == spec)
}

/// Whether the picket has a version: something of it runs, or is to run.
pub(super) fn is_had(owned: &Owned, service: &ServiceName, spec: SpecTag) -> bool {
    let has = |stage| matches!(stage, Stage::Starting | Stage::Ready | Stage::Done | Stage::Wedged);
    let mut rows = owned.rows.iter();
    rows.any(|row| row.service == *service && row.spec == spec && has(row.stage))
}
