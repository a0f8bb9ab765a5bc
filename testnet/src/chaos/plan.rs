//! The plan of the nemesis, drawn from a seed.
//!
//! Faults begin at random times, last for random times and overlap, at most `AT_ONCE_MAX` at a time.
//!
//! Beside them one liar at a time lies, and rests between its lies.
//!
//! **Invariant**: a plan is a function of seed, number of nodes and time; with a liar it is the same plan,
//! and its lies beside it. A process has one fault of
//! its own at a time, unless it is killed, which ends the other; and all end before the plan does.

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use crux_sim::scenario::{Cut, Hosts};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::Fault;
use crate::liar::Lie;

/// How many faults at a time: more would only hide each other.
const AT_ONCE_MAX: usize = 3;
/// The quiet at the beginning, so that there is something to lose.
const QUIET_FIRST: Duration = Duration::from_secs(3);
/// No fault may end this close before a disk is lost: what was acknowledged before then has had its
/// chance to reach others.
const BEFORE_WIPE: Duration = Duration::from_secs(12);
/// Nor may one begin this close after it: a node that is made anew takes over the name of its old self
/// only once that is dead to whoever lets it in.
const AFTER_WIPE: Duration = Duration::from_secs(6);
/// How often a disk is lost instead of something else. Each takes a pause before and after it.
const WIPE_PERCENT: u32 = 4;

/// The lies of a plan: those about the state of a flock. Texts are of no account to it.
const LIES: [Lie; 7] =
    [Lie::Blob, Lie::Fence, Lie::Term, Lie::Keys, Lie::Silent, Lie::Slow, Lie::Guests];
/// Its seed is another one, so that it changes nothing of the rest.
const LIAR: u64 = 0x6c69_6172;

/// A fault and its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// When it begins, from the start of the plan.
    pub from: Duration,
    /// When it ends; as `from` for what happens at once.
    pub to: Duration,
    /// The fault.
    pub fault: Fault,
}

/// The faults and their times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// In the order in which they begin.
    pub faults: Vec<Planned>,
}

impl Plan {
    /// The plan of a seed, of `nodes` nodes for `time`.
    #[must_use]
    pub fn draw(seed: u64, nodes: usize, time: Duration) -> Self {
        let mut draw = Draw { luck: StdRng::seed_from_u64(seed), nodes, faults: Vec::new() };
        let mut at = QUIET_FIRST.min(time / 4);
        while at < time {
            if draw.luck.random_range(0..100) < WIPE_PERCENT {
                at = draw.wipe(at, time);
            } else {
                draw.one(at, time);
            }
            at += draw.millis(500, 4_500);
        }
        Self { faults: draw.faults }
    }

    /// The same plan with a liar: one lie after the other, in an order of the seed, each about as often.
    #[must_use]
    pub fn with_liar(mut self, seed: u64, time: Duration) -> Self {
        let luck = StdRng::seed_from_u64(seed ^ LIAR);
        let mut draw = Draw { luck, nodes: 0, faults: Vec::new() };
        let mut at = QUIET_FIRST.min(time / 4);
        let mut left: Vec<Lie> = Vec::new();
        loop {
            if left.is_empty() {
                left.extend(LIES);
            }
            let lie = left.swap_remove(draw.luck.random_range(0..left.len()));
            let to = at + draw.millis(8_000, 20_000);
            if to > time {
                break;
            }
            self.faults.push(Planned { from: at, to, fault: Fault::Lie(lie) });
            at = to + draw.millis(1_000, 6_000);
        }
        self.faults.sort_by_key(|planned| planned.from);
        self
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Planned { from, to, fault } in &self.faults {
            let lasts = *to - *from;
            if lasts.is_zero() {
                writeln!(f, "{:8.3} s {:14}{fault}", from.as_secs_f64(), "")?;
            } else {
                let lasts = lasts.as_secs_f64();
                writeln!(f, "{:8.3} s for {lasts:6.3} s  {fault}", from.as_secs_f64())?;
            }
        }
        Ok(())
    }
}

struct Draw {
    luck: StdRng,
    nodes: usize,
    faults: Vec<Planned>,
}

impl Draw {
    fn one(&mut self, from: Duration, end: Duration) {
        let going_on = self.faults.iter().filter(|planned| planned.to > from).count();
        // Always drawn, so that what follows does not hang on what is refused.
        let (fault, lasts) = self.fault();
        let to = (from + lasts).min(end);
        let planned = Planned { from, to, fault };
        let is_most_of_it = lasts.is_zero() || to > from + lasts / 2;
        if going_on < AT_ONCE_MAX && is_most_of_it && self.is_allowed(&planned) {
            self.faults.push(planned);
        }
    }

    /// The loss of a disk, or of everything, between two pauses. Returns when the second one ends.
    fn wipe(&mut self, at: Duration, end: Duration) -> Duration {
        let host = self.luck.random_range(0..self.nodes);
        let lasts = self.millis(300, 5_000);
        let quiet = self.faults.iter().map(|other| other.to + BEFORE_WIPE).max();
        let from = quiet.map_or(at, |quiet| quiet.max(at));
        if from + lasts > end {
            return at;
        }
        let anew = self.luck.random_bool(0.4);
        let fault = if anew { Fault::Rekey(host) } else { Fault::Wipe(host) };
        self.faults.push(Planned { from, to: from + lasts, fault });
        from + lasts + AFTER_WIPE
    }

    /// A process has one fault at a time; but one that is stopped or whose disk is full can be killed.
    fn is_allowed(&self, new: &Planned) -> bool {
        let own = new.fault.process();
        let kill = matches!(new.fault, Fault::Kill(_));
        let busy = |other: &&Planned| {
            let ends_with_it = kill && matches!(other.fault, Fault::Freeze(_) | Fault::Fill(_));
            other.to >= new.from && other.fault.process() == own && !ends_with_it
        };
        own.is_none() || !self.faults.iter().any(|other| busy(&other))
    }

    fn fault(&mut self) -> (Fault, Duration) {
        let host = self.luck.random_range(0..self.nodes);
        match self.luck.random_range(0..100) {
            0..14 => (Fault::Kill(host), self.millis(300, 12_000)),
            14..18 => (Fault::KillFulcrum(host), Duration::ZERO),
            18..32 => (Fault::Freeze(host), self.millis(400, 12_000)),
            32..40 => (Fault::Fill(host), self.millis(2_000, 12_000)),
            40..70 => (self.cut(), self.millis(1_000, 25_000)),
            70..78 => (self.slow(), self.millis(4_000, 15_000)),
            78..84 => {
                let rate = self.luck.random_range(8_000..64_000);
                let bytes_per_second = NonZeroU32::new(rate).unwrap_or(NonZeroU32::MAX);
                let of = Hosts::one(host);
                (Fault::Narrow { of, bytes_per_second }, self.millis(4_000, 15_000))
            }
            84..91 => {
                let life = self.millis(500, 5_000);
                (Fault::Flaky { of: self.some(), life }, self.millis(4_000, 12_000))
            }
            91..96 => {
                let other = (host + self.luck.random_range(1..self.nodes.max(2))) % self.nodes;
                (Fault::HalfOpen { believer: host, other }, self.millis(2_000, 15_000))
            }
            _ => (Fault::Reset(self.some()), Duration::ZERO),
        }
    }

    fn cut(&mut self) -> Fault {
        let left = self.some();
        let right: BTreeSet<_> = (0..self.nodes).filter(|host| !left.0.contains(host)).collect();
        let how = if self.luck.random_bool(0.6) { Cut::Silent } else { Cut::Refused };
        let both = self.luck.random_bool(0.7);
        let (from, to) = (left, Hosts(right));
        let (from, to) = if self.luck.random_bool(0.5) { (from, to) } else { (to, from) };
        Fault::Cut { how, from, to, both }
    }

    fn slow(&mut self) -> Fault {
        let delay = self.millis(5, 200);
        let jitter = self.millis(1, 150);
        let of = if self.luck.random_bool(0.5) { self.some() } else { self.all() };
        Fault::Slow { of, delay, jitter }
    }

    fn all(&self) -> Hosts {
        Hosts((0..self.nodes).collect())
    }

    /// At least one, at most half.
    fn some(&mut self) -> Hosts {
        let count = self.luck.random_range(1..=(self.nodes / 2).max(1));
        let mut hosts: Vec<usize> = (0..self.nodes).collect();
        for last in (1..hosts.len()).rev() {
            let chosen = self.luck.random_range(0..=last);
            hosts.swap(last, chosen);
        }
        Hosts(hosts.into_iter().take(count).collect())
    }

    fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.luck.random_range(least..=most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_secs(300);

    #[test]
    fn a_seed_is_a_plan_and_another_seed_is_another() {
        let plan = Plan::draw(7, 7, TIME);
        assert_eq!(Plan::draw(7, 7, TIME).to_string(), plan.to_string());
        assert_ne!(Plan::draw(8, 7, TIME), plan);
        assert!(plan.faults.len() > 30, "{plan}");
    }

    #[test]
    fn faults_end_in_time_and_leave_room_for_each_other() {
        for seed in 0..50 {
            let plan = Plan::draw(seed, 7, TIME);
            for (at, one) in plan.faults.iter().enumerate() {
                assert!(one.to <= TIME && one.from <= one.to);
                let before = &plan.faults[..at];
                let going_on = before.iter().filter(|other| other.to > one.from);
                assert!(going_on.clone().count() < AT_ONCE_MAX, "{plan}");
                let host = one.fault.process();
                let kill = matches!(one.fault, Fault::Kill(_));
                let own = going_on.filter(|other| host.is_some() && other.fault.process() == host);
                let ends =
                    |other: &&Planned| matches!(other.fault, Fault::Freeze(_) | Fault::Fill(_));
                let own = own.filter(|other| !(kill && ends(other)));
                assert_eq!(own.count(), 0, "{plan}");
            }
        }
    }

    #[test]
    fn a_liar_lies_one_after_the_other_and_changes_nothing_else() {
        let plan = Plan::draw(3, 7, TIME);
        let with = plan.clone().with_liar(3, TIME);
        let is_lie = |planned: &&Planned| matches!(planned.fault, Fault::Lie(_));
        let rest: Vec<_> = with.faults.iter().filter(|it| !is_lie(it)).cloned().collect();
        assert_eq!(rest, plan.faults);
        let lies: Vec<_> = with.faults.iter().filter(is_lie).collect();
        assert!(lies.windows(2).all(|pair| pair[0].to < pair[1].from), "{with}");
        assert!(lies.iter().all(|lie| lie.to <= TIME));
        let kinds: BTreeSet<_> = lies.iter().map(|lie| lie.fault.to_string()).collect();
        assert_eq!(kinds.len(), LIES.len(), "{with}");
        assert!(with.faults.is_sorted_by_key(|planned| planned.from));
    }

    #[test]
    fn every_kind_of_fault_comes_up() {
        let kinds: BTreeSet<_> = (0..20)
            .flat_map(|seed| Plan::draw(seed, 7, TIME).faults)
            .map(|planned| std::mem::discriminant(&planned.fault))
            .map(|kind| format!("{kind:?}"))
            .collect();
        assert_eq!(kinds.len(), 12);
    }
}
