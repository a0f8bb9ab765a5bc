//! One pass over all picks, by one strategy.
//!
//! ```text
//!   free picks    keep all ──▶ for each priority: fill all ──▶ make room ──▶ settle all
//!   bound picks   one after another: keep ──▶ fill ──▶ make room ──▶ settle
//! ```
//!
//! * **Keep** (`keep`): evaluates set, count and cap; what runs within them stays. Surplus is
//!   dropped from where there is most.
//! * **Fill** (`fill`): what is missing is added where there is least, as long as there is room.
//! * **Make room** (`room`): what is still missing is placed by moving others, along cheapest paths.
//! * **Settle**: the nodes that a pick has are the value of its name from now on.
//!
//! At the end what is missing is counted with its reasons (`short`): room may become free until then.
//!
//! A pick without a value, and all that rest on it, are **frozen**: they stay exactly as they run.
//!
//! **Invariants**
//!
//! * `used` is what runs of picks that are not kept yet, plus what is wanted of the rest. So no new instance takes the
//!   room of one that may still stay. (Except what makes way (`way`): it does not count until its pick is kept.)
//! * A pick never has more than its count, never more than its cap on a node, none outside of its set; and no
//!   instance arrives where it does not fit. Where more runs than there is room for it may stay, as long as its set
//!   has the node: room decides what comes, and stops nothing.
//! * An instance of a pick moves only as long as nothing that rests on the pick is decided.

mod fill;
mod keep;
mod look;
mod residual;
mod room;
mod short;
mod way;

use crate::world::{Amounts, NodeSet, Room};

use super::budget::Budget;
use super::model::Model;
use super::placement::{Placement, Rules};
use super::running::Running;
use super::strategy::{PLAIN, Strategy};
use super::{Cost, Problem, Reason};
use way::Way;

/// How often a round is made again for late room. More than once is rare.
const AGAIN_MAX: usize = 3;

/// The unsolved picks of a round that counts for nothing.
const INVALID: u32 = u32::MAX;

/// One pass over all picks.
#[derive(Debug)]
struct Round<'a> {
    model: &'a Model<'a>,
    running: &'a Running,
    strategy: Strategy,
    way: &'a Way,
    /// Picks that found nothing in an earlier round, and those that these rest on.
    hungry: &'a Hungry,
    budget: &'a mut Budget,
    picks: Vec<State>,
    used: Vec<Amounts>,
    /// The greatest share of a resource that is used, by node.
    load: Vec<u64>,
    problems: Vec<(usize, Problem)>,
    /// A frozen pick had made way, and its place is taken: the round counts for nothing.
    invalid: bool,
}

/// Picks that found nothing in an earlier round.
#[derive(Debug, Default)]
pub(super) struct Hungry {
    /// Whether there is one.
    pub(super) any: bool,
    /// Whether a pick is one, or one of them rests on it.
    pub(super) helps: Vec<bool>,
}

impl Hungry {
    /// No pick.
    pub(super) fn none(model: &Model<'_>) -> Self {
        Self { any: false, helps: vec![false; model.picks.len()] }
    }

    /// Those that have a problem in an outcome, or rest on others and are crowded there.
    pub(super) fn after(model: &Model<'_>, outcome: &Outcome) -> Self {
        let mut hungry = Self::none(model);
        let troubled = outcome.problems.iter().map(|(pick, _)| *pick);
        let cap =
            |pick: usize| outcome.placements[pick].rules.as_ref().map_or(0, |rules| rules.cap);
        let crowded = model.bound.iter().copied().filter(|pick| cap(*pick) > 1);
        for pick in troubled.chain(crowded) {
            hungry.any = true;
            hungry.helps[pick] = true;
            model.picks[pick].needs.iter().for_each(|on| hungry.helps[on.index()] = true);
        }
        hungry
    }
}

/// How far a pick is.
#[derive(Debug, Clone, Default)]
struct State {
    phase: Phase,
    wanted: Vec<u32>,
    /// The nodes where some are wanted.
    nodes: NodeSet,
    /// How many are wanted, over all nodes.
    total: u32,
    count: Option<u32>,
    /// Computed when it is first needed.
    gains: Option<Vec<i32>>,
}

#[derive(Debug, Clone, Default)]
enum Phase {
    /// Nothing is decided.
    #[default]
    Open,
    /// It stays as it runs.
    Frozen,
    /// Instances are being placed.
    Placing(Rules),
    /// Its nodes are the value of its name.
    Settled(Rules),
}

impl Phase {
    const fn rules(&self) -> Option<&Rules> {
        match self {
            Self::Placing(rules) | Self::Settled(rules) => Some(rules),
            Self::Open | Self::Frozen => None,
        }
    }
}

/// The outcome of a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) placements: Vec<Placement>,
    pub(super) problems: Vec<(usize, Problem)>,
    pub(super) cost: Cost,
}

impl Outcome {
    /// The picks that have a solution.
    pub(super) fn solved(&self) -> Vec<usize> {
        let picks = 0..self.placements.len();
        picks.filter(|pick| self.placements[*pick].rules.is_some()).collect()
    }

    /// The picks that have a solution of which all that runs could be part.
    pub(super) fn satisfied(&self, running: &Running) -> Vec<usize> {
        let picks = 0..self.placements.len();
        picks.filter(|pick| self.placements[*pick].allows(&running.count[*pick])).collect()
    }

    /// Whether each pick without a solution is as it runs.
    pub(super) fn leaves_alone(&self, running: &Running) -> bool {
        let mut picks = self.placements.iter().zip(&running.count);
        picks.all(|(placement, count)| placement.rules.is_some() || placement.wanted == *count)
    }

    /// Whether a pick is short, and in the end there is room for it.
    pub(super) fn has_late_room(&self) -> bool {
        let late = |problem: &Problem| match problem {
            Problem::Short { why, .. } => why.contains_key(&Reason::Later),
            Problem::Empty { .. } | Problem::Blocked { .. } | Problem::Arithmetic { .. } => false,
        };
        self.problems.iter().any(|(_, problem)| late(problem))
    }

    /// How many instances of each pick it wants on each node.
    pub(super) fn wanted(&self) -> Vec<Vec<u32>> {
        self.placements.iter().map(|placement| placement.wanted.clone()).collect()
    }

    /// How many instances it starts, given what runs.
    pub(super) fn starts(&self, running: &Running) -> u32 {
        let placements = self.placements.iter().enumerate();
        placements.map(|(pick, placement)| running.starts(pick, &placement.wanted)).sum()
    }
}

/// Makes a round, and again as long as what it dropped leaves late room (`way`).
pub(super) fn round(
    model: &Model<'_>,
    running: &Running,
    strategy: Strategy,
    hungry: &Hungry,
    budget: &mut Budget,
) -> Outcome {
    let mut way = if strategy.make_way { Way::all(model, running) } else { Way::none(model) };
    let mut outcome = Round::new(model, running, strategy, hungry, &way, budget).run();
    for _ in 0..AGAIN_MAX {
        if !outcome.has_late_room() || !budget.allows(0) {
            break;
        }
        way.add(model, running, &outcome);
        let next = Round::new(model, running, strategy, hungry, &way, budget).run();
        if next.cost.unsolved == INVALID {
            break;
        }
        outcome = next;
    }
    outcome
}

/// All that runs, as an outcome: each pick has no solution, or all that runs of it is within its rules, and there is no
/// room for what it lacks. `None`: something has to change.
pub(super) fn stay(model: &Model<'_>, running: &Running, budget: &mut Budget) -> Option<Outcome> {
    let (hungry, way) = (Hungry::none(model), Way::none(model));
    let mut round = Round::new(model, running, PLAIN, &hungry, &way, budget);
    for pick in model.free.iter().chain(&model.bound) {
        round.keep(*pick);
        round.settle(*pick);
        if round.picks[*pick].wanted != running.count[*pick] {
            return None;
        }
    }
    let outcome = round.outcome();
    (!outcome.has_late_room()).then_some(outcome)
}

impl<'a> Round<'a> {
    fn new(
        model: &'a Model<'a>,
        running: &'a Running,
        strategy: Strategy,
        hungry: &'a Hungry,
        way: &'a Way,
        budget: &'a mut Budget,
    ) -> Self {
        budget.charge(model.steps_of_a_round());
        let state = || State {
            wanted: vec![0; model.nodes()],
            nodes: model.fixed.none(),
            ..State::default()
        };
        let used = running.used.clone();
        let load = model.world.nodes().iter().zip(&used).map(|(node, used)| node.room.load(*used));
        Self {
            model,
            running,
            strategy,
            way,
            hungry,
            budget,
            picks: model.picks.iter().map(|_| state()).collect(),
            load: load.collect(),
            used,
            problems: Vec::new(),
            invalid: false,
        }
    }

    fn run(mut self) -> Outcome {
        let (free, bound) = (&self.model.free, &self.model.bound);
        let way = self.way;
        way.iter().for_each(|(pick, node, count)| self.release(pick, node, count));
        free.iter().for_each(|pick| self.keep(*pick));
        let priorities = &self.model.priorities;
        for equals in free.chunk_by(|one, other| priorities[*one] == priorities[*other]) {
            equals.iter().for_each(|pick| self.fill(*pick));
            self.make_room(equals);
        }
        free.iter().for_each(|pick| self.settle(*pick));
        for pick in bound {
            self.keep(*pick);
            self.fill(*pick);
            self.make_room(&[*pick]);
            self.settle(*pick);
        }
        self.outcome()
    }

    fn settle(&mut self, pick: usize) {
        let phase = core::mem::take(&mut self.picks[pick].phase);
        self.picks[pick].phase = match phase {
            Phase::Placing(rules) => Phase::Settled(rules),
            other => other,
        };
    }

    /// How many instances of a pick are not placed yet.
    fn missing(&self, pick: usize) -> u32 {
        let state = &self.picks[pick];
        state.phase.rules().map_or(0, |rules| rules.count.saturating_sub(state.total))
    }

    /// Whether an instance of a pick has room on a node.
    fn fits(&self, pick: usize, node: usize) -> bool {
        self.room(node).fits(self.used[node], self.model.weights[pick])
    }

    fn room(&self, node: usize) -> &'a Room {
        &self.model.world.nodes()[node].room
    }

    fn claim(&mut self, pick: usize, node: usize, times: u32) {
        self.used[node].add(self.model.weights[pick], times);
        self.weigh(node);
    }

    fn release(&mut self, pick: usize, node: usize, times: u32) {
        self.used[node].subtract(self.model.weights[pick], times);
        self.weigh(node);
    }

    fn weigh(&mut self, node: usize) {
        self.load[node] = self.room(node).load(self.used[node]);
    }

    /// Wants one instance more, and gives it the room.
    fn place(&mut self, pick: usize, node: usize) {
        self.claim(pick, node, 1);
        self.want(pick, node, 1);
    }

    /// Wants so many instances more, which have their room.
    fn want(&mut self, pick: usize, node: usize, more: u32) {
        if more > 0 {
            let state = &mut self.picks[pick];
            state.wanted[node] += more;
            state.total += more;
            state.nodes.insert(node);
        }
    }

    /// Wants one instance less, and takes its room.
    fn remove(&mut self, pick: usize, node: usize) {
        self.release(pick, node, 1);
        let state = &mut self.picks[pick];
        state.wanted[node] -= 1;
        state.total -= 1;
        if state.wanted[node] == 0 {
            state.nodes.remove(node);
        }
    }

    fn outcome(mut self) -> Outcome {
        let short = (0..self.picks.len()).filter_map(|pick| self.short(pick));
        let short: Vec<_> = short.collect();
        self.problems.extend(short);
        let cost = self.cost();
        let placement = |state: State| Placement {
            wanted: state.wanted,
            count: state.count,
            rules: match state.phase {
                Phase::Placing(rules) | Phase::Settled(rules) => Some(rules),
                Phase::Open | Phase::Frozen => None,
            },
        };
        let placements = self.picks.into_iter().map(placement).collect();
        Outcome { placements, problems: self.problems, cost }
    }

    fn cost(&self) -> Cost {
        let short = |problem: &&(usize, Problem)| matches!(problem.1, Problem::Short { .. });
        let unsolved = self.problems.iter().filter(|problem| !short(problem)).count();
        let starts =
            (0..self.picks.len()).map(|pick| self.running.starts(pick, &self.picks[pick].wanted));
        let cap = |pick: &usize| self.picks[*pick].phase.rules().map_or(0, |rules| rules.cap);
        Cost {
            unsolved: if self.invalid {
                INVALID
            } else {
                u32::try_from(unsolved).unwrap_or(u32::MAX)
            },
            missing: self.problems.iter().map(|(_, problem)| problem.missing()).sum(),
            starts: starts.sum(),
            crowd: self.model.bound.iter().map(|pick| cap(pick).saturating_sub(1)).sum(),
        }
    }
}
