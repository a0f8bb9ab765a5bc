use core::time::Duration;

/// How fast a leader is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Config {
    /// How much longer each less senior member waits before it claims. Longer than a header takes
    /// to arrive everywhere, or two claim. From the design, page 02.
    pub rank_delay: Duration,
    /// How long a node that knows others, or was told where to find them, waits after its start
    /// before it claims: a restart of the whole flock should find its old leader. A guess.
    pub start_grace: Duration,
    /// How long a leader that met a greater claim waits to hear its holder before it claims above
    /// it. Longer than a leader's beacon period (2 s), or a leader that returns, or meets the other
    /// one after a heal, would take over from one that lives.
    pub outbid_grace: Duration,
    /// How long the holder of a fence stays away, after others retired it or it left, before a node
    /// forgets that fence. Longer than a live member takes to undo a retirement that was a lie: its
    /// next record is there within a round of gossip or anti-entropy.
    pub forget_grace: Duration,
    /// A leader that heard nobody close, observer or observed, for this long has no authority. From
    /// the design.
    pub authority_lapse: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            rank_delay: Duration::from_millis(300),
            start_grace: Duration::from_secs(2),
            outbid_grace: Duration::from_secs(3),
            forget_grace: Duration::from_secs(5),
            authority_lapse: Duration::from_secs(3),
        }
    }
}
