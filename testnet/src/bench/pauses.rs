//! What was stopped when, what each node showed of it, and what follows.

use std::time::{Duration, Instant};

/// A node that ran throughout so long must not be shown dead: goal P2 of the design.
pub(super) const RAN: Duration = Duration::from_secs(3);
/// How long a node may be stopped and not shown dead.
pub(super) const DEAD_WITHIN: Duration = Duration::from_secs(5);
/// How long a node may be shown dead that runs again.
pub(super) const ALIVE_WITHIN: Duration = Duration::from_secs(1);

/// A node was stopped, and runs again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause {
    pub(super) node: usize,
    pub(super) from: Instant,
    pub(super) to: Instant,
}

/// A node began to show another as dead, or as alive again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Verdict {
    pub(super) by: usize,
    pub(super) about: usize,
    pub(super) dead: bool,
    pub(super) at: Instant,
}

/// Everything that happened.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) pauses: Vec<Pause>,
    /// In the order of time for each pair of nodes.
    pub(super) verdicts: Vec<Verdict>,
}

impl History {
    /// Whether a node ran all the time between two moments.
    fn ran(&self, node: usize, from: Instant, to: Instant) -> bool {
        !self.pauses.iter().any(|pause| pause.node == node && pause.from < to && pause.to > from)
    }

    /// Verdicts of death by a node that ran, about one that ran.
    pub(super) fn false_deaths(&self) -> Vec<Verdict> {
        let wronged = |v: &&Verdict| {
            let since = v.at.checked_sub(RAN).unwrap_or(v.at);
            v.dead && self.ran(v.about, since, v.at) && self.ran(v.by, since, v.at)
        };
        self.verdicts.iter().filter(wronged).copied().collect()
    }

    /// How long each node that ran took to show dead whoever was stopped for long enough; none: it
    /// did not in time.
    pub(super) fn deaths(&self, nodes: usize) -> Vec<Option<Duration>> {
        let long = self.pauses.iter().filter(|pause| pause.to - pause.from >= DEAD_WITHIN);
        self.each(nodes, long, |pause| (pause.from, DEAD_WITHIN), true)
    }

    /// How long each node that ran and showed somebody dead took to show him alive who runs again.
    pub(super) fn returns(&self, nodes: usize) -> Vec<Option<Duration>> {
        let stays = |pause: &&Pause| self.ran(pause.node, pause.to, pause.to + ALIVE_WITHIN);
        self.each(nodes, self.pauses.iter().filter(stays), |pause| (pause.to, ALIVE_WITHIN), false)
    }

    fn each<'a>(
        &'a self,
        nodes: usize,
        pauses: impl Iterator<Item = &'a Pause>,
        span: impl Fn(&Pause) -> (Instant, Duration),
        dead: bool,
    ) -> Vec<Option<Duration>> {
        let mut took = Vec::new();
        for pause in pauses {
            let (from, within) = span(pause);
            let ran = |by: &usize| *by != pause.node && self.ran(*by, from, from + within);
            for by in (0..nodes).filter(ran) {
                if self.shown_dead(by, pause.node, from) != dead {
                    let turned = self.turned(by, pause.node, from, dead).map(|at| at - from);
                    took.push(turned.filter(|took| *took <= within));
                }
            }
        }
        took
    }

    /// Whether a node shows another as dead at a moment.
    fn shown_dead(&self, by: usize, about: usize, at: Instant) -> bool {
        let before = self.of(by, about).filter(|v| v.at <= at);
        before.last().is_some_and(|verdict| verdict.dead)
    }

    fn turned(&self, by: usize, about: usize, after: Instant, dead: bool) -> Option<Instant> {
        self.of(by, about).find(|v| v.at > after && v.dead == dead).map(|v| v.at)
    }

    fn of(&self, by: usize, about: usize) -> impl Iterator<Item = &Verdict> {
        self.verdicts.iter().filter(move |v| v.by == by && v.about == about)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Node 1 of three is stopped from the tenth to the twentieth second.
    fn history(verdicts: &[(usize, usize, bool, u64)]) -> (Instant, History) {
        let zero = Instant::now();
        let at = |millis| zero + Duration::from_millis(millis);
        let pauses = vec![Pause { node: 1, from: at(10_000), to: at(20_000) }];
        let verdicts = verdicts.iter().map(|&(by, about, dead, millis)| {
            let at = at(millis);
            Verdict { by, about, dead, at }
        });
        (zero, History { pauses, verdicts: verdicts.collect() })
    }

    #[test]
    fn who_runs_and_is_shown_dead_by_one_who_runs_is_wronged() {
        let wronged = |verdict| history(&[verdict]).1.false_deaths().len();
        assert_eq!(wronged((0, 2, true, 15_000)), 1);
        assert_eq!(wronged((0, 2, false, 15_000)), 0, "alive");
        assert_eq!(wronged((0, 1, true, 15_000)), 0, "it is stopped");
        assert_eq!(wronged((0, 1, true, 22_900)), 0, "it has just come back");
        assert_eq!(wronged((0, 1, true, 23_100)), 1, "it runs again");
        assert_eq!(wronged((1, 2, true, 20_100)), 0, "who says so has just come back");
    }

    #[test]
    fn a_stopped_node_is_dead_to_each_that_ran_or_late() {
        let (_, all) = history(&[(0, 1, true, 10_900), (2, 1, true, 15_100)]);
        assert_eq!(all.deaths(3), [Some(Duration::from_millis(900)), None]);
        assert_eq!(history(&[]).1.deaths(3), [None, None]);
    }

    #[test]
    fn a_node_that_runs_again_is_alive_to_each_that_held_it_dead_or_late() {
        let dead = [(0, 1, true, 11_000), (2, 1, true, 11_000)];
        let (_, all) = history(&[dead[0], dead[1], (0, 1, false, 20_250), (2, 1, false, 21_001)]);
        assert_eq!(all.returns(3), [Some(Duration::from_millis(250)), None]);
        assert_eq!(history(&[dead[0]]).1.returns(3), [None], "node 2 never held it dead");
    }
}
