//! The target of the node, and the proctor that hands in its goals. The proctor makes no mistakes, but may be that of an
//! old leader: it also hands in sets that are too old, and the same ones again.

use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::document::Marker;
use crux_crdt::name::ServiceName;
use crux_crdt::record::Pass;
use crux_crdt::{Digest, Principal};
use crux_protocol::picket::{
    Assigned, Batch, Batches, Event, Goal, Goals, Order, Request, RequestId, Wait,
};
use rand::RngExt as _;

use super::program::{self, CHECKED, CONTENTS_OF_TARGET, SERVICES};
use super::world::World;

/// How many sets are remembered, for one that is too old.
const SETS_MAX: usize = 8;

/// Everything that was handed in.
#[derive(Debug, Default)]
pub(super) struct Target {
    generation: u64,
    pass: u64,
    /// How many sets an old leader made: no two of its sets have one order either.
    strays: u64,
    /// The last sets, the newest last.
    sets: Vec<Goals>,
    /// The last one that the node took.
    pub(super) taken: Option<Goals>,
}

impl Target {
    /// The order of the next set: of another document, or another pass of the same.
    fn next(&mut self, is_document: bool) -> Order {
        self.pass += 1;
        self.generation += u64::from(is_document);
        self.order(self.generation, self.pass)
    }

    /// Every tenth pass begins another term, with other leaders.
    fn order(&self, generation: u64, pass: u64) -> Order {
        let id = Digest([u8::try_from(generation % 256).unwrap_or(0); 32]);
        let target = Marker { grants_version: 1, generation, id };
        let term = pass / 10;
        let leader = Principal([u8::try_from(term % 3).unwrap_or(0); 32]);
        Order { target, pass: Pass { term, leader, pass } }
    }

    fn keep(&mut self, goals: &Goals) {
        if self.sets.len() == SETS_MAX {
            self.sets.remove(0);
        }
        self.sets.push(goals.clone());
    }
}

impl World {
    /// The target does something.
    pub(super) fn act_of_target(&mut self) {
        match self.rng.random_range(0..8) {
            0..4 => self.hand_in_new(),
            4 => self.hand_in_again(),
            5 => self.hand_in_old(),
            6 => self.change_period(),
            _ => self.hand_in_older_target(),
        }
    }

    /// A set that nobody has seen yet.
    pub(super) fn hand_in_new(&mut self) {
        let is_document = self.rng.random_bool(0.5);
        let mut goals = BTreeMap::new();
        for service in 0..SERVICES.len() {
            if self.rng.random_bool(0.7) {
                goals.insert(name(service), self.draw_goal(service));
            }
        }
        let Some(target) = &mut self.target else { return };
        let order = target.next(is_document);
        self.hand_in(order, goals);
    }

    fn draw_goal(&mut self, service: usize) -> Goal {
        let content = self.rng.random_range(0..CONTENTS_OF_TARGET);
        let goal = self.assign(service, content);
        match self.rng.random_range(0..10) {
            0 => Goal::Keep,
            1 => Goal::Had { spec: goal.spec(), batches: goal.batches().clone() },
            _ => Goal::Run(Box::new(goal)),
        }
    }

    /// A content with as many instances as its config says: one of an early pass, the others of the last.
    fn assign(&self, service: usize, content: u8) -> Assigned {
        let (config, image) = program::content(service, content);
        let target = self.target.as_ref().expect("only a target assigns");
        let batch = |pass, count| Batch { first: target.order(0, pass).pass.into(), count };
        let mut batches = vec![batch(0, 1)];
        if config.count > 1 {
            batches.push(batch(target.pass, config.count - 1));
        }
        let batches = Batches::new(batches).expect("two at most");
        Assigned::new(&config, image, batches).expect("as many as the config has")
    }

    /// The last set again, as after a restart of the fulcrum.
    pub(super) fn hand_in_again(&mut self) {
        let last = self.target.as_ref().and_then(|target| target.sets.last().cloned());
        if let Some(last) = last {
            self.hand_in(last.order(), last.services().clone());
        }
    }

    /// One of an earlier pass or document.
    fn hand_in_old(&mut self) {
        let sets = self.target.as_ref().map(|target| target.sets.clone()).unwrap_or_default();
        let at = self.rng.random_range(0..sets.len().max(1));
        if let Some(old) = sets.get(at) {
            self.hand_in(old.order(), old.services().clone());
        }
    }

    /// A leader that does not know of the last document, with a greater fence.
    fn hand_in_older_target(&mut self) {
        let Some(target) = &mut self.target else { return };
        target.strays += 1;
        let pass = target.pass + 20 + target.strays;
        let order = target.order(target.generation.saturating_sub(1), pass);
        let goals = (0..SERVICES.len()).map(|service| (name(service), self.draw_goal(service)));
        let goals: BTreeMap<_, _> = goals.collect::<Vec<_>>().into_iter().collect();
        self.hand_in(order, goals);
    }

    /// The last set, with another period for a service that has checks.
    fn change_period(&mut self) {
        let last = self.target.as_ref().and_then(|target| target.sets.last().cloned());
        let mut goals = last.map(|goals| goals.services().clone()).unwrap_or_default();
        let service = self.rng.random_range(0..SERVICES.len());
        let has = |content: u8| {
            let (config, _) = program::content(service, content);
            let goal = goals.get(&config.name);
            matches!(goal, Some(Goal::Run(goal)) if goal.config().period == config.period)
        };
        let content = if has(CHECKED[0]) { CHECKED[1] } else { CHECKED[0] };
        goals.insert(name(service), Goal::Run(Box::new(self.assign(service, content))));
        let Some(target) = &mut self.target else { return };
        let order = target.next(true);
        self.hand_in(order, goals);
    }

    fn hand_in(&mut self, order: Order, goals: BTreeMap<ServiceName, Goal>) {
        // The fulcrum has them from the others, and hands them on.
        if !self.fulcrum {
            return;
        }
        let goals = Goals::new(order, goals).expect("a few, each with its own config");
        if let Some(target) = &mut self.target {
            let is_newest = target.sets.last().is_none_or(|last| last.order() <= order);
            if is_newest && order.target.generation == target.generation {
                target.keep(&goals);
            }
        }
        self.ask(Request::Goals(Box::new(goals)), Wait::Nothing);
    }

    /// The fulcrum ended, and nobody waits for the answers to its goals.
    pub(super) fn cancel_goals(&mut self) {
        let goals = self.asked.iter().filter(|(_, it)| matches!(it.request, Request::Goals(_)));
        let goals: BTreeSet<RequestId> = goals.map(|(id, _)| *id).collect();
        for id in goals {
            self.asked.remove(&id);
            self.tell(Event::Cancel { id });
        }
    }
}

fn name(service: usize) -> ServiceName {
    SERVICES[service].parse().expect("small letters make a name")
}
