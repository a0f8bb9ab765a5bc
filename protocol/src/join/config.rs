use core::time::Duration;

/// Bounds of the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How long one side waits for the other in the middle of a handshake. Must exceed a dial
    /// (3 s) and a durable write on a slow disk. A guess. It is also the time within which a challenge
    /// is to be answered.
    pub patience: Duration,
    /// How many joiners may be called back and admitted at once. Each has proved the join key, and
    /// holds about 1 KiB.
    pub guests_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { patience: Duration::from_secs(10), guests_max: 64 }
    }
}
