//! The clocks of the picket, read by its shell and handed to what decides.

use std::time::Duration;

use crux_protocol::time::Instant;
use rustix::time::{ClockId, clock_gettime};

/// The same moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// On the clock that never steps back.
    pub at: Instant,
    /// On the wall clock, in milliseconds of Unix time; for people only.
    pub unix_ms: u64,
}

/// This moment.
pub fn now() -> Moment {
    let at = Instant::after_origin(read(ClockId::Boottime));
    let unix_ms = u64::try_from(read(ClockId::Realtime).as_millis()).unwrap_or(u64::MAX);
    Moment { at, unix_ms }
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), nanos)
}
