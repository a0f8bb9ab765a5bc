//! Entries of the record of events.

use crux_crdt::name::ServiceName;

use super::id::InstanceId;

/// An event for people: `plugin.KIND`. Time and sequence are the shell's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// The kind.
    pub kind: Kind,
    /// To which service; none: to the fulcrum.
    pub service: Option<ServiceName>,
    /// To which instance.
    pub instance: Option<InstanceId>,
    /// Why, for people; empty: nothing to add.
    pub reason: String,
}

/// The kinds of events that the supervisor reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A service is new in the config.
    Added,
    /// An instance was started because a person or the config wants it.
    Started,
    /// An instance is up; after `degraded`, again.
    Up,
    /// A check failed.
    Degraded,
    /// A program ended that nobody told to.
    Exited,
    /// The same, because memory was short.
    OomKilled,
    /// An instance was started in place of one that failed.
    Restarted,
    /// It failed too often: it is tried again only from time to time.
    CrashLoop,
    /// Every instance runs the new content.
    Updated,
    /// The previous content is back.
    RolledBack,
    /// An instance was quit because nobody wants it any longer.
    Stopped,
    /// A service is forgotten and nothing of it is left.
    Removed,
    /// An instance of an earlier picket was taken over.
    Adopted,
    /// A goal of the target waits: something is in its way that a person added.
    Blocked,
    /// A fulcrum took the place of one that died.
    FulcrumRestarted,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Added,
        Self::Started,
        Self::Up,
        Self::Degraded,
        Self::Exited,
        Self::OomKilled,
        Self::Restarted,
        Self::CrashLoop,
        Self::Updated,
        Self::RolledBack,
        Self::Stopped,
        Self::Removed,
        Self::Adopted,
        Self::Blocked,
        Self::FulcrumRestarted,
    ];

    /// Its name, behind `plugin.`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Started => "started",
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Exited => "exited",
            Self::OomKilled => "oom_killed",
            Self::Restarted => "restarted",
            Self::CrashLoop => "crash_loop",
            Self::Updated => "updated",
            Self::RolledBack => "rolled_back",
            Self::Stopped => "stopped",
            Self::Removed => "removed",
            Self::Adopted => "adopted",
            Self::Blocked => "blocked",
            Self::FulcrumRestarted => "fulcrum_restarted",
        }
    }
}
