//! One pass: a leader's assignments, given its view.
//!
//! ```text
//!   View ────┐
//!   Program ─┤─▶ Horde ─▶ World ─▶ solve ─▶ Service (each) ─▶ entries, failed versions
//!   Newest ──┘     ▲                              ▲       └──▶ holds, problems, steps
//!   Timers ────────┴──────────────────────────────┘
//! ```
//!
//! The leader's engine and the `plan` command call the same function. **Invariant**: equal inputs, equal passes; and
//! where the newest plan is as it should be, the pass is that plan.

use std::collections::BTreeMap;

use crux_crdt::Principal;
use crux_crdt::name::ServiceName;
use crux_crdt::record::{Failure, Hold, Notes, Pass as Number, PlanEntries, Problem};
use crux_crdt::service::SpecTag;
use crux_khan::pass::{Plan, gate};
use crux_khan::solve::{Solution, solve};
use crux_khan::world::{World, WorldError};

use super::horde::Horde;
use super::service::Service;
use super::steps::{Steps, Whys};
use super::{Action, Newest, Program, Step, Timers, View, notes};
use crate::time::Instant;

/// The decisions of one pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// The instances that each node is to run.
    pub entries: PlanEntries,
    /// The versions that failed.
    pub failed: BTreeMap<SpecTag, Failure>,
    /// Services of which something waits.
    pub holds: Vec<Hold>,
    /// Services that are not placed as the program says.
    pub problems: Vec<Problem>,
    /// The difference to what is present, for people.
    pub steps: Vec<Step>,
    /// Whether it is proved that no better placement exists.
    pub is_exact: bool,
    /// When it decides something else, if nothing changes.
    pub deadline: Instant,
}

/// Everything that a pass is made of, beside the leader's times.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The horde.
    pub view: &'a View,
    /// The target.
    pub program: &'a Program,
    /// The plan that it continues; none: there was none.
    pub newest: Option<&'a Newest>,
    /// The number of this pass: what it assigns first has it.
    pub number: Number,
}

/// Plans.
///
/// # Errors
/// [`WorldError`]: the horde is more than the solver takes. Running instances run on.
pub fn pass(input: Input<'_>, timers: &mut Timers, now: Instant) -> Result<Pass, WorldError> {
    Ok(Drafting::new(input, timers, now)?.draft(timers, false))
}

/// A pass in the making.
pub(super) struct Drafting<'a> {
    pub(super) input: Input<'a>,
    pub(super) horde: Horde<'a>,
    pub(super) world: World,
    pub(super) solution: Solution,
}

impl<'a> Drafting<'a> {
    /// Looks at the horde, and solves.
    pub(super) fn new(
        input: Input<'a>,
        timers: &mut Timers,
        now: Instant,
    ) -> Result<Self, WorldError> {
        let Input { view, program, newest, .. } = input;
        timers.see(view, now);
        timers.rollouts.retain(|name, _| program.picked(name).is_some());
        timers.ended.retain(|(name, _)| program.picked(name).is_some());
        let horde = Horde::new(view, program, newest, (timers, now));
        let world = horde.world(timers)?;
        let solution = solve(&program.checked, &world);
        Ok(Self { input, horde, world, solution })
    }

    /// Decides. The steps are those of this pass; with `ahead` also those of roll-outs that later passes take.
    pub(super) fn draft(&self, timers: &mut Timers, ahead: bool) -> Pass {
        let stages = self.horde.stages();
        let checked = &self.input.program.checked;
        let plan = Plan::new(checked, &self.world, &stages, &self.solution);
        let whys = Whys::of(&plan);
        let nodes = self.nodes();
        let mut pass = self.empty(timers);
        for (name, version) in self.horde.services() {
            let Some(pick) = checked.pick_of(name.as_str()) else { continue };
            let gate = gate(checked, &self.world, &self.solution, pick, &stages);
            let placed = (self.solution.of(pick), gate);
            let service = Service::new(&self.horde, timers, (name, version), placed, &nodes);
            self.add(&service, timers, (&whys, ahead), &mut pass);
        }
        pass.steps.extend(self.dropped());
        self.carry(&mut pass);
        pass.problems.extend(self.solution.problems.iter().filter_map(notes::problem));
        pass.problems = notes::merged(pass.problems);
        pass
    }

    fn empty(&self, timers: &Timers) -> Pass {
        let drains = self.input.view.nodes.keys().filter_map(|node| timers.drains.until(node));
        let over = drains.filter(|until| *until > self.horde.now).min();
        Pass {
            entries: PlanEntries::new(),
            failed: BTreeMap::new(),
            holds: Vec::new(),
            problems: Vec::new(),
            steps: Vec::new(),
            is_exact: self.solution.exact,
            deadline: self.horde.next_loss(timers).min(over.unwrap_or(Instant::NEVER)),
        }
    }

    /// The nodes in the order of the world.
    pub(super) fn nodes(&self) -> Vec<Principal> {
        let nodes = &self.input.view.nodes;
        let names: BTreeMap<&str, Principal> =
            nodes.iter().map(|(principal, node)| (&*node.name, *principal)).collect();
        let of = |node: &crux_khan::world::Node| names.get(&*node.name).copied();
        self.world.nodes().iter().filter_map(of).collect()
    }

    fn add(
        &self,
        service: &Service<'_>,
        timers: &mut Timers,
        (whys, ahead): (&Whys<'_>, bool),
        pass: &mut Pass,
    ) {
        let horde = &self.horde;
        let turn = service.turn(horde, timers);
        let first = self.input.number.into();
        service.assign(horde, timers, &turn, (first, &mut pass.entries));
        service.end(horde, timers);
        pass.failed.extend(turn.failed.map(|failure| (service.version.spec, failure)));
        pass.holds.extend(notes::holds(horde, timers, service));
        pass.problems.extend(notes::beyond(service));
        pass.steps.extend(Steps { horde, timers, whys, ahead }.of(service, &turn));
        pass.deadline = pass.deadline.min(turn.deadline);
    }

    /// The ends of what the newest plan has and the program does not place.
    fn dropped(&self) -> Vec<Step> {
        let Input { program, newest, view, .. } = self.input;
        let mut counts: BTreeMap<(&ServiceName, &str), u32> = BTreeMap::new();
        for (node, entries) in newest.into_iter().flat_map(|it| &it.entries) {
            let Some(node) = view.nodes.get(node) else { continue };
            let is_placed = |name: &ServiceName| program.checked.pick_of(name.as_str()).is_some();
            for (key, amount) in entries.iter().filter(|(key, _)| !is_placed(&key.service)) {
                *counts.entry((&key.service, &node.name)).or_default() += u32::from(amount.count());
            }
        }
        let step = |((service, node), count): ((&ServiceName, &str), u32)| {
            Step::new(Action::Stop, (service, node), count, "the target does not place it")
        };
        counts.into_iter().map(step).collect()
    }

    /// A service that the program places without a config stays as the newest plan has it.
    fn carry(&self, pass: &mut Pass) {
        let Input { program, newest, view, .. } = self.input;
        let lacks = |service: &&ServiceName| !program.services.contains_key(*service);
        let picks = program.checked.picks().iter().map(|pick| &pick.service);
        for service in picks.filter(lacks) {
            pass.problems.push(notes::without_config(service));
            let entries = newest.into_iter().flat_map(|it| &it.entries);
            for (node, entries) in entries.filter(|(node, _)| view.nodes.contains_key(*node)) {
                for (key, amount) in entries.iter().filter(|(key, _)| key.service == *service) {
                    pass.entries.entry(*node).or_default().insert(key.clone(), *amount);
                }
            }
        }
    }
}

impl Pass {
    /// This pass under a number, as the plan that the next one continues.
    pub fn newest(&self, input: &Input<'_>) -> Newest {
        Newest {
            pass: input.number,
            target: input.program.marker,
            failed: self.failed.clone(),
            entries: self.entries.clone(),
            holds: Notes::of(self.holds.iter().cloned()),
            problems: Notes::of(self.problems.iter().cloned()),
        }
    }
}
