//! When an instance that failed is started again.

use core::time::Duration;
use std::collections::VecDeque;

use rand::RngExt;
use rand::rngs::StdRng;

use super::rules::{
    BACKOFF_FIRST, JITTER, LOOP_FAILURES, LOOP_WINDOW, PROVEN, START_WINDOW, STARTS, UP_ENOUGH,
};
use crate::time::Instant;

/// The failures and starts of one ordinal of a service.
///
/// **Invariants**: [`STARTS`] starts in [`START_WINDOW`] at most; a start after a failure is not before
/// the back-off; both lists are bounded.
#[derive(Debug, Default)]
pub(super) struct Tries {
    /// The last failures, at most [`LOOP_FAILURES`], of the last [`LOOP_WINDOW`].
    failures: VecDeque<Instant>,
    /// The last starts by itself, at most [`STARTS`].
    starts: VecDeque<Instant>,
    /// How often the wait was doubled.
    doubled: u32,
    /// It was in a crash loop, and has not proved itself since.
    looping: bool,
}

/// The consequence of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Start it again then.
    At(Instant),
    /// It failed too often: try it then.
    Failed(Instant),
}

impl Tries {
    /// Takes in a failure of an instance that had been up for so long.
    pub(super) fn failed(
        &mut self,
        up: Option<Duration>,
        (backoff_max, retry_failed): (Duration, Duration),
        now: Instant,
        rng: &mut StdRng,
    ) -> Next {
        if up.is_some_and(|up| up >= PROVEN) {
            (self.doubled, self.looping) = (0, false);
        }
        self.failures.retain(|at| now.since(*at) < LOOP_WINDOW);
        if self.failures.len() == LOOP_FAILURES {
            self.failures.pop_front();
        }
        self.failures.push_back(now);
        let is_loop = self.looping || self.failures.len() == LOOP_FAILURES;
        if is_loop && !crux_crdt::planted!(NeverFails) {
            self.looping = true;
            return Next::Failed(self.not_before(now + retry_failed));
        }
        if up.is_some_and(|up| up >= UP_ENOUGH) {
            return Next::At(self.not_before(now));
        }
        let wait = BACKOFF_FIRST.saturating_mul(2u32.saturating_pow(self.doubled));
        self.doubled = self.doubled.saturating_add(1);
        let wait = wait.min(backoff_max).mul_f64(rng.random_range(1.0 - JITTER..1.0 + JITTER));
        Next::At(self.not_before(now + wait))
    }

    /// Notes a start that nobody asked for.
    pub(super) fn started(&mut self, now: Instant) {
        if self.starts.len() == STARTS {
            self.starts.pop_front();
        }
        self.starts.push_back(now);
    }

    /// That time, or later if there were too many starts.
    pub(super) fn not_before(&self, at: Instant) -> Instant {
        let full = self.starts.len() == STARTS && !crux_crdt::planted!(RestartsUnbounded);
        let first = self.starts.front().filter(|_| full);
        first.map_or(at, |first| at.max(*first + START_WINDOW))
    }

    /// Whether it is in a crash loop.
    pub(super) const fn is_looping(&self) -> bool {
        self.looping
    }

    /// A person has it tried again, or it has another content: only the starts count on.
    pub(super) fn forgive(&mut self) {
        (self.doubled, self.looping) = (0, false);
        self.failures.clear();
    }

    /// How much is kept.
    pub(super) fn footprint(&self) -> usize {
        self.failures.len() + self.starts.len()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn ten_starts_in_a_minute_and_then_none() {
        let mut tries = Tries::default();
        let at = |secs| Instant::after_origin(Duration::from_secs(secs));
        for second in 0..10 {
            assert_eq!(tries.not_before(at(second)), at(second));
            tries.started(at(second));
        }
        assert_eq!(tries.not_before(at(10)), at(60), "a minute after the first");
        let mut rng = StdRng::from_seed([1; 32]);
        let bounds = (Duration::from_secs(30), Duration::from_secs(5));
        let long = Some(Duration::from_secs(11));
        assert_eq!(tries.failed(long, bounds, at(10), &mut rng), Next::At(at(60)));
        tries.started(at(60));
        assert_eq!(tries.not_before(at(60)), at(61), "then a minute after the second");
    }

    #[test]
    fn the_wait_has_a_greatest_and_a_jitter() {
        let mut rng = StdRng::from_seed([1; 32]);
        let (most, retry) = (Duration::from_secs(30), Duration::from_secs(300));
        let mut waits = Vec::new();
        for _ in 0..200 {
            let mut tries = Tries { doubled: 40, ..Tries::default() };
            match tries.failed(None, (most, retry), Instant::ORIGIN, &mut rng) {
                Next::At(at) => waits.push(at.since_origin()),
                Next::Failed(at) => panic!("{at:?}"),
            }
        }
        assert!(waits.iter().all(|wait| (24.0..36.0).contains(&wait.as_secs_f64())), "{waits:?}");
        assert!(waits.iter().any(|wait| wait.as_secs() < 27), "{waits:?}");
        assert!(waits.iter().any(|wait| wait.as_secs() > 33), "{waits:?}");
    }
}
