//! A program and a world, made ready for the search.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crux_crdt::name::ServiceName;

use crate::Checked;
use crate::checked::{Pick, PickId};
use crate::world::{Amounts, NodeSet, Usage, World};

use super::guess::Guess;
use super::values::Fixed;

/// All that is the same throughout a solution, by the indices of picks and nodes.
#[derive(Debug)]
pub(super) struct Model<'a> {
    pub(super) world: &'a World,
    pub(super) picks: &'a [Pick],
    pub(super) fixed: Fixed<'a>,
    /// The set of each pick that rests on no other; of the rest, nothing.
    pub(super) sets: Vec<Option<NodeSet>>,
    /// The resources that an instance of each pick takes.
    pub(super) weights: Vec<Amounts>,
    pub(super) priorities: Vec<i32>,
    /// Picks that rest on no other, the most urgent first.
    pub(super) free: Vec<usize>,
    /// The rest, each after all that it rests on, the most urgent first where that leaves a choice.
    pub(super) bound: Vec<usize>,
    /// The picks that rest on each pick: whose sets mention it,
    pub(super) users: Vec<Vec<usize>>,
    /// and whose sets or numbers do.
    pub(super) dependents: Vec<Vec<usize>>,
    /// The group of each node, for each label that a pick spreads over.
    groups: BTreeMap<&'a str, Groups>,
    /// The resources that services not named by the program take of each node.
    pub(super) others: Vec<Amounts>,
}

/// Nodes by the value of a label; those without it are a group too.
#[derive(Debug, Clone)]
pub(super) struct Groups {
    pub(super) of: Vec<usize>,
    pub(super) count: usize,
}

impl<'a> Model<'a> {
    pub(super) fn new(checked: &'a Checked, world: &'a World) -> Self {
        let picks = checked.picks();
        let services = picks.iter().map(|pick| world.service(&pick.service));
        let (weights, priorities) = services.map(|it| (it.weight, it.priority)).unzip();
        let fixed = Fixed::new(checked, world);
        let mut model = Self {
            world,
            picks,
            sets: free_sets(picks, &fixed),
            fixed,
            weights,
            priorities,
            free: Vec::new(),
            bound: Vec::new(),
            users: mentioned_by(picks, |pick| &pick.set_needs),
            dependents: mentioned_by(picks, |pick| &pick.needs),
            groups: groups(picks, world),
            others: others(picks, world),
        };
        model.order();
        model
    }

    /// How many nodes there are.
    pub(super) fn nodes(&self) -> usize {
        self.world.nodes().len()
    }

    /// Whether a pick rests on no other.
    pub(super) fn is_free(&self, pick: usize) -> bool {
        self.picks[pick].needs.is_empty()
    }

    /// The steps that a round takes at least: the state of each pick, and each set in words of 64 nodes.
    pub(super) fn steps_of_a_round(&self) -> usize {
        (self.picks.len() + self.fixed.labels.written) * self.nodes().div_ceil(64)
    }

    pub(super) fn usage(&self, node: usize) -> Usage {
        self.world.nodes()[node].usage
    }

    /// The groups over which a pick spreads; `None`: it does not.
    pub(super) fn groups(&self, pick: usize) -> Option<&Groups> {
        self.groups.get(self.picks[pick].spread.as_deref()?)
    }

    /// The place of the instances of a pick on a node in the order in which surplus ones stay. Those that are not
    /// there yet come last.
    pub(super) fn rank(&self, pick: usize, node: usize) -> u64 {
        let present = self.world.present(&self.picks[pick].service, node);
        present.map_or(u64::MAX, |present| present.rank)
    }

    /// Whether one search can prove its solution the best: no pick rests on another, and room is counted in units
    /// of one size, so that each place takes an instance of any pick or of none.
    pub(super) fn is_plain(&self) -> bool {
        let mut taking = self.weights.iter().filter(|weight| !weight.is_nothing());
        let first = taking.next();
        self.bound.is_empty() && taking.all(|weight| Some(weight) == first)
    }

    fn order(&mut self) {
        let urgency = |pick: &usize| (Reverse(self.priorities[*pick]), *pick);
        let (mut free, mut waiting): (Vec<_>, Vec<_>) =
            (0..self.picks.len()).partition(|pick| self.is_free(*pick));
        free.sort_by_key(urgency);
        let mut bound: Vec<usize> = Vec::new();
        let ready = |pick: &usize, bound: &[usize]| {
            let done = |on: &PickId| self.is_free(on.index()) || bound.contains(&on.index());
            self.picks[*pick].needs.iter().all(done)
        };
        while let Some(next) =
            waiting.iter().copied().filter(|it| ready(it, &bound)).min_by_key(urgency)
        {
            bound.push(next);
            waiting.retain(|it| *it != next);
        }
        (self.free, self.bound) = (free, bound);
    }
}

fn free_sets(picks: &[Pick], fixed: &Fixed<'_>) -> Vec<Option<NodeSet>> {
    let nothing = |_| Guess::known(fixed.none());
    let mut values = fixed.values(&nothing);
    let set = |pick: &Pick| pick.set_needs.is_empty().then(|| values.set(&pick.set).sure);
    picks.iter().map(set).collect()
}

/// For each pick, those that mention it.
fn mentioned_by(picks: &[Pick], needs: impl Fn(&Pick) -> &[PickId]) -> Vec<Vec<usize>> {
    let mut by = vec![Vec::new(); picks.len()];
    for (at, pick) in picks.iter().enumerate() {
        needs(pick).iter().for_each(|on| by[on.index()].push(at));
    }
    by
}

fn groups<'a>(picks: &'a [Pick], world: &World) -> BTreeMap<&'a str, Groups> {
    let keys = picks.iter().filter_map(|pick| pick.spread.as_deref());
    keys.map(|key| (key, groups_of(key, world))).collect()
}

fn groups_of(key: &str, world: &World) -> Groups {
    let mut ids: BTreeMap<Option<&str>, usize> = BTreeMap::new();
    let mut of = Vec::with_capacity(world.nodes().len());
    for node in world.nodes() {
        let next = ids.len();
        of.push(*ids.entry(node.labels.get(key).map(String::as_str)).or_insert(next));
    }
    Groups { of, count: ids.len() }
}

fn others(picks: &[Pick], world: &World) -> Vec<Amounts> {
    let mut others = vec![Amounts::default(); world.nodes().len()];
    let named = |service: &ServiceName| picks.iter().any(|pick| pick.service == *service);
    for service in world.services_present().filter(|service| !named(service)) {
        let weight = world.service(service).weight;
        for (node, present) in world.present_of(service) {
            others[node].add(weight, present.count);
        }
    }
    others
}
