use std::fmt;
use std::time::Duration;

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// An acknowledged registration is not shown at the end.
    Lost {
        /// Which one,
        key: String,
        /// by which node it is not shown,
        by: String,
        /// and what was acknowledged, and when.
        because: String,
    },
    /// Something that was removed, or replaced, is shown at the end.
    Resurrected {
        /// Which one,
        key: String,
        /// by which node,
        by: String,
        /// and what may be there instead.
        because: String,
    },
    /// A node showed something that nobody had registered yet.
    Invented {
        /// What,
        key: String,
        /// by which node,
        by: String,
        /// and when.
        at: Duration,
    },
    /// A node did not show of itself what it had acknowledged.
    Denied {
        /// What,
        key: String,
        /// and when.
        at: Duration,
        /// What it showed, and what it could have shown.
        because: String,
    },
    /// A node accepted a smaller claim after a greater one.
    FenceWentBack {
        /// Which node,
        principal: String,
        /// what it had accepted,
        before: String,
        /// what it accepted afterwards,
        after: String,
        /// and when that was asked for.
        at: Duration,
    },
    /// At the end, nodes that are one flock do not agree.
    Disagreed(String),
    /// A blob that a node acknowledged is not there.
    BlobLost {
        /// Which one,
        blob: String,
        /// at which node,
        by: String,
        /// and when it had acknowledged it.
        at: Duration,
    },
    /// A node gave out other bytes than were put.
    FalseBlob {
        /// Of which blob,
        blob: String,
        /// and which node.
        by: String,
    },
    /// At the end, a node cannot get a blob that another one holds.
    BlobUnreached(String),
    /// A service is shown of a node that is called by a name that no node was given.
    Stranger(String),
    /// Something that a scenario expects did not come true.
    Unmet(String),
    /// A process ended by itself.
    Crashed {
        /// Which one,
        host: String,
        /// when it was noticed,
        at: Duration,
        /// and how it ended.
        how: String,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { key, by, because } => write!(f, "lost: {key} at {by}: {because}"),
            Self::Resurrected { key, by, because } => {
                write!(f, "resurrected: {key} at {by}: {because}")
            }
            Self::Invented { key, by, at } => {
                write!(f, "invented: {by} showed {key} at {at:.3?}, and nobody had registered that")
            }
            Self::Denied { key, at, because } => write!(f, "denied: {key} at {at:.3?}: {because}"),
            Self::FenceWentBack { principal, before, after, at } => write!(
                f,
                "fence: {} accepted {after} at {at:.3?} after {before}",
                crate::view::short(principal)
            ),
            Self::Disagreed(what) => write!(f, "disagreed: {what}"),
            Self::BlobLost { blob, by, at } => {
                write!(f, "lost: {by} acknowledged the blob {blob} at {at:.3?} and lacks it")
            }
            Self::FalseBlob { blob, by } => {
                write!(f, "false: {by} gave out other bytes as the blob {blob}")
            }
            Self::BlobUnreached(what) => write!(f, "unreached: {what}"),
            Self::Stranger(name) => write!(f, "stranger: a node is called {name}"),
            Self::Unmet(what) => write!(f, "unmet: {what}"),
            Self::Crashed { host, at, how } => {
                write!(f, "crashed: {host} ended by itself before {at:.3?}: {how}")
            }
        }
    }
}
