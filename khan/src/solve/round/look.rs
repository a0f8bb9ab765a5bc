//! The worth of a node to the picks that rest on one.
//!
//! Membership in a set is decided node by node: whether `n1` is in `a & !b` depends on whether it is in `a` and in `b`,
//! and on no other node. So the worth of all nodes is found at once: a set is evaluated with the pick on every node,
//! and with the pick on none, in three values, because other picks may not be decided yet. Where the two differ,
//! having the pick there brings the node into the set, or keeps it out.

use crate::checked::PickId;
use crate::world::NodeSet;

use super::{Phase, Round};
use crate::solve::guess::Guess;
use crate::solve::strategy::Undecided;

/// The worth of a place to a pick that found nothing; to one that runs there already, 1.
const FOR_HUNGRY: i32 = 2;

impl Round<'_> {
    /// The worth that a pick on a node has to those that rest on it; less than 0: it is in their way.
    /// [`look_ahead`](Self::look_ahead) found it before.
    pub(super) fn gain(&self, pick: usize, node: usize) -> i32 {
        self.picks[pick].gains.as_ref().map_or(0, |gains| gains[node])
    }

    /// Whether a pick that found nothing rests on this one, or on one that rests on it.
    pub(super) fn helps(&self, pick: usize) -> bool {
        self.hungry.any && self.model.users[pick].iter().any(|user| self.hungry.helps[*user])
    }

    /// Finds what each node is worth, once in a round.
    pub(super) fn look_ahead(&mut self, pick: usize) {
        if !self.strategy.look || self.picks[pick].gains.is_some() {
            return;
        }
        let users: Vec<usize> =
            self.model.users[pick].iter().copied().filter(|it| self.has_use(*it)).collect();
        if !users.is_empty() {
            self.budget.charge(users.len() * self.model.nodes());
            self.picks[pick].gains = Some(self.gains(pick, &users));
        }
    }

    fn has_use(&self, user: usize) -> bool {
        self.is_hungry(user) || !self.running.nodes[user].is_empty()
    }

    fn is_hungry(&self, pick: usize) -> bool {
        self.hungry.any && self.hungry.helps[pick]
    }

    fn gains(&self, pick: usize, users: &[usize]) -> Vec<i32> {
        let everywhere = self.model.fixed.all.clone();
        let on_all = |it: PickId| self.guess(it.index(), pick, &everywhere);
        let none = self.model.fixed.none();
        let on_none = |it: PickId| self.guess(it.index(), pick, &none);
        let (mut with, mut without) =
            (self.model.fixed.values(&on_all), self.model.fixed.values(&on_none));
        let mut gains = vec![0; self.model.nodes()];
        for user in users {
            let set = &self.model.picks[*user].set;
            self.add_gains(*user, &with.set(set), &without.set(set), &mut gains);
        }
        gains
    }

    fn add_gains(&self, user: usize, with: &Guess, without: &Guess, gains: &mut [i32]) {
        let mut add = |node: usize, worth: i32| {
            gains[node] += worth * (with.degree(node) - without.degree(node));
        };
        if self.is_hungry(user) {
            (0..self.model.nodes()).for_each(|node| add(node, FOR_HUNGRY));
        } else {
            self.running.nodes[user].iter().for_each(|node| add(node, 1));
        }
    }

    /// The nodes that a pick has, as far as that is known; of the one in question, those assumed.
    fn guess(&self, pick: usize, in_question: usize, assumed: &NodeSet) -> Guess {
        let state = &self.picks[pick];
        if pick == in_question {
            return Guess::known(assumed.clone());
        }
        if matches!(state.phase, Phase::Settled(_)) {
            return Guess::known(state.nodes.clone());
        }
        let runs = self.running.nodes[pick].clone();
        let mut may = self.model.fixed.all.clone();
        may.unite(&runs);
        let undecided = if self.hungry.any { self.strategy.undecided } else { Undecided::Runs };
        match undecided {
            Undecided::Runs => Guess::known(runs),
            Undecided::RunsOrMay => Guess { sure: runs, may },
            Undecided::May => Guess { sure: self.model.fixed.none(), may },
        }
    }
}
