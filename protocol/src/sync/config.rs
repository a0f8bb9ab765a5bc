use core::time::Duration;

/// When replicas are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How often roots are compared with one random neighbour. Shorter repairs lost gossip sooner
    /// and costs one small exchange a period. From the design, page 01.
    pub roots_period: Duration,
    /// How long a difference must stand before it starts a session, unless the link is new.
    /// Should be longer than gossip takes to arrive. From the design, page 01.
    pub recheck_after: Duration,
    /// The least time between two announcements of what sync brought in. From the design, page 01.
    pub announce_period: Duration,
    /// How many sessions run at once; one of the places is kept for peers whose last session ended well.
    /// More heal faster and fetch more twice. A guess.
    pub sessions_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            roots_period: Duration::from_secs(5),
            recheck_after: Duration::from_secs(1),
            announce_period: Duration::from_millis(200),
            sessions_max: 4,
        }
    }
}
