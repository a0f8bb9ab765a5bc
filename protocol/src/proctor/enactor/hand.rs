use super::{Command, RETRY};
use crate::proctor::{Goals, Order};
use crate::time::Instant;

/// The sets that the picket is handed: one at a time, and again until it accepted it.
#[derive(Debug, Default)]
pub(super) struct Hand {
    /// The set that it accepted last; none: unknown, after a start.
    accepted: Option<Goals>,
    /// The set that it is deciding on.
    flight: Option<Goals>,
    /// From when on the next set may go out.
    rests_until: Instant,
}

impl Hand {
    /// The picket decided.
    pub(super) fn on_answered(&mut self, accepted: bool, now: Instant) {
        let handed = self.flight.take();
        if accepted {
            self.accepted = handed;
        } else {
            (self.accepted, self.rests_until) = (None, now + RETRY);
        }
    }

    /// The picket says which set it holds. One that lost its disk holds an older one than it accepted.
    pub(super) fn on_order(&mut self, order: Option<Order>) {
        let held = self.accepted.as_ref().map(Goals::order);
        if self.flight.is_none() && order < held {
            self.accepted = None;
        }
    }

    /// Hands in a set, if the picket does not have it and it may; else when to try again.
    pub(super) fn give(&mut self, goals: &Goals, now: Instant, out: &mut Vec<Command>) -> Instant {
        let is_there = self.accepted.as_ref().is_some_and(|it| is_same(it, goals));
        if is_there || self.flight.is_some() {
            return Instant::NEVER;
        }
        if now < self.rests_until {
            return self.rests_until;
        }
        self.flight = Some(goals.clone());
        out.push(Command::Hand(goals.clone()));
        Instant::NEVER
    }
}

/// Whether two sets differ in no more than the number of the pass. Such a one is not handed in: it would have every node
/// write its disk for each pass of the leader.
fn is_same(one: &Goals, other: &Goals) -> bool {
    let place = |goals: &Goals| {
        let Order { target, pass } = goals.order();
        (target, pass.term, pass.leader)
    };
    place(one) == place(other) && one.services() == other.services()
}
