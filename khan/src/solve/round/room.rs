//! Room for what found none, by moving others.
//!
//! A node is full, but an instance there could be elsewhere: it moves, and the new one takes its place. Perhaps the
//! other place is full too, and so on: a **path** from a pick that is short to a node with room. Moving an instance that
//! runs costs 1, because it starts again; one that this plan adds costs nothing to move; and an instance that moves
//! back to where it runs saves 1.
//!
//! This is a flow from picks to nodes, and the search is successive shortest paths (Ford and Fulkerson 1962; Edmonds
//! and Karp 1972): it begins with the flow that keeps the most, which nothing of the same size beats, and adds one
//! instance along a cheapest path each time, so the flow is a cheapest one of its size throughout. It ends when there is
//! no path, and then no flow is greater. Hence fewest missing, then fewest starts, **provided** that each instance takes
//! one place of the same size and no pick rests on another.
//!
//! Picks of higher priority are filled and get their paths before the rest are filled. A path adds an instance to one
//! pick and takes none from the others, so nobody is pushed out; and the sets of instances that can be placed together
//! are a matroid, so serving the most urgent first costs no instance in all.
//!
//! With unequal weights (bin packing) a path may still be found; nothing is promised.

use super::residual::Residual;
use super::{Phase, Round};

/// An instance that arrives on a node, and the pick whose instance left that place.
#[derive(Debug)]
pub(super) struct Hop {
    pub(super) pick: usize,
    pub(super) node: usize,
    pub(super) leaves: Option<usize>,
}

impl Round<'_> {
    /// Places what is missing of some picks by moving instances of others.
    pub(super) fn make_room(&mut self, picks: &[usize]) {
        if picks.iter().all(|pick| self.missing(*pick) == 0) {
            return;
        }
        let mut residual = Residual::new(self);
        while self.add_one(picks, &mut residual) {}
    }

    /// Places one instance more of one of these picks.
    fn add_one(&mut self, picks: &[usize], residual: &mut Residual) -> bool {
        let short: Vec<usize> =
            picks.iter().copied().filter(|pick| self.missing(*pick) > 0).collect();
        if short.is_empty() {
            return false;
        }
        let Some(path) = residual.cheapest(self, &short) else { return false };
        for hop in &path {
            if let Some(leaves) = hop.leaves {
                self.remove(leaves, hop.node);
            }
            self.place(hop.pick, hop.node);
        }
        path.iter().for_each(|hop| residual.touch(self, hop.node));
        true
    }

    /// Whether an instance of a pick has room on a node once one of another pick left.
    pub(super) fn fits_instead(&self, pick: usize, leaves: usize, node: usize) -> bool {
        let mut used = self.used[node];
        used.subtract(self.model.weights[leaves], 1);
        self.room(node).fits(used, self.model.weights[pick])
    }

    /// Whether instances of a pick may still move: nothing that rests on it is decided.
    pub(super) fn moves(&self, pick: usize) -> bool {
        let open = |on: &usize| matches!(self.picks[*on].phase, Phase::Open);
        self.picks[pick].phase.rules().is_some() && self.model.dependents[pick].iter().all(open)
    }
}
