use core::num::NonZeroU64;
use core::time::Duration;

use crate::time::Instant;

/// How much may be saved up while nothing moves.
const BURST: Duration = Duration::from_millis(250);

/// A token bucket that may be overdrawn by one piece: who finds it above zero goes ahead and pays
/// afterwards. So a piece larger than the burst passes too, and the mean holds exactly.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    rate: Option<NonZeroU64>,
    /// When it is empty again, counted as if it had never been fuller than the burst.
    clear: Instant,
}

impl Bucket {
    pub(super) const fn new(rate: Option<NonZeroU64>) -> Self {
        Self { rate, clear: Instant::ORIGIN }
    }

    /// From when on something may move.
    pub(super) const fn ready(&self) -> Instant {
        match self.rate {
            None => Instant::ORIGIN,
            Some(_) => self.clear,
        }
    }

    /// Pays for what moves now.
    pub(super) fn take(&mut self, bytes: u64, now: Instant) {
        if let Some(rate) = self.rate {
            let saved = if now.since_origin() > BURST { now - BURST } else { Instant::ORIGIN };
            self.clear = self.clear.max(saved) + cost(bytes, rate);
        }
    }

    /// Gives back what did not move after all.
    pub(super) fn give_back(&mut self, bytes: u64) {
        if let Some(rate) = self.rate {
            let cost = cost(bytes, rate);
            let clear = self.clear.since_origin();
            self.clear = Instant::after_origin(clear.saturating_sub(cost));
        }
    }

    /// How long that much takes.
    pub(super) fn time_for(&self, bytes: u64) -> Duration {
        self.rate.map_or(Duration::ZERO, |rate| cost(bytes, rate))
    }
}

fn cost(bytes: u64, rate: NonZeroU64) -> Duration {
    let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(rate.get());
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
