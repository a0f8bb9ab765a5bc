//! Why instances find no room.

use std::collections::BTreeMap;

use super::Round;
use crate::solve::placement::Rules;
use crate::solve::{Problem, Reason};

impl Round<'_> {
    /// The number missing of a pick, if something is, with each reason counted over the nodes.
    pub(super) fn short(&self, pick: usize) -> Option<(usize, Problem)> {
        let rules = self.picks[pick].phase.rules().filter(|_| self.missing(pick) > 0)?;
        let mut why: BTreeMap<Reason, u32> = BTreeMap::new();
        for node in 0..self.model.nodes() {
            let mut reasons = self.reasons(pick, rules, node);
            if reasons.is_empty() {
                reasons.push(Reason::Later);
            }
            reasons.into_iter().for_each(|reason| *why.entry(reason).or_default() += 1);
        }
        let service = self.model.picks[pick].service.to_string();
        Some((pick, Problem::Short { service, missing: self.missing(pick), why }))
    }

    fn reasons(&self, pick: usize, rules: &Rules, node: usize) -> Vec<Reason> {
        let has = (self.picks[pick].wanted[node], rules.cap);
        let here = &self.model.world.nodes()[node];
        Reason::all(here, rules.set.contains(node), has, self.used[node], self.model.weights[pick])
    }
}
