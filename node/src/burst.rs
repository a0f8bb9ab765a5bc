//! How often something is said that others can cause as often as they like.

use std::time::Duration;

use crux_protocol::time::Instant;

/// After how long the same is said again.
pub(crate) const REST: Duration = Duration::from_secs(60);

/// What to do with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Say {
    /// Say it; so many like it were left out before.
    Tell {
        /// How many.
        left_out: u64,
    },
    /// Leave it out.
    Nothing,
}

/// The lines of one kind.
///
/// Invariant: at most `max` of them are said in any [`REST`], counted from the first; the first one
/// after that says how many were not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Burst {
    since: Instant,
    said: u32,
    left_out: u64,
}

impl Burst {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { since: now, said: 0, left_out: 0 }
    }

    /// What to do with the next line.
    pub(crate) fn hear(&mut self, max: u32, now: Instant) -> Say {
        let left_out = self.left_out;
        if now.since(self.since) >= REST {
            *self = Self::new(now);
        }
        if self.said >= max {
            self.left_out += 1;
            return Say::Nothing;
        }
        self.said += 1;
        Say::Tell { left_out: if self.said == 1 { left_out } else { 0 } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_said_in_part_and_counted() {
        let start = Instant::after_origin(Duration::from_secs(5));
        let mut burst = Burst::new(start);
        let said = (0..1000).filter(|_| burst.hear(10, start) != Say::Nothing).count();
        assert_eq!(said, 10);
        let almost = start + (REST - Duration::from_millis(1));
        assert_eq!(burst.hear(10, almost), Say::Nothing);
        let later = start + REST;
        assert_eq!(burst.hear(10, later), Say::Tell { left_out: 991 });
        assert_eq!(burst.hear(10, later), Say::Tell { left_out: 0 });
    }
}
