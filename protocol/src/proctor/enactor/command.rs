use crux_crdt::blob::BlobId;
use crux_crdt::record::{KindFull, SlotSet};

use crate::proctor::{Goals, GoalsError};

/// An output of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Have this image here. Answered by [`Event::Fetched`](super::Event::Fetched) or
    /// [`Event::FetchFailed`](super::Event::FetchFailed).
    Fetch(BlobId),
    /// Fetch the blob that has an earlier generation of the target, and hand in its bytes, if they are at most
    /// [`CONTENT_MAX`](crux_crdt::document::CONTENT_MAX). Answered by [`Event::Read`](super::Event::Read).
    Read(BlobId),
    /// Hand this set to the picket. Answered by [`Event::Answered`](super::Event::Answered).
    Hand(Goals),
    /// The plan gives this node more than it can run, so everything stays as it is.
    Unfit(GoalsError),
    /// Say this in the node's record. Answered by [`Event::Said`](super::Event::Said).
    Say(SlotSet),
    /// The target placed more than a record can say, so the record says what it did before.
    Full(KindFull),
}
