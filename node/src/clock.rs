//! The one clock that engines are told the time from.

use std::time::Duration;

use crux_client::model::WallTime;
use crux_protocol::time::Instant;
use rustix::time::{ClockId, clock_gettime};

/// The boot-time clock: never steps back, and goes on while the machine sleeps, so that a node that
/// wakes up knows that it slept.
pub fn now() -> Instant {
    Instant::after_origin(read(ClockId::Boottime))
}

/// How far the wall clock is ahead of the boot-time clock. Changes when somebody sets the clock.
pub fn wall_offset() -> Duration {
    read(ClockId::Realtime).saturating_sub(read(ClockId::Boottime))
}

/// The wall clock, for people: engines never hear of it.
pub fn wall() -> WallTime {
    let unix_ms = read(ClockId::Realtime).as_millis();
    WallTime { unix_ms: u64::try_from(unix_ms).unwrap_or(u64::MAX) }
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), nanos)
}
