//! Blobs as a node has them.

use std::path::PathBuf;
use std::time::Duration;

use crux_crdt::blob::BlobId;

use super::Prefix;

/// A blob, as a person names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobRef {
    /// By its id.
    Id(BlobId),
    /// By the first digits of its id.
    Prefix(Prefix),
}

/// A blob of a node, whole or under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Which one.
    pub id: BlobId,
    /// How many bytes it has.
    pub size: u64,
    /// How many of its pieces are here.
    pub held: u32,
    /// How many pieces it has.
    pub pieces: u32,
    /// Whether it is whole and what it is called.
    pub sealed: bool,
    /// Never evicted.
    pub pinned: bool,
    /// Not evicted for so much longer, as long as the node runs.
    pub reserved_for: Option<Duration>,
    /// Where the file is that was registered in place; `None`: the node keeps it itself.
    pub registered: Option<PathBuf>,
}

/// The findings of a scrub.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scrubbed {
    /// How many blobs were looked at.
    pub blobs: u64,
    /// How many bytes.
    pub bytes: u64,
    /// Blobs of which pieces are lost, and how many. They are under way again.
    pub damaged: Vec<(BlobId, u32)>,
    /// Files that were registered in place and changed; they are registered no longer.
    pub changed: Vec<BlobId>,
}

/// How far a fetch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Bytes that are here.
    pub held: u64,
    /// Bytes that there are; 0 until that is known.
    pub size: u64,
    /// How many nodes it is fetched from.
    pub providers: u32,
}
