//! How far instances are.

use std::collections::BTreeMap;

use crux_crdt::name::ServiceName;

use crate::syntax::Stage;
use crate::world::World;

/// How many instances of each service are in which stage. Each instance is counted once, in the furthest stage that it
/// reached; [`Stage::Start`] counts those that are no further.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stages {
    counts: BTreeMap<ServiceName, BTreeMap<Stage, u32>>,
}

impl Stages {
    /// States all counts of a service.
    pub fn put(&mut self, service: ServiceName, counts: BTreeMap<Stage, u32>) {
        self.counts.insert(service, counts);
    }

    /// States that each instance of a service that is present is ready.
    pub fn all_ready(&mut self, world: &World, service: &ServiceName) {
        let ready =
            world.present_of(service).fold(0_u32, |sum, (_, it)| sum.saturating_add(it.count));
        self.put(service.clone(), BTreeMap::from([(Stage::Ready, ready)]));
    }

    /// How many instances of a service meet a condition on a stage: those in it; for [`Stage::Start`] all that are
    /// started and not lost.
    pub fn count(&self, service: &ServiceName, stage: Stage) -> u32 {
        let counts = self.counts.get(service).into_iter().flatten();
        let meets = |it: Stage| it == stage || (stage == Stage::Start && it != Stage::Unknown);
        counts.filter(|(it, _)| meets(**it)).fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}
