use std::time::Duration;

/// The second wait; the first is none. From 05.
const FIRST: Duration = Duration::from_millis(100);
/// The longest wait. From 05: a node that cannot start costs two starts a minute.
const MOST: Duration = Duration::from_secs(30);
/// How long a fulcrum has to be ready until its end counts as the first again. A guess.
const SOUND_AFTER: Duration = Duration::from_secs(60);

/// How long to wait before the next start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Backoff {
    /// How often in a row it ended early.
    ends: u32,
}

impl Backoff {
    /// The wait after a fulcrum that was ready for so long.
    pub(super) fn after(&mut self, ready_for: Option<Duration>) -> Duration {
        if ready_for.is_some_and(|time| time >= SOUND_AFTER) {
            self.ends = 0;
        }
        let before = self.ends;
        self.ends = self.ends.saturating_add(1);
        match before.checked_sub(1) {
            None => Duration::ZERO,
            Some(n) => FIRST.saturating_mul(2_u32.saturating_pow(n)).min(MOST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_once_then_twice_as_long_each_time_up_to_a_bound() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..40).map(|_| backoff.after(None).as_millis()).collect();
        assert_eq!(waits[..5], [0, 100, 200, 400, 800]);
        assert_eq!(waits[9..12], [25_600, 30_000, 30_000]);
        assert_eq!(waits[39], 30_000);
    }

    #[test]
    fn a_fulcrum_that_was_ready_for_a_minute_makes_the_next_end_the_first() {
        let mut backoff = Backoff::default();
        for _ in 0..8 {
            backoff.after(Some(SOUND_AFTER - Duration::from_millis(1)));
        }
        assert!(backoff.after(None) > Duration::from_secs(10));
        assert_eq!(backoff.after(Some(SOUND_AFTER)), Duration::ZERO);
        assert_eq!(backoff.after(None), FIRST);
    }
}
