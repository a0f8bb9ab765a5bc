//! Missing instances go where there is room.

use std::cmp::Reverse;

use crate::world::Usage;

use super::Round;
use crate::solve::grouped::Grouped;

impl Round<'_> {
    /// Adds what is missing of a pick: first where what rests on the pick has most use for it, then to the least filled
    /// group, the node with fewest of them, the least loaded one, by name.
    pub(super) fn fill(&mut self, pick: usize) {
        self.swap(pick);
        let missing = self.missing(pick);
        if missing == 0 {
            return;
        }
        self.budget.charge(self.model.nodes() + missing as usize);
        let mut nodes = self.fillable(pick);
        let cap = self.picks[pick].phase.rules().map_or(0, |rules| rules.cap);
        for _ in 0..missing {
            let Some((group, gain, Reverse((_, _, turned, node)))) = nodes.take() else { return };
            self.place(pick, node);
            let here = self.picks[pick].wanted[node];
            let takes_more = here < cap && self.fits(pick, node);
            let back = (gain, Reverse((here, self.load[node], turned, node)));
            nodes.put(group, takes_more.then_some(back));
        }
    }

    fn fillable(&mut self, pick: usize) -> Grouped<i32, Reverse<(u32, u64, usize, usize)>> {
        self.look_ahead(pick);
        let (groups, count) = self.groups(pick);
        let mut by_group = vec![(0, Vec::new()); count];
        let state = &self.picks[pick];
        for node in state.nodes.iter() {
            by_group[groups.map_or(0, |of| of[node])].0 -= i64::from(state.wanted[node]);
        }
        for node in self.open(pick) {
            let after = Reverse((state.wanted[node], self.load[node], self.turned(node), node));
            let (_, nodes) = &mut by_group[groups.map_or(0, |of| of[node])];
            nodes.push((self.gain(pick, node), after));
        }
        Grouped::new(by_group.into_iter())
    }

    /// The nodes that an instance of a pick may be added to.
    fn open(&self, pick: usize) -> impl Iterator<Item = usize> {
        let state = &self.picks[pick];
        let rules = state.phase.rules();
        let nodes = rules.into_iter().flat_map(|rules| rules.set.iter());
        let cap = rules.map_or(0, |rules| rules.cap);
        nodes.filter(move |node| {
            let below = state.wanted[*node] < cap;
            below && self.model.usage(*node) == Usage::Open && self.fits(pick, *node)
        })
    }

    /// The place of a node in the order of names, turned by the strategy.
    fn turned(&self, node: usize) -> usize {
        let nodes = self.model.nodes();
        (node + nodes * self.strategy.turn / 9) % nodes.max(1)
    }

    /// Gives up kept instances, as many as the strategy says, for nodes that what rests on the pick has more use for.
    fn swap(&mut self, pick: usize) {
        if self.strategy.swaps == 0 || !self.helps(pick) {
            return;
        }
        self.look_ahead(pick);
        let gain = |node: usize| self.gain(pick, node);
        let kept = self.picks[pick].nodes.iter();
        let mut kept: Vec<_> = kept.map(|node| (gain(node), Reverse(node))).collect();
        let empty = |node: &usize| self.picks[pick].wanted[*node] == 0;
        let open = self.open(pick).filter(empty);
        let mut open: Vec<_> = open.map(|node| (Reverse(gain(node)), node)).collect();
        kept.sort_unstable();
        open.sort_unstable();
        for ((had, Reverse(from)), (Reverse(gets), to)) in
            kept.into_iter().zip(open).take(self.strategy.swaps)
        {
            if gets <= had {
                return;
            }
            self.remove(pick, from);
            self.place(pick, to);
        }
    }
}
