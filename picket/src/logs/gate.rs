//! How much a service may write: a token bucket, and the count of what did not pass.
//!
//! **Invariants.** In any time `t` at most [`BURST`] + [`RATE`] × `t` bytes pass. The rest is
//! counted once, in the next [`Missing`] that is taken.
//!
//! An empty bucket lets nothing pass until [`REOPEN`] bytes are in it again. Otherwise a program that
//! writes without end would get one line through at a time, each with a remark about those before it.

use std::time::Duration;

use crux_protocol::time::Instant;

/// Bytes a second: 1 MiB. A guess: journald drops above 10,000 messages in 30 s, which is less.
pub const RATE: u64 = 1 << 20;
/// Bytes at once: 8 MiB, a stack dump of a large program.
pub const BURST: u64 = 8 << 20;
/// How much an empty bucket collects first: a quarter of a second, so at most four remarks a second.
const REOPEN: u64 = RATE / 4;

/// Lines that did not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Missing {
    /// How many lines ended in it.
    pub lines: u64,
    /// How many bytes of text it had.
    pub bytes: u64,
}

impl Missing {
    /// Whether nothing is missing.
    pub const fn is_none(self) -> bool {
        self.lines == 0 && self.bytes == 0
    }

    /// Counts another piece of text.
    pub const fn add(&mut self, lines: u64, bytes: u64) {
        self.lines += lines;
        self.bytes += bytes;
    }
}

/// The bucket of a service.
#[derive(Debug)]
pub struct Gate {
    /// How many bytes may pass, as of `at`.
    room: u64,
    at: Instant,
    is_shut: bool,
    missing: Missing,
}

impl Gate {
    /// A full bucket.
    pub const fn new(now: Instant) -> Self {
        Self { room: BURST, at: now, is_shut: false, missing: Missing { lines: 0, bytes: 0 } }
    }

    /// Whether so many bytes pass; if not, they are counted, and as a line where `ends` says that one ends.
    pub fn pass(&mut self, bytes: u64, ends: bool, now: Instant) -> bool {
        self.fill(now);
        if self.is_shut && self.room >= REOPEN {
            self.is_shut = false;
        }
        if self.is_shut || self.room < bytes {
            self.is_shut = true;
            self.missing.add(u64::from(ends), bytes);
            return false;
        }
        self.room -= bytes;
        true
    }

    fn fill(&mut self, now: Instant) {
        let nanos = now.since(self.at).as_nanos();
        // Only whole bytes are added, and the clock moves on by what they took: a fraction is not lost.
        let bytes = nanos * u128::from(RATE) / 1_000_000_000;
        let Some(bytes) = u64::try_from(bytes).ok().filter(|bytes| *bytes < BURST) else {
            (self.room, self.at) = (BURST, now);
            return;
        };
        if bytes > 0 {
            self.room = (self.room + bytes).min(BURST);
            self.at = self.at + Duration::from_nanos(bytes * 1_000_000_000 / RATE);
        }
    }

    /// When what is missing has to be said, if no line passes before.
    pub fn deadline(&self) -> Option<Instant> {
        (!self.missing.is_none()).then(|| self.at + Duration::from_secs(1))
    }

    /// The lines that are missing, once; the caller writes it down.
    pub const fn take_missing(&mut self) -> Option<Missing> {
        if self.missing.is_none() {
            return None;
        }
        Some(std::mem::replace(&mut self.missing, Missing { lines: 0, bytes: 0 }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(us: u64) -> Instant {
        Instant::ORIGIN + Duration::from_micros(us)
    }

    proptest! {
        /// Any sequence of lines: what passes is bounded, the rest is counted.
        #[test]
        fn the_rate_holds_and_what_is_missing_is_counted(
            lines in proptest::collection::vec((0..400_000_u64, 0..300_000_u64, any::<bool>()), 1..200),
        ) {
            let mut gate = Gate::new(at(0));
            let (mut now, mut passed, mut expected) = (0, 0, Missing::default());
            for (wait, bytes, ends) in lines {
                now += wait;
                if gate.pass(bytes, ends, at(now)) {
                    passed += bytes;
                } else {
                    expected.add(u64::from(ends), bytes);
                }
                prop_assert!(passed <= BURST + RATE * now / 1_000_000 + 1);
            }
            prop_assert_eq!(gate.take_missing().unwrap_or_default(), expected);
            prop_assert_eq!(gate.take_missing(), None);
        }

        /// However often the clock is read, no fraction of the rate is lost.
        #[test]
        fn many_small_steps_fill_as_one_great_one(steps in 1..2000_u64) {
            let mut gate = Gate::new(at(0));
            prop_assert!(gate.pass(BURST, true, at(0)));
            for step in 1..=steps {
                gate.fill(at(step * 7));
            }
            prop_assert!(gate.room.abs_diff(RATE * steps * 7 / 1_000_000) <= 3);
        }
    }

    #[test]
    fn a_program_that_writes_without_end_gets_few_remarks() {
        let mut gate = Gate::new(at(0));
        let mut remarks = 0;
        for tick in 0..100_000_u64 {
            if gate.pass(10_000, true, at(tick * 100)) && gate.take_missing().is_some() {
                remarks += 1;
            }
        }
        assert!((20..=40).contains(&remarks), "{remarks} in ten seconds");
    }

    #[test]
    fn a_quiet_program_has_all_of_the_burst_again() {
        let mut gate = Gate::new(at(0));
        assert!(gate.pass(BURST, true, at(0)));
        assert!(!gate.pass(1, true, at(0)));
        assert!(!gate.pass(1, true, at(200_000)), "it stays shut until there is some room");
        assert!(gate.pass(1, true, at(250_000)));
        assert!(gate.pass(BURST, true, at(60_000_000)));
    }
}
