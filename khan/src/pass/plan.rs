//! The changes to make, and why.

use std::collections::BTreeMap;

use crate::Checked;
use crate::checked::PickId;
use crate::solve::{Cost, Placement, Problem, Solution, solve};
use crate::world::{Usage, World};

use super::{Action, Gate, Stages, Step, gate};

/// The changes to make, and why; and where that leads.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Plan {
    /// The changes: services in the order of the text, each by node.
    pub steps: Vec<Step>,
    /// How many instances of each service each node is to run, where there is one.
    pub wanted: BTreeMap<String, BTreeMap<String, u32>>,
    /// The picks left open, in the order of the text.
    pub problems: Vec<Problem>,
    /// Each step as a line.
    pub explain: Vec<String>,
    /// How good the solution is.
    pub cost: Cost,
    /// Whether it is proved that none is better.
    pub exact: bool,
}

/// Solves a program in a world, and compares the solution with what is present.
pub fn pass(checked: &Checked, world: &World, stages: &Stages) -> Plan {
    let solution = solve(checked, world);
    Plan::new(checked, world, stages, &solution)
}

impl Plan {
    /// Compares a solution with what is present.
    pub fn new(checked: &Checked, world: &World, stages: &Stages, solution: &Solution) -> Self {
        let mut picks: Vec<PickId> = (0..checked.picks().len()).map(PickId::new).collect();
        picks.sort_by_key(|pick| checked.pick(*pick).span.start);
        let steps = |pick: &PickId| {
            let gate = gate(checked, world, solution, *pick, stages);
            Difference { checked, world, pick: *pick, placement: solution.of(*pick), gate }.steps()
        };
        let steps: Vec<Step> = picks.iter().flat_map(steps).collect();
        Self {
            explain: steps.iter().map(ToString::to_string).collect(),
            steps,
            wanted: wanted(checked, world, solution),
            problems: solution.problems.clone(),
            cost: solution.cost,
            exact: solution.exact,
        }
    }
}

fn wanted(
    checked: &Checked,
    world: &World,
    solution: &Solution,
) -> BTreeMap<String, BTreeMap<String, u32>> {
    let mut wanted: BTreeMap<String, BTreeMap<String, u32>> = BTreeMap::new();
    for (pick, placement) in checked.picks().iter().zip(&solution.placements) {
        let nodes = world.nodes().iter().zip(&placement.wanted).filter(|(_, count)| **count > 0);
        let nodes: BTreeMap<_, _> =
            nodes.map(|(node, count)| (node.name.clone(), *count)).collect();
        if !nodes.is_empty() {
            wanted.insert(pick.service.to_string(), nodes);
        }
    }
    wanted
}

/// One service, as it is and as it is wanted.
struct Difference<'a> {
    checked: &'a Checked,
    world: &'a World,
    pick: PickId,
    placement: &'a Placement,
    gate: Gate,
}

impl Difference<'_> {
    fn steps(&self) -> Vec<Step> {
        (0..self.world.nodes().len()).filter_map(|node| self.step(node)).collect()
    }

    fn present(&self, node: usize) -> u32 {
        let service = &self.checked.pick(self.pick).service;
        self.world.present(service, node).map_or(0, |present| present.count)
    }

    fn step(&self, at: usize) -> Option<Step> {
        let (have, want) = (self.present(at), self.placement.wanted[at]);
        let (action, why) = match want.cmp(&have) {
            core::cmp::Ordering::Equal => return None,
            core::cmp::Ordering::Less => (Action::Stop, self.why_stop(at, have)),
            core::cmp::Ordering::Greater if self.gate.open => {
                (Action::Start, self.gate.why.clone())
            }
            core::cmp::Ordering::Greater => (Action::Hold, self.gate.why.clone()),
        };
        let service = self.checked.pick(self.pick).service.to_string();
        let node = self.world.nodes()[at].name.clone();
        Some(Step { action, service, node, count: have.abs_diff(want), why })
    }

    fn why_stop(&self, node: usize, have: u32) -> String {
        let rules = self.placement.rules.as_ref().filter(|rules| rules.set.contains(node));
        let Some(rules) = rules else {
            let out = self.world.nodes()[node].usage == Usage::Out;
            let why = if out { "the node is drained or lost" } else { "not in the set" };
            return why.to_owned();
        };
        if have > rules.cap {
            return format!("at most {} per node", rules.cap);
        }
        if self.moves() {
            return "moves, so that others find a node".to_owned();
        }
        format!("{} wanted", rules.count)
    }

    /// Whether one starts elsewhere for one that stops.
    fn moves(&self) -> bool {
        let mut wanted = self.placement.wanted.iter().enumerate();
        wanted.any(|(node, wanted)| *wanted > self.present(node))
    }
}
