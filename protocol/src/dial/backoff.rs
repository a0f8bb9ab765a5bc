use core::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;

use crate::time::Instant;

/// The first delay after a failure.
const FIRST: Duration = Duration::from_millis(250);
/// Where somebody waits, there is a new dial that long after the last one began, whatever became of that. It may
/// have begun before the network came back, and last until it times out.
const HURRY_AFTER: Duration = Duration::from_millis(500);
/// The delay after a connection that was closed at once, the first time.
const SOON: Duration = Duration::from_millis(15);
/// The greatest delay.
const LAST: Duration = Duration::from_secs(5);

/// One target's dials.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backoff {
    pub(super) next_at: Instant,
    delay: Duration,
    pub(super) dialling: bool,
    started_at: Instant,
}

impl Backoff {
    pub(super) const fn new(now: Instant) -> Self {
        Self { next_at: now, delay: FIRST, dialling: false, started_at: now }
    }

    /// Whether it is time.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        !self.dialling && self.next_at <= now
    }

    pub(super) const fn start(&mut self, now: Instant) {
        (self.dialling, self.started_at) = (true, now);
    }

    /// Somebody waits: it is time now.
    pub(super) fn hurry(&mut self, now: Instant) {
        if now.since(self.started_at) >= HURRY_AFTER {
            (self.dialling, self.next_at) = (false, self.next_at.min(now));
        }
    }

    pub(super) fn fail(&mut self, now: Instant, rng: &mut StdRng) {
        self.dialling = false;
        self.next_at = now + self.delay.mul_f64(rng.random_range(0.5..1.0));
        self.delay = (self.delay * 2).min(LAST);
    }

    /// A connection was made and closed at once. The first time the next dial comes soon: a process that
    /// was just killed resets what its listener had accepted, and refuses the next one.
    pub(super) fn closed(&mut self, now: Instant, rng: &mut StdRng) {
        let is_first = self.delay == FIRST;
        self.fail(now, rng);
        if is_first {
            self.next_at = now + SOON;
        }
    }

    /// Waits at least this long.
    pub(super) fn rest(&mut self, now: Instant, least: Duration) {
        self.dialling = false;
        self.next_at = self.next_at.max(now + least);
    }

    pub(super) fn succeed(&mut self, now: Instant) {
        *self = Self::new(now + FIRST);
    }

    pub(super) fn deadline(&self) -> Instant {
        if self.dialling { Instant::NEVER } else { self.next_at }
    }
}
