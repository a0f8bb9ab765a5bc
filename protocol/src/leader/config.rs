use core::time::Duration;

/// How fast a leader is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How much longer each less senior member waits before it claims. Longer than a header takes to
    /// arrive everywhere, or two claim. From the design, page 02.
    pub rank_delay: Duration,
    /// How long a node that knows others, or was told where to find them, waits after its start
    /// before it claims: a restart of the whole flock should find its old leader. A guess.
    pub start_grace: Duration,
    /// A leader that heard no live observer for this long has no authority. From the design.
    pub authority_lapse: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            rank_delay: Duration::from_millis(300),
            start_grace: Duration::from_secs(2),
            authority_lapse: Duration::from_secs(3),
        }
    }
}
