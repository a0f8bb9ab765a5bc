//! Mistakes that the simulator must catch, one at a time. In no released build: only the feature
//! `planted` has them, and only a test of the simulator switches it on.

use core::cell::Cell;

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// Of two records of one author the one that comes later wins.
    ArrivalOrder,
    /// A record may lack bodies that its header covers.
    HeadersOnly,
    /// The state digest ignores the records.
    DigestIgnoresRecords,
    /// That somebody left or was retired is forgotten.
    DepartureForgotten,
    /// A list of anti-entropy leaves out its last entry.
    SkipLast,
    /// A beacon of other contents starts no comparison, and nor does a timer.
    NoRepair,
    /// A node that lost its disk starts at incarnation 1 and speaks at once.
    IncarnationReused,
    /// A removal is answered and not made.
    RemovalForgotten,
    /// The leader is the living member with the smallest principal.
    SmallestLeads,
    /// Fences are ordered by principal first, leaders by number first.
    FenceOrder,
    /// A node does not find its fence on its disk.
    FenceForgotten,
    /// A node that starts claims the lead at once.
    EagerClaim,
    /// Neither beats nor beacons take a suspicion back.
    NoRefutation,
    /// Silence alone never decides.
    SilenceIsNothing,
    /// A process that was stopped blames the others for the silence.
    SleeperAccuses,
    /// An announced restart excuses nobody.
    RestartIsDeath,
    /// A node that restarts does not say any longer which of its services are not up.
    HealthForgotten,
    /// An instance is spawned before its record is on the disk.
    SpawnsUnrecorded,
    /// An instance is spawned before its image is sealed.
    SpawnsUnsealed,
    /// A program gets SIGTERM without the word that its registration is withdrawn.
    SignalsRegistered,
    /// A place is filled while something of its last instance is left.
    SharesPlace,
    /// An instance is registered before it is up.
    RegistersStarting,
    /// A place may be started more than ten times a minute.
    RestartsUnbounded,
    /// Instances are started before all that an earlier picket left is found.
    StartsBeforeAdoption,
    /// The record of an instance is deleted while its processes are being killed.
    ForgetsRunning,
    /// A content that was rolled back is tried again without an update.
    TriesRefused,
    /// A crash loop is not noticed.
    NeverFails,
    /// A program that ignores SIGTERM is not killed.
    NeverKills,
    /// A program that ended well is started again by the next picket.
    DoneForgotten,
    /// Goals of an older target are enacted.
    OlderGoals,
    /// A goal replaces a service of a person that has its name.
    TakesOver,
    /// A service that the set of goals does not name continues.
    UnnamedStays,
    /// Goals are enacted before they are on the disk.
    EnactsUnsaved,
    /// Running instances never use a period that was changed.
    PeriodUnused,
    /// The node does not say of what is being stopped that the target placed it.
    StoppingUnreported,
    /// Of two rivals of a document the one with the greater marker is kept.
    RivalByMarker,
    /// A merge refuses a document of a user that is not granted its key now.
    GrantedAtMerge,
    /// A greater generation wins over a greater version of the grants, so a write of a revoked user may win.
    RevokedWins,
    /// A deleted document is forgotten, with its generation.
    DeletionForgetsGeneration,
    /// A node that takes a write checks the bound of its user, and those of all documents and all grants not.
    BoundInAll,
    /// Ties between nodes go by the order in which a leader met them.
    ArrivalPlaces,
    /// What the last plan assigned is not present before it runs.
    AssignedForgotten,
    /// A node tells plans of one term apart by their numbers alone, whoever leads.
    FenceWithoutLeader,
    /// The condition of a start holds back stops, too.
    GatesStops,
    /// A leader that sees fewer than half of the nodes replaces what is lost.
    MinorityReplaces,
    /// Of a surplus the instances on the first nodes stay, ready or not.
    SurplusByName,
    /// A leader does not know which versions failed under another one.
    FailureForgotten,
    /// A service without a solution ends.
    UnsolvedStops,
    /// A step of less than a node is none.
    StepOfNone,
    /// Slots of one pass stay under the head of another, and nobody minds.
    MixedPlan,
    /// An eviction lists the members, and those that were evicted before it not.
    ListsMembers,
    /// Of an admission one end in the list for an evicted principal is enough.
    OneListedEnd,
    /// An admission by or of an evicted principal counts if it says that it came after the eviction.
    AfterOfEvicted,
    /// The list of an eviction counts for its subject alone.
    ListOfSubjectAlone,
    /// Nobody is reached through an evicted principal.
    NoWayThroughEvicted,
    /// Of several lists for one evicted principal only those count who are in all of them.
    ListsIntersected,
}

impl Bug {
    /// Those of evictions, which the tests of this crate catch.
    pub const OF_EVICTIONS: [Self; 6] = [
        Self::ListsMembers,
        Self::OneListedEnd,
        Self::AfterOfEvicted,
        Self::ListOfSubjectAlone,
        Self::NoWayThroughEvicted,
        Self::ListsIntersected,
    ];

    /// Every one that the simulator catches.
    pub const ALL: [Self; 50] = [
        Self::ArrivalOrder,
        Self::HeadersOnly,
        Self::DigestIgnoresRecords,
        Self::DepartureForgotten,
        Self::SkipLast,
        Self::NoRepair,
        Self::IncarnationReused,
        Self::RemovalForgotten,
        Self::SmallestLeads,
        Self::FenceOrder,
        Self::FenceForgotten,
        Self::EagerClaim,
        Self::NoRefutation,
        Self::SilenceIsNothing,
        Self::SleeperAccuses,
        Self::RestartIsDeath,
        Self::HealthForgotten,
        Self::SpawnsUnrecorded,
        Self::SpawnsUnsealed,
        Self::SignalsRegistered,
        Self::SharesPlace,
        Self::RegistersStarting,
        Self::RestartsUnbounded,
        Self::StartsBeforeAdoption,
        Self::ForgetsRunning,
        Self::TriesRefused,
        Self::NeverFails,
        Self::NeverKills,
        Self::DoneForgotten,
        Self::OlderGoals,
        Self::TakesOver,
        Self::UnnamedStays,
        Self::EnactsUnsaved,
        Self::PeriodUnused,
        Self::StoppingUnreported,
        Self::RivalByMarker,
        Self::GrantedAtMerge,
        Self::RevokedWins,
        Self::DeletionForgetsGeneration,
        Self::BoundInAll,
        Self::ArrivalPlaces,
        Self::AssignedForgotten,
        Self::FenceWithoutLeader,
        Self::GatesStops,
        Self::MinorityReplaces,
        Self::SurplusByName,
        Self::FailureForgotten,
        Self::UnsolvedStops,
        Self::StepOfNone,
        Self::MixedPlan,
    ];
}

thread_local! {
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// From now on this thread makes that mistake, and no other.
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

/// Whether this thread makes that mistake.
pub fn is_planted(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}
