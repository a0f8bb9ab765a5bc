//! Running instances that may stay.

use std::cmp::Reverse;

use crate::checked::{Number, PickId};
use crate::world::bounds::COUNT_MAX;
use crate::world::{NodeSet, Usage};

use super::{Phase, Round};
use crate::solve::Problem;
use crate::solve::grouped::Grouped;
use crate::solve::guess::Guess;
use crate::solve::placement::Rules;

/// Why a pick has no solution.
enum Trouble {
    Empty,
    Blocked(usize),
    Arithmetic(String),
}

/// The order of instances to drop before the levels of their groups are compared.
type BeforeGroup = (bool, Reverse<i32>);
/// And after that.
type WithinGroup = (u32, u64, u64, usize);

impl Round<'_> {
    /// Keeps what runs of a pick and may stay, or freezes the pick.
    pub(super) fn keep(&mut self, pick: usize) {
        match self.rules(pick) {
            Ok(rules) => self.keep_within(pick, rules),
            Err(trouble) => self.freeze(pick, trouble),
        }
    }

    fn rules(&mut self, at: usize) -> Result<Rules, Trouble> {
        let pick = &self.model.picks[at];
        let settled = |on: &&PickId| matches!(self.picks[on.index()].phase, Phase::Settled(_));
        if let Some(on) = pick.needs.iter().find(|on| !settled(on)) {
            return Err(Trouble::Blocked(on.index()));
        }
        let count = self.whole(&pick.count)?;
        self.picks[at].count = Some(count);
        self.bound_all(count)?;
        let set = self.set(at);
        let size = u32::try_from(set.len()).unwrap_or(u32::MAX);
        if size == 0 && count > 0 {
            return Err(Trouble::Empty);
        }
        let cap = if count <= size { 1 } else { count.div_ceil(size) };
        let max = pick.max.as_ref().map(|max| self.cap(max)).transpose()?;
        Ok(Rules { set, cap: max.map_or(cap, |max| cap.min(max)), count })
    }

    fn set(&self, at: usize) -> NodeSet {
        let fixed = self.model.sets[at].clone();
        fixed.unwrap_or_else(|| {
            let picked = |on: PickId| Guess::known(self.picks[on.index()].nodes.clone());
            self.model.fixed.values(&picked).set(&self.model.picks[at].set).sure
        })
    }

    /// A number of instances: rounded up, and within the bounds.
    fn whole(&self, number: &Number) -> Result<u32, Trouble> {
        let count = self.rounded(number)?;
        let within = u32::try_from(count).ok().filter(|count| *count <= COUNT_MAX);
        let why = || format!("{count} instances; from 0 to {COUNT_MAX} are possible");
        within.ok_or_else(|| Trouble::Arithmetic(why()))
    }

    /// A cap: rounded up; what is beyond the bounds is as good as they are.
    fn cap(&self, number: &Number) -> Result<u32, Trouble> {
        let cap = self.rounded(number)?.clamp(0, COUNT_MAX.into());
        Ok(u32::try_from(cap).unwrap_or(COUNT_MAX))
    }

    fn rounded(&self, number: &Number) -> Result<i128, Trouble> {
        let picked = |on: PickId| Guess::known(self.picks[on.index()].nodes.clone());
        let value = self.model.fixed.values(&picked).number(number);
        value.map(crate::ratio::Ratio::ceil).map_err(Trouble::Arithmetic)
    }

    /// Refuses a count with which the program wants more instances in all than a search is made for.
    fn bound_all(&self, count: u32) -> Result<(), Trouble> {
        let rules = self.picks.iter().filter_map(|state| state.phase.rules());
        let before: u32 = rules.map(|rules| rules.count).sum();
        if before + count <= COUNT_MAX {
            return Ok(());
        }
        let why =
            format!("{count} instances, after {before} of others; {COUNT_MAX} in all are possible");
        Err(Trouble::Arithmetic(why))
    }

    fn keep_within(&mut self, pick: usize, rules: Rules) {
        let running = self.running;
        for node in running.nodes[pick].iter() {
            let here = running.count[pick][node];
            let may = if rules.set.contains(node) { here.min(rules.cap) } else { 0 };
            let has_room = here - self.way.of(pick, node);
            let stays = if may > has_room {
                let more = self.holds(pick, node).min(may - has_room);
                self.claim(pick, node, more);
                has_room + more
            } else {
                self.release(pick, node, has_room - may);
                may
            };
            self.want(pick, node, stays);
        }
        let count = rules.count;
        self.picks[pick].phase = Phase::Placing(rules);
        self.drop(pick, self.picks[pick].total.saturating_sub(count));
    }

    /// For how many instances of a pick a node has room.
    fn holds(&self, pick: usize, node: usize) -> u32 {
        self.room(node).holds(self.used[node], self.model.weights[pick])
    }

    fn freeze(&mut self, pick: usize, trouble: Trouble) {
        let running = self.running;
        for node in running.nodes[pick].iter() {
            let here = running.count[pick][node];
            let made_way = self.way.of(pick, node);
            self.invalid |= self.holds(pick, node) < made_way;
            self.claim(pick, node, made_way);
            self.want(pick, node, here);
        }
        self.picks[pick].phase = Phase::Frozen;
        let service = self.model.picks[pick].service.to_string();
        let problem = match trouble {
            Trouble::Empty => Problem::Empty { service },
            Trouble::Blocked(on) => {
                Problem::Blocked { service, on: self.model.picks[on].service.to_string() }
            }
            Trouble::Arithmetic(why) => Problem::Arithmetic { service, why },
        };
        self.problems.push((pick, problem));
    }

    /// Drops surplus instances: first from nodes that get nothing new, then from those of least use to what rests on
    /// the pick, the fullest group, the node with most of them, the youngest, the most loaded node, the last name.
    fn drop(&mut self, pick: usize, surplus: u32) {
        if surplus == 0 {
            return;
        }
        let mut nodes = self.droppable(pick);
        for _ in 0..surplus {
            let Some((group, before, after)) = nodes.take() else { return };
            let (_, rank, _, node) = after;
            self.remove(pick, node);
            let left = self.picks[pick].wanted[node];
            let back = (left > 0).then(|| (before, (left, rank, self.load[node], node)));
            nodes.put(group, back);
        }
    }

    fn droppable(&mut self, pick: usize) -> Grouped<BeforeGroup, WithinGroup> {
        self.look_ahead(pick);
        let (groups, count) = self.groups(pick);
        let mut by_group = vec![(0, Vec::new()); count];
        for node in self.picks[pick].nodes.iter() {
            let here = self.picks[pick].wanted[node];
            let before = (self.model.usage(node) == Usage::Keep, Reverse(self.gain(pick, node)));
            let after = (here, self.model.rank(pick, node), self.load[node], node);
            let (level, nodes) = &mut by_group[groups.map_or(0, |of| of[node])];
            *level += i64::from(here);
            nodes.push((before, after));
        }
        Grouped::new(by_group.into_iter())
    }

    /// The group of each node, `None` if the pick spreads over nothing, and how many groups there are.
    pub(super) fn groups(&self, pick: usize) -> (Option<&[usize]>, usize) {
        let groups = self.model.groups(pick);
        groups.map_or((None, 1), |groups| (Some(&groups.of), groups.count))
    }
}
