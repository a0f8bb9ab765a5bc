use std::fmt;

/// A part of a running node: a task or a thread that lives as long as the node does.
///
/// The order is that of the start. Parts stop in the reverse order, so each may count on those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The thread that writes the log; see `telemetry::outlet`.
    Log,
    /// Reads the settings again at each SIGHUP; see `reload`.
    Reload,
    /// Waits for the signals that stop the node; see [`crate::shutdown`].
    Signals,
    /// The thread that waits for standard input to close, with `--stop-with-stdin`.
    Stdin,
    /// The thread of the database; see [`crate::store`].
    Database,
    /// The thread that takes small blobs in; see `blobs::small`.
    BlobIntake,
    /// The thread that makes files of the journal of small blobs.
    BlobFlush,
    /// libp2p; see [`crux_protocol::net`].
    Network,
    /// Finds nodes on the link; see [`crate::discovery`].
    Discovery,
    /// Moves blobs between nodes; see [`crate::pastiche`].
    BlobMover,
    /// Offers sealed blobs in the registry.
    BlobOffers,
    /// Reads every blob once a day, and repairs it.
    BlobScrub,
    /// Says in the registry which services are not up; see [`crate::fulcrum::health`].
    Health,
    /// The control API; see [`crate::api`].
    Api,
    /// Serves the picket, where that is another process; see [`crate::picket`].
    Picket,
    /// Enacts the plans for this node, where there is a picket; see `proctor`.
    Proctor,
    /// Plans the horde's target while this node leads; see `proctor`.
    Planner,
    /// The loop that drives the engine; see [`crate::fulcrum`]. It ends when the node is to stop.
    Loop,
}

impl Part {
    /// Every part, in the order of the start.
    pub const ALL: &'static [Self] = &[
        Self::Log,
        Self::Reload,
        Self::Signals,
        Self::Stdin,
        Self::Database,
        Self::BlobIntake,
        Self::BlobFlush,
        Self::Network,
        Self::Discovery,
        Self::BlobMover,
        Self::BlobOffers,
        Self::BlobScrub,
        Self::Health,
        Self::Api,
        Self::Picket,
        Self::Proctor,
        Self::Planner,
        Self::Loop,
    ];

    /// The name in the log, in errors and in `doctor`. Stable: scripts may look for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Reload => "reload",
            Self::Signals => "signals",
            Self::Stdin => "stdin",
            Self::Database => "database",
            Self::BlobIntake => "blob-intake",
            Self::BlobFlush => "blob-flush",
            Self::Network => "network",
            Self::Discovery => "discovery",
            Self::BlobMover => "blob-mover",
            Self::BlobOffers => "blob-offers",
            Self::BlobScrub => "blob-scrub",
            Self::Health => "health",
            Self::Api => "api",
            Self::Picket => "picket",
            Self::Proctor => "proctor",
            Self::Planner => "planner",
            Self::Loop => "loop",
        }
    }

    /// Whether the part ends when its work is done, and is no failure then.
    pub(super) const fn may_end(self) -> bool {
        matches!(self, Self::Stdin | Self::Loop)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
