//! Instances that make way: they have no room until their pick is decided.
//!
//! All that runs of a pick has its room until the pick is decided, so no new instance takes the room of one that may still
//! stay. But the one may have to go, and then a pick decided before was left short although there was room for it:
//! **late room**. The round is made again then, and what it dropped makes way from the start.
//!
//! A pick that made way keeps what it finds room for. One that turns out to have no solution has to stay as it runs;
//! if its place is taken by then, the round counts for nothing.

use std::collections::BTreeMap;

use super::Outcome;
use crate::solve::model::Model;
use crate::solve::running::Running;

/// Instances that make way, by pick, by node.
#[derive(Debug, Clone)]
pub(super) struct Way {
    count: Vec<BTreeMap<usize, u32>>,
}

impl Way {
    /// None.
    pub(super) fn none(model: &Model<'_>) -> Self {
        Self { count: vec![BTreeMap::new(); model.picks.len()] }
    }

    /// All that run of picks that rest on others.
    pub(super) fn all(model: &Model<'_>, running: &Running) -> Self {
        let mut way = Self::none(model);
        for pick in &model.bound {
            let runs = running.nodes[*pick].iter();
            way.count[*pick].extend(runs.map(|node| (node, running.count[*pick][node])));
        }
        way
    }

    /// Adds what runs of picks that rest on others and was not wanted in the end.
    pub(super) fn add(&mut self, model: &Model<'_>, running: &Running, end: &Outcome) {
        for pick in &model.bound {
            let wanted = &end.placements[*pick].wanted;
            for node in running.nodes[*pick].iter() {
                let dropped = running.count[*pick][node].saturating_sub(wanted[node]);
                if dropped > 0 {
                    let made = self.count[*pick].entry(node).or_default();
                    *made = dropped.max(*made);
                }
            }
        }
    }

    /// How many of a pick make way on a node.
    pub(super) fn of(&self, pick: usize, node: usize) -> u32 {
        self.count[pick].get(&node).copied().unwrap_or(0)
    }

    /// All, as pick, node and how many.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, usize, u32)> {
        let picks = self.count.iter().enumerate();
        picks.flat_map(|(pick, nodes)| nodes.iter().map(move |(node, count)| (pick, *node, *count)))
    }
}
