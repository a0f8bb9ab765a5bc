use crux_crdt::blob::BlobId;
use crux_crdt::record::{Failure, Pass, PlanTooLarge, SlotSet};
use crux_crdt::service::SpecTag;
use crux_khan::world::WorldError;

use super::{ProgramError, Step};

/// An output of the leader's engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Say this plan in the node's record, in place of the one before. Answered by
    /// [`Event::Planned`](super::Event::Planned).
    Plan(SlotSet),
    /// Fetch the blob that has the generation before, and hand in its bytes, if they are at most
    /// [`CONTENT_MAX`](crux_crdt::document::CONTENT_MAX). Answered by [`Event::Read`](super::Event::Read).
    Read(BlobId),
    /// A plan of a greater fence counts, so nodes obey no plan of this leader: it is to lead in a greater term.
    Outbid(Pass),
    /// Tell people.
    Tell(Tell),
}

/// Something that people want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tell {
    /// This pass changes something.
    Changes {
        /// Which pass.
        number: Pass,
        /// The changes; none: it only says what waits, or which leader plans.
        steps: Vec<Step>,
    },
    /// A version failed.
    Failed(SpecTag, Failure),
    /// Nothing is planned. Running instances run on.
    Stuck(Trouble),
}

/// The reason why nothing is planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The target cannot be planned.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The horde is more than the solver takes.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The plan does not fit a record.
    #[error(transparent)]
    TooLarge(#[from] PlanTooLarge),
}
