use core::time::Duration;

/// How fast verdicts are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How often a beat goes to each observer. From the design, page 02.
    pub beat_period: Duration,
    /// How late a beat may be before its sender counts as silent. Must exceed the stalls that a busy
    /// machine shows (600 ms) with room, and with `beat_period` and `suspect_for` stay under the
    /// five seconds within which a stopped node is to be shown dead.
    pub beat_grace: Duration,
    /// How long a silent member is suspect before it is dead, times local health. From the design.
    pub suspect_for: Duration,
    /// The least time between two beacons when nothing happens; grows with the flock (N/33 s).
    pub beacon_period_min: Duration,
    /// The greatest.
    pub beacon_period_max: Duration,
    /// The leader's beacon period.
    pub leader_beacon_period: Duration,
    /// After how many silent beacon periods silence decides.
    pub beacon_periods: u32,
    /// A longer time between two calls means that this process slept.
    pub sleep_gap: Duration,
    /// How often an observer repeats a suspicion that counts. With two observers each vote counts and
    /// gossip may lose it, so twice before `suspect_for` ends.
    pub repeat_suspicion: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            beat_period: Duration::from_secs(1),
            beat_grace: Duration::from_millis(900),
            suspect_for: Duration::from_secs(2),
            beacon_period_min: Duration::from_secs(10),
            beacon_period_max: Duration::from_secs(300),
            leader_beacon_period: Duration::from_secs(2),
            beacon_periods: 3,
            sleep_gap: Duration::from_secs(2),
            repeat_suspicion: Duration::from_secs(1),
        }
    }
}
