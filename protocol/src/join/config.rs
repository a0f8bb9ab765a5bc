use core::time::Duration;

/// Bounds of the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How long one side waits for the other in the middle of a handshake. Must exceed a dial
    /// (3 s) and a durable write on a slow disk. A guess.
    pub patience: Duration,
    /// How many strangers may be in the middle of a handshake at once. Each holds about 1 KiB.
    pub guests_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { patience: Duration::from_secs(10), guests_max: 64 }
    }
}
