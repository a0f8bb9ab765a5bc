use crux_crdt::blob::BlobId;

use crate::picket::Image;
use crate::proctor::{Assignment, Held, Owned};

/// An input of the engine.
#[derive(Debug, Clone)]
pub enum Event {
    /// What the node's replica has, all of it; it replaces what it had before.
    Seen {
        /// The document of the horde's target that counts; none: there is none.
        target: Option<Held>,
        /// The part for this node of every plan of the horde: see [`Assignment::all`].
        plans: Vec<Assignment>,
    },
    /// The picket's list of what the target placed here: when it changes, and after the picket was attached.
    Owned(Owned),
    /// The outcome of [`Command::Hand`](super::Command::Hand): whether the picket accepted it.
    Answered(bool),
    /// An image is here. Answers [`Command::Fetch`](super::Command::Fetch).
    Fetched(Image),
    /// An image could not be fetched. Answers [`Command::Fetch`](super::Command::Fetch).
    FetchFailed(BlobId),
    /// The bytes of an earlier generation; none: they could not be fetched. Answers
    /// [`Command::Read`](super::Command::Read).
    Read {
        /// Its blob.
        blob: BlobId,
        /// The bytes of the blob; not verified yet.
        content: Option<Vec<u8>>,
    },
    /// The outcome of [`Command::Say`](super::Command::Say): whether it is durable.
    Said(bool),
    /// Time passed.
    Wake,
}
