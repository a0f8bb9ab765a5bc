use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::blob::BlobId;
use crux_crdt::document::Target;
use crux_crdt::name::ServiceName;
use crux_crdt::service::SpecTag;

use super::configs::{Known, config_in};
use super::images::Images;
use crate::proctor::goals::BATCHES_MAX;
use crate::proctor::{Assigned, Assignment, Batch, Batches, Goal};

/// The version of a service that a plan gives this node, and how many instances of it may start.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) spec: SpecTag,
    /// None: none may start yet.
    pub(super) batches: Option<Batches>,
}

/// The parts of an assignment, by service.
pub(super) type Parts = BTreeMap<ServiceName, Part>;

/// The parts of an assignment.
///
/// The plan of an honest leader has one version of a service on a node. Of several the one counts that the target
/// document has, else the greatest tag.
pub(super) fn parts(assignment: &Assignment, target: Option<&Target>) -> Parts {
    let mut versions: BTreeMap<&ServiceName, (bool, SpecTag)> = BTreeMap::new();
    for key in assignment.entries.keys() {
        let config = target.and_then(|target| config_in(target, &key.service, key.spec));
        let is_current = config.is_some();
        let version = versions.entry(&key.service).or_insert((is_current, key.spec));
        *version = (*version).max((is_current, key.spec));
    }
    let part = |(service, (_, spec)): (&ServiceName, (bool, SpecTag))| {
        let entries = assignment.entries.iter();
        let of = entries.filter(|(key, _)| key.service == *service && key.spec == spec);
        let batch = |first, count| Batch { first, count };
        let all = of.map(|(key, amount)| batch(key.first, amount.released()));
        (service.clone(), Part { spec, batches: batches(all.filter(|it| it.count > 0).collect()) })
    };
    versions.into_iter().map(part).collect()
}

/// The batches, the oldest of which count as one where they are too many: they order what goes first, and nothing else.
fn batches(mut all: Vec<Batch>) -> Option<Batches> {
    all.sort_unstable();
    while all.len() > BATCHES_MAX {
        let oldest = all.remove(0);
        all[0].count = all[0].count.saturating_add(oldest.count);
    }
    Batches::new(all)
}

/// A part with what is known of it.
pub(super) struct Found<'a> {
    pub(super) name: &'a ServiceName,
    pub(super) part: &'a Part,
    pub(super) known: Known<'a>,
}

impl Found<'_> {
    /// The goal of the service.
    pub(super) fn goal(&self, images: &Images) -> Goal {
        let (spec, Some(batches)) = (self.part.spec, self.part.batches.clone()) else {
            return Goal::Keep;
        };
        let image = |blob| images.get(blob).cloned();
        let run = match &self.known {
            Known::Config(config, blob) => {
                image(blob).and_then(|image| Assigned::new(config, image, batches.clone()))
            }
            Known::NoImage | Known::Nothing => None,
        };
        run.map_or(Goal::Had { spec, batches }, |run| Goal::Run(Box::new(run)))
    }

    /// Whether this node can never run it as it is planned.
    pub(super) fn is_impossible(&self) -> bool {
        match &self.known {
            Known::NoImage => true,
            Known::Config(config, _) => {
                let count = self.part.batches.as_ref().map_or(1, Batches::count);
                count > config.most_on_node()
            }
            Known::Nothing => false,
        }
    }
}

/// The images of all parts of which the config is known.
pub(super) fn images_of(found: &[Found<'_>]) -> BTreeSet<BlobId> {
    let image = |found: &Found<'_>| match found.known {
        Known::Config(_, blob) => Some(blob),
        Known::NoImage | Known::Nothing => None,
    };
    found.iter().filter_map(image).collect()
}
