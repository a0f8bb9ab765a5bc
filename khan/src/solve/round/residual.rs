//! The graph in which paths are searched.
//!
//! Its vertices are picks, so it is small; nodes are folded into its edges. From pick `u` there is
//!
//! * an **end** for each node that has room for one more of `u`;
//! * an **edge** to pick `t` for each full node where `u` may take the place of an instance of `t`, which then needs
//!   another place.
//!
//! Of parallel ones only the cheapest counts: by cost, then least load, then name. Each is kept in a heap, so that
//! after a path only the few nodes on it are visited again: entries of a node that was touched since are stale, which
//! their stamps tell, and are thrown away when they come up. A pick is scanned when a search first reaches it.
//!
//! Costs may be -1, so the search is Bellman and Ford's with a queue. There is no cycle of negative cost, because the
//! flow is a cheapest one. A path does not pass a node twice: it would contain a cycle that costs nothing at best, and
//! with unequal weights the node might not hold both. The lengths of the paths never fall from one search to the next,
//! so a search ends as soon as it finds one as short as the last.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use crate::world::Usage;

use super::Round;
use super::room::Hop;

/// The graph in which paths are searched.
#[derive(Debug)]
pub(super) struct Residual {
    /// Whether instances of a pick may move.
    moves: Vec<bool>,
    /// The picks with an instance on a node that may move.
    here: Vec<Vec<usize>>,
    /// How often a node was touched.
    stamps: Vec<u32>,
    /// By pick; nothing of those that no search reached.
    rows: Vec<Option<Row>>,
    /// The length of the last path.
    last: i32,
}

/// The edges that lead away from a pick.
#[derive(Debug, Default)]
struct Row {
    ends: BinaryHeap<Reverse<Entry>>,
    edges: BTreeMap<usize, BinaryHeap<Reverse<Entry>>>,
}

/// A node where it leads; the least is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    cost: i32,
    load: u64,
    node: usize,
    stamp: u32,
}

/// How a search reached a pick.
#[derive(Debug, Clone, Copy)]
struct Reached {
    length: i32,
    /// The pick before, and the node where it takes the place; `None`: the path begins here.
    from: Option<(usize, usize)>,
}

/// The end of a path; the least is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    length: i32,
    load: u64,
    node: usize,
    pick: usize,
}

impl Residual {
    pub(super) fn new(round: &Round<'_>) -> Self {
        let (picks, nodes) = (round.picks.len(), round.model.nodes());
        let moves: Vec<bool> = (0..picks).map(|pick| round.moves(pick)).collect();
        let mut here = vec![Vec::new(); nodes];
        for pick in (0..picks).filter(|pick| moves[*pick]) {
            round.picks[pick].nodes.iter().for_each(|node| here[node].push(pick));
        }
        let rows = (0..picks).map(|_| None).collect();
        Self { moves, here, stamps: vec![0; nodes], rows, last: i32::MIN }
    }

    /// A node is not as it was.
    pub(super) fn touch(&mut self, round: &mut Round<'_>, node: usize) {
        self.stamps[node] += 1;
        let here = |pick: &usize| self.moves[*pick] && round.picks[*pick].wanted[node] > 0;
        self.here[node] = (0..self.moves.len()).filter(here).collect();
        round.budget.charge(self.moves.len());
        for pick in 0..self.rows.len() {
            if let Some(mut row) = self.rows[pick].take() {
                self.offer(round, pick, node, &mut row);
                self.rows[pick] = Some(row);
            }
        }
    }

    fn scan(&mut self, round: &mut Round<'_>, pick: usize) {
        if self.rows[pick].is_some() {
            return;
        }
        round.budget.charge(round.model.nodes());
        let mut row = Row::default();
        let rules = round.picks[pick].phase.rules();
        let nodes = rules.into_iter().flat_map(|rules| rules.set.iter());
        nodes.for_each(|node| self.offer(round, pick, node, &mut row));
        self.rows[pick] = Some(row);
    }

    /// Adds what leads from a pick to a node.
    fn offer(&self, round: &Round<'_>, pick: usize, node: usize, row: &mut Row) {
        let state = &round.picks[pick];
        let Some(rules) = state.phase.rules() else { return };
        let back = state.wanted[node] < round.running.count[pick][node];
        let closed = round.model.usage(node) == Usage::Keep && !back;
        if !rules.set.contains(node) || state.wanted[node] >= rules.cap || closed {
            return;
        }
        let arrives = if back { -1 } else { 0 };
        let entry =
            |cost| Reverse(Entry { cost, load: round.load[node], node, stamp: self.stamps[node] });
        if round.fits(pick, node) {
            row.ends.push(entry(arrives));
            return;
        }
        for other in self.here[node].iter().filter(|other| round.fits_instead(pick, **other, node))
        {
            let moved = &round.picks[*other].wanted[node];
            let ran = *moved <= round.running.count[*other][node];
            row.edges.entry(*other).or_default().push(entry(arrives + i32::from(ran)));
        }
    }

    /// The cheapest path from one of these picks, from its end; `None`: there is none, or the budget is spent.
    pub(super) fn cheapest(&mut self, round: &mut Round<'_>, from: &[usize]) -> Option<Vec<Hop>> {
        let mut search = vec![None; self.rows.len()];
        from.iter().for_each(|pick| search[*pick] = Some(Reached { length: 0, from: None }));
        let mut queue: VecDeque<usize> = from.iter().copied().collect();
        while let Some(pick) = queue.pop_front() {
            if !round.budget.allows(self.rows.len()) {
                return None;
            }
            self.scan(round, pick);
            if self.end(&search, pick).is_some_and(|end| end.length <= self.last) {
                break;
            }
            self.relax(&mut search, pick, &mut queue);
        }
        let ends = (0..search.len()).filter_map(|pick| self.end(&search, pick));
        let end = ends.min()?;
        self.last = end.length;
        Some(path(&search, end.pick, end.node))
    }

    /// The best end of a path that reached a pick.
    fn end(&mut self, search: &[Option<Reached>], pick: usize) -> Option<End> {
        let reached = search[pick]?;
        let Entry { cost, load, node, .. } =
            best(&mut self.rows[pick].as_mut()?.ends, &self.stamps)?;
        let passed = steps(search, pick).any(|(_, passed)| passed == node);
        (!passed).then_some(End { length: reached.length + cost, load, node, pick })
    }

    fn relax(&mut self, search: &mut [Option<Reached>], pick: usize, queue: &mut VecDeque<usize>) {
        let (Some(row), Some(reached)) = (self.rows[pick].as_mut(), search[pick]) else { return };
        for (other, heap) in &mut row.edges {
            let Some(entry) = best(heap, &self.stamps) else { continue };
            let length = reached.length + entry.cost;
            let shorter = search[*other].is_none_or(|known| length < known.length);
            if shorter && !is_on_path(search, pick, *other, entry.node) {
                search[*other] = Some(Reached { length, from: Some((pick, entry.node)) });
                if !queue.contains(other) {
                    queue.push_back(*other);
                }
            }
        }
    }
}

/// The best entry that is not stale.
fn best(heap: &mut BinaryHeap<Reverse<Entry>>, stamps: &[u32]) -> Option<Entry> {
    while let Some(Reverse(entry)) = heap.peek() {
        if entry.stamp == stamps[entry.node] {
            return Some(*entry);
        }
        heap.pop();
    }
    None
}

/// The picks before one, each with the node where it takes a place, from the last to the first.
fn steps(search: &[Option<Reached>], pick: usize) -> impl Iterator<Item = (usize, usize)> {
    let before = |pick: usize| search[pick].and_then(|reached| reached.from);
    core::iter::successors(before(pick), move |(pick, _)| before(*pick))
}

fn is_on_path(search: &[Option<Reached>], pick: usize, other: usize, at: usize) -> bool {
    other == pick || steps(search, pick).any(|(before, node)| before == other || node == at)
}

/// The hops of a path that ends with an instance of a pick on a node; the last hop first, so that each place is free
/// before it is taken.
fn path(search: &[Option<Reached>], pick: usize, node: usize) -> Vec<Hop> {
    let mut hops = vec![Hop { pick, node, leaves: None }];
    let mut leaves = pick;
    for (before, at) in steps(search, pick) {
        hops.push(Hop { pick: before, node: at, leaves: Some(leaves) });
        leaves = before;
    }
    hops
}
