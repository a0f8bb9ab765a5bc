use core::time::Duration;
use std::collections::BTreeMap;

use crux_crdt::Principal;
use crux_crdt::document::Usage;
use crux_crdt::name::ServiceName;
use crux_khan::world::bounds::AMOUNT_MAX;
use crux_khan::world::{Amounts, Node, Present, Room, Service, World, WorldError};
use crux_khan::{pass::Stages as Stage, syntax};

use super::there::{Presence, There, presences};
use super::{Newest, Program, Timers, Version, View};
use crate::time::Instant;

/// How long a node is dead until it is in no set any more, if nothing keeps a place there. Guess: as long as instances
/// keep their places unless their service says otherwise.
const WHOLLY_LOST: Duration = crux_crdt::service::default::REPLACE_AFTER;

/// A horde as its leader sees it: view, target and newest plan, with what is lost by now.
///
/// **Invariant**: a dead node keeps what it has and gets nothing. It is in no set only once it is dead for
/// [`WHOLLY_LOST`], no service keeps a place there, and the leader does not see a minority: so that a minority neither
/// replaces nor shrinks anything.
pub(super) struct Horde<'a> {
    pub(super) view: &'a View,
    pub(super) program: &'a Program,
    pub(super) newest: Option<&'a Newest>,
    pub(super) now: Instant,
    /// The places of each service that the target places.
    pub(super) there: BTreeMap<&'a ServiceName, Presence>,
}

impl<'a> Horde<'a> {
    pub(super) fn new(
        view: &'a View,
        program: &'a Program,
        newest: Option<&'a Newest>,
        (timers, now): (&Timers, Instant),
    ) -> Self {
        let mut horde = Self { view, program, newest, now, there: BTreeMap::new() };
        let services: Vec<&ServiceName> = horde.services().map(|(name, _)| name).collect();
        horde.there = presences(view, newest, &services, &timers.ended);
        horde
    }

    /// The services that the target places, with their versions.
    pub(super) fn services(
        &self,
    ) -> impl Iterator<Item = (&'a ServiceName, &'a Version)> + use<'a> {
        let program = self.program;
        let all = program.services.iter();
        all.filter(|(name, _)| program.picked(name).is_some())
    }

    /// The places of a service.
    pub(super) fn of(&self, service: &ServiceName) -> impl Iterator<Item = (&Principal, &There)> {
        self.there.get(service).into_iter().flatten()
    }

    /// Whether the places of a service on a node are lost.
    pub(super) fn is_lost(&self, node: &Principal, version: &Version, timers: &Timers) -> bool {
        timers.deaths.is_lost(node, &version.config.moving, self.now)
    }

    pub(super) fn node(&self, node: &Principal) -> Option<&'a super::Node> {
        self.view.nodes.get(node)
    }

    pub(super) fn is_alive(&self, node: &Principal) -> bool {
        self.node(node).is_some_and(|node| node.is_alive)
    }

    /// The solver's view.
    pub(super) fn world(&self, timers: &Timers) -> Result<World, WorldError> {
        let node = |(principal, node): (&Principal, &super::Node)| Node {
            name: node.name.clone(),
            labels: node.labels.clone(),
            usage: self.usage(principal, node, timers),
            room: Room(node.room.0.map(|limit| limit.map(|limit| limit.min(AMOUNT_MAX)))),
        };
        let mut world = World::new(self.view.nodes.iter().map(node).collect())?;
        let has_places = self.view.nodes.values().any(|node| node.room.0[2].is_some());
        for (name, version) in self.services() {
            world.describe(name.clone(), service(version, has_places))?;
            self.state(name, version, timers, &mut world)?;
        }
        Ok(world)
    }

    fn usage(
        &self,
        principal: &Principal,
        node: &super::Node,
        timers: &Timers,
    ) -> crux_khan::world::Usage {
        use crux_khan::world::Usage as Becomes;
        match node.usage {
            Usage::Draining { .. } => Becomes::Out,
            _ if self.is_wholly_lost(principal, timers) => Becomes::Out,
            _ if !node.is_alive => Becomes::Keep,
            Usage::Cordoned => Becomes::Keep,
            Usage::Open => Becomes::Open,
        }
    }

    fn is_wholly_lost(&self, node: &Principal, timers: &Timers) -> bool {
        let deaths = &timers.deaths;
        let is_due = deaths.is_dead_for(node, WHOLLY_LOST, self.now) && !deaths.is_minority();
        let keeps = |(name, version): (&'a ServiceName, &'a Version)| {
            let there = self.there.get(name).and_then(|there| there.get(node));
            let is_there = there.is_some_and(|there| there.count() > 0);
            is_there && !self.is_lost(node, version, timers)
        };
        is_due && !self.services().any(keeps)
    }

    /// States the places of a service, but for those that are lost. Ready instances stay first, then those that were
    /// assigned first.
    fn state(
        &self,
        name: &ServiceName,
        version: &Version,
        timers: &Timers,
        world: &mut World,
    ) -> Result<(), WorldError> {
        let kept = || self.of(name).filter(|(node, _)| !self.is_lost(node, version, timers));
        let place = |(node, there): (&Principal, &There)| {
            if crux_crdt::planted!(SurplusByName) {
                return (false, crux_crdt::record::First::default());
            }
            (!(self.is_alive(node) && there.is_ready()), there.youngest())
        };
        let mut order: Vec<_> = kept().map(place).collect();
        order.sort_unstable();
        order.dedup();
        for (node, there) in kept() {
            let rank = order.binary_search(&place((node, there))).unwrap_or_default() as u64;
            let Some(it) = self.node(node) else { continue };
            world.run(name.clone(), &it.name, Present { count: there.count(), rank })?;
        }
        Ok(())
    }

    /// How far the instances of all services are, for the conditions of starts.
    pub(super) fn stages(&self) -> Stage {
        let mut stages = Stage::default();
        for name in self.there.keys() {
            let mut counts: BTreeMap<syntax::Stage, u32> = BTreeMap::new();
            for (node, there) in self.of(name) {
                let is_alive = self.is_alive(node);
                let mut count = |stage, more| *counts.entry(stage).or_default() += more;
                let it = there.stages;
                if is_alive {
                    count(syntax::Stage::Start, it.started);
                    count(syntax::Stage::Ready, it.ready);
                    count(syntax::Stage::Done, it.done);
                } else {
                    count(syntax::Stage::Unknown, it.started + it.ready + it.done);
                }
            }
            stages.put((*name).clone(), counts);
        }
        stages
    }

    /// When a node is lost next, to a service or wholly, if nothing changes.
    pub(super) fn next_loss(&self, timers: &Timers) -> Instant {
        let deaths = &timers.deaths;
        let mut next = Instant::NEVER;
        for node in self.view.nodes.keys() {
            let Some(since) = deaths.dead_since(node) else { continue };
            let of = |(name, version): (&'a ServiceName, &'a Version)| {
                self.there.get(name)?.get(node)?;
                deaths.lost_at(node, &version.config.moving)
            };
            let all = self.services().filter_map(of).chain([since + WHOLLY_LOST]);
            next = all.filter(|at| *at > self.now).fold(next, Instant::min);
        }
        next
    }
}

/// The weight of an instance. Places count only where nodes say how many they have.
fn service(version: &Version, has_places: bool) -> Service {
    const MIB: u64 = 1 << 20;
    let limits = version.config.limits.as_ref();
    let cpu = limits.and_then(|it| it.cpu_milli).unwrap_or_default();
    let memory = limits.and_then(|it| it.memory).unwrap_or_default();
    let amounts = Amounts([u64::from(cpu), memory.div_ceil(MIB), u64::from(has_places)]);
    Service { weight: amounts, priority: version.config.priority }
}
