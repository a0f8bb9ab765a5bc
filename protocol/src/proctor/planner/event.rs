use crux_crdt::blob::BlobId;

use super::{Newest, View};
use crate::proctor::Held;

/// An input of the leader's engine.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "it is handed over once, and none is kept")]
pub enum Event {
    /// The node's whole view of the horde; it replaces the one before.
    Seen {
        /// The nodes.
        view: View,
        /// The document of the horde's target that counts; none: there is none.
        target: Option<Held>,
        /// The greatest plan that counts, perhaps this node's own: see [`Newest::among`].
        newest: Option<Newest>,
    },
    /// This node leads in this term from now on; none: it does not lead.
    Led(Option<u64>),
    /// The outcome of [`Command::Plan`](super::Command::Plan): whether it is durable.
    Planned(bool),
    /// The bytes of an earlier generation; none: they could not be fetched. Answers
    /// [`Command::Read`](super::Command::Read).
    Read {
        /// Its blob.
        blob: BlobId,
        /// The bytes of the blob; not verified yet.
        content: Option<Vec<u8>>,
    },
    /// Time passed.
    Wake,
}
