//! A node of a modelled horde: its replica, its leader's engine, and what it runs.

use std::collections::BTreeMap;

use crux_crdt::document::Marker;
use crux_crdt::record::{
    Amount, InstanceKey, InstanceReport, NameTag, Pass as Number, PlanKey, Stage,
};
use crux_crdt::service::SpecTag;
use crux_protocol::proctor::planner::{Newest, State};
use crux_protocol::proctor::{Held, Reach};

use super::rig::{horde, node, spec};

/// The version of `web` that never gets ready.
pub(crate) const BAD: u8 = 2;
/// After so many ticks an instance is ready, or failed.
const STARTS: u32 = 3;

/// The record of a node.
#[derive(Clone, Default)]
pub(crate) struct Fact {
    pub(crate) seq: u64,
    /// The term that it holds.
    pub(crate) term: u64,
    pub(crate) plan: Option<Newest>,
    pub(crate) runs: Option<InstanceReport>,
}

/// Instances that run, or stop.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) stage: Stage,
    pub(crate) count: u16,
    pub(crate) age: u32,
}

pub(crate) struct Machine {
    pub(crate) number: u8,
    pub(crate) is_alive: bool,
    pub(crate) engine: State,
    /// Whether it told its engine that it leads.
    pub(crate) leads: Option<u64>,
    /// The records that it knows, its own included.
    pub(crate) known: BTreeMap<u8, Fact>,
    pub(crate) target: Option<Held>,
    /// The place of what it enacted.
    pub(crate) floor: Option<(Marker, Number)>,
    pub(crate) goals: BTreeMap<PlanKey, Amount>,
    pub(crate) runs: BTreeMap<PlanKey, Run>,
    /// Whether a plan is being written.
    pub(crate) writes: bool,
}

impl Machine {
    pub(crate) fn new(number: u8) -> Self {
        Self {
            number,
            is_alive: true,
            engine: State::new(node(number), horde()),
            leads: None,
            known: BTreeMap::from([(number, Fact::default())]),
            target: None,
            floor: None,
            goals: BTreeMap::new(),
            runs: BTreeMap::new(),
            writes: false,
        }
    }

    pub(crate) fn marker(&self) -> Option<Marker> {
        self.target.as_ref().map(|held| held.marker)
    }

    /// The node's process starts again. After a power cut nothing runs any more, and its goals do.
    pub(crate) fn start(&mut self, is_power_cut: bool) {
        self.engine = State::new(node(self.number), horde());
        (self.is_alive, self.leads, self.writes) = (true, None, false);
        if is_power_cut {
            self.runs.clear();
            self.enact();
        }
    }

    /// Another record of its own.
    pub(crate) fn say(&mut self, change: impl FnOnce(&mut Fact)) {
        let fact = self.known.entry(self.number).or_default();
        change(fact);
        fact.seq += 1;
    }

    /// Takes over what another one knows.
    pub(crate) fn merge(&mut self, other: &BTreeMap<u8, Fact>, target: Option<&Held>) {
        for (author, fact) in other {
            if self.known.get(author).is_none_or(|known| known.seq < fact.seq) {
                self.known.insert(*author, fact.clone());
            }
        }
        if let Some(held) = target.filter(|held| Some(held.marker) > self.marker()) {
            self.target = Some(held.clone());
        }
    }

    /// The greatest plan that counts for the leader's engine.
    pub(crate) fn newest(&self) -> Option<Newest> {
        let held = self.marker()?;
        let plans = self.known.values().filter_map(|fact| fact.plan.as_ref());
        plans.filter(|plan| plan.target <= held).max_by_key(|plan| plan.pass).cloned()
    }

    /// Obeys the greatest plan that counts for the node.
    pub(crate) fn obey(&mut self) {
        let reach = Reach::up_to(1 << 20);
        let Some(held) = self.marker() else { return };
        let counts = |plan: &&Newest| {
            let order = (plan.target, plan.pass);
            plan.target <= held && self.floor <= Some(order) && reach.covers(plan.pass.term)
        };
        let plans = self.known.values().filter_map(|fact| fact.plan.as_ref());
        let Some(plan) = plans.filter(counts).max_by_key(|plan| plan.pass) else { return };
        let order = Some((plan.target, plan.pass));
        let goals = plan.entries.get(&node(self.number)).cloned().unwrap_or_default();
        assert!(self.floor.map(|it| it.0) <= order.map(|it| it.0), "an older target is enacted");
        if self.floor != order {
            (self.floor, self.goals) = (order, goals);
            self.enact();
        }
    }

    /// Starts what is in its goals and does not run, and stops what is not.
    fn enact(&mut self) {
        for (key, run) in &mut self.runs {
            let goal = self.goals.get(key).map_or(0, |amount| amount.released());
            if goal == 0 {
                (run.stage, run.age) = (Stage::Stopping, 0);
            } else {
                run.count = goal;
                if run.stage == Stage::Stopping {
                    (run.stage, run.age) = (Stage::Starting, 0);
                }
            }
        }
        for (key, amount) in self.goals.iter().filter(|(_, amount)| amount.released() > 0) {
            let run = Run { stage: Stage::Starting, count: amount.released(), age: 0 };
            self.runs.entry(key.clone()).or_insert(run);
        }
    }

    /// Time passes for what runs. Says it if it is another list.
    pub(crate) fn work(&mut self) {
        self.runs.retain(|_, run| run.stage != Stage::Stopping || run.age < 2);
        for (key, run) in &mut self.runs {
            run.age += 1;
            if run.stage == Stage::Starting && run.age >= STARTS {
                run.stage = if key.spec == bad() { Stage::Failed } else { Stage::Ready };
            }
        }
        let mut lines: BTreeMap<InstanceKey, u16> = BTreeMap::new();
        for (key, run) in &self.runs {
            let (service, stage) = (NameTag::of(&key.service), run.stage);
            let line = InstanceKey { service, spec: key.spec, stage, first: key.first };
            *lines.entry(line).or_default() += run.count;
        }
        let runs = InstanceReport::new(lines).unwrap();
        if self.known[&self.number].runs != runs {
            self.say(|fact| fact.runs = runs);
        }
    }
}

/// The tag of the version that never gets ready.
pub(crate) fn bad() -> SpecTag {
    spec("web", BAD)
}
