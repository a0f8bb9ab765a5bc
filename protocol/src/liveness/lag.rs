//! How late a beacon comes, by its sender's own clock.
//!
//! A beacon says how long its sender had run when it was sent. From one to the next, the time that passes
//! there and here is the same, whatever the clocks show; what comes later than that was held up on its way,
//! and says that its sender lived then, not that it lives now. Gossip does hold beacons up: a process that is
//! stopped and resumed still offers what it had.
//!
//! **Invariant**: a beacon that took [`LATE`] longer than the quickest of its sender is late, once that one
//! came; and of a sender whose clock was put back, or stood still, those only that it sends within [`LATE`] of the
//! first of them, and often only that one.

use core::time::Duration;

use crate::time::Instant;

/// What is no later than this is news. Gossip offers again, once a second, what got lost, so two seconds are
/// nothing unusual; whoever stopped is dead to others after four.
pub(super) const LATE: Duration = Duration::from_secs(3);
/// Two late beacons in a row that are as late as each other, up to this many milliseconds, were not held up: the
/// sender's clock lost that time. Less than the least time between two beacons.
const SAME: u64 = 100;

/// The way from a sender to this node, in milliseconds: this node's clock less the sender's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lag {
    /// Of the quickest beacon, and slowly on to that of later ones, because clocks run apart.
    least: i64,
    /// Of the last late one.
    late: i64,
    /// When that was sent, by its sender's clock.
    sent: i64,
}

impl Lag {
    /// Nothing came yet.
    pub(super) const UNKNOWN: Self = Self { least: i64::MAX, late: i64::MAX, sent: 0 };

    /// How late the beacon is that was sent when its sender had run for `uptime`; none: it is not.
    pub(super) fn late(&mut self, uptime: Duration, now: Instant) -> Option<Duration> {
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let sent = millis(uptime);
        let lag = millis(now.since_origin()).saturating_sub(sent);
        let more = lag.saturating_sub(self.least);
        if more <= 0 || self.is_the_clock(lag, sent) {
            *self = Self { least: lag, ..Self::UNKNOWN };
            return None;
        }
        let held_up = Duration::from_millis(more.unsigned_abs());
        if held_up <= LATE {
            self.least = self.least.saturating_add(more / 8);
            return None;
        }
        (self.late, self.sent) = (lag, sent);
        Some(held_up)
    }

    /// Whether this late beacon and the one before it were not held up, but their sender's clock lost time.
    /// What is let go together is as much less late as it was sent later.
    fn is_the_clock(self, lag: i64, sent: i64) -> bool {
        let apart = lag.abs_diff(self.late);
        let later = Duration::from_millis(sent.abs_diff(self.sent));
        apart <= SAME || Duration::from_millis(apart) < LATE && later >= LATE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn late(lag: &mut Lag, sent: u64, came: u64) -> Option<u64> {
        let now = Instant::after_origin(Duration::from_millis(came));
        lag.late(Duration::from_millis(sent), now).map(|it| u64::try_from(it.as_millis()).unwrap())
    }

    #[test]
    fn what_was_held_up_is_late_by_that() {
        let mut lag = Lag::UNKNOWN;
        // The sender's clock shows 50 s more than this one's.
        assert_eq!(late(&mut lag, 60_000, 10_000), None, "the first is as quick as any");
        assert_eq!(late(&mut lag, 70_000, 22_990), None, "gossip lost it and offered it again");
        assert_eq!(late(&mut lag, 80_000, 30_000), None);
        assert_eq!(late(&mut lag, 81_000, 39_000), Some(8_000));
        assert_eq!(late(&mut lag, 82_000, 39_000), Some(7_000), "let go together");
        assert_eq!(late(&mut lag, 90_000, 40_000), None);
    }

    #[test]
    fn a_clock_that_stood_still_is_believed_again_at_the_second_beacon() {
        let mut lag = Lag::UNKNOWN;
        assert_eq!(late(&mut lag, 10_000, 10_000), None);
        assert_eq!(late(&mut lag, 11_000, 3_611_000), Some(3_600_000));
        assert_eq!(late(&mut lag, 11_200, 3_611_240), None);
        assert_eq!(late(&mut lag, 21_000, 3_621_000), None);
        assert_eq!(late(&mut lag, 22_000, 3_630_000), Some(8_000));
    }

    #[test]
    fn beacons_that_come_unevenly_are_believed_after_a_while_and_such_as_are_let_go_together_are_not()
     {
        let mut lag = Lag::UNKNOWN;
        assert_eq!(late(&mut lag, 10_000, 10_000), None);
        assert_eq!(late(&mut lag, 11_000, 3_611_000), Some(3_600_000));
        assert_eq!(late(&mut lag, 11_200, 3_611_600), Some(3_600_400));
        assert_eq!(late(&mut lag, 21_000, 3_621_900), None);
        let mut lag = Lag::UNKNOWN;
        assert_eq!(late(&mut lag, 10_000, 10_000), None);
        let held_up = [20_000, 30_000, 40_000, 43_000];
        let all: Vec<_> = held_up.iter().map(|sent| late(&mut lag, *sent, 60_000)).collect();
        assert_eq!(all, [Some(40_000), Some(30_000), Some(20_000), Some(17_000)]);
    }

    #[test]
    fn clocks_that_run_apart_do_not_make_late() {
        let mut lag = Lag::UNKNOWN;
        // A second in a thousand, a beacon in five minutes: worse than any clock.
        let minutes = (0..10_000).map(|n| n * 300_000);
        let all = minutes.map(|sent| late(&mut lag, sent, sent + sent / 1000));
        assert_eq!(all.flatten().count(), 0);
    }
}
