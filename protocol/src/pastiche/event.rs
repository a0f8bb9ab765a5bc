use core::time::Duration;

use crux_crdt::Principal;
use crux_crdt::blob::{BlobId, Descriptor, PieceSet, Root};
use crux_crdt::sign::Signed;

use super::message::Holding;
use crate::link::{ReplyId, RequestFailure, RequestId};

/// Names one who waits for a blob. Chosen by the runtime, never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Waiter(pub u64);

/// Names a question to the store in its answer. Chosen by the engine, never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadId(pub u64);

/// What happens to the blob mover.
#[derive(Debug)]
pub enum Event {
    /// Somebody wants a blob that is not here. Answered by one [`super::Command::Done`].
    Get {
        /// The waiting caller.
        waiter: Waiter,
        /// Which blob.
        blob: BlobId,
        /// How long to wait for a piece: from now on, and then from the last one that was verified.
        wait: Duration,
    },
    /// A waiter went away. It gets no answer. What was fetched stays for the next one.
    Cancel {
        /// The waiting caller.
        waiter: Waiter,
    },
    /// A peer asks. Answered by one [`super::Command::Reply`].
    Request {
        /// Names it in the reply.
        reply: ReplyId,
        /// The peer.
        peer: Principal,
        /// The body.
        body: Vec<u8>,
    },
    /// A reply is on its way, or lost: its memory is free.
    Replied {
        /// Which.
        reply: ReplyId,
    },
    /// A peer answered.
    Response {
        /// Which request.
        id: RequestId,
        /// The body.
        body: Vec<u8>,
    },
    /// A request failed.
    RequestFailed {
        /// Which.
        id: RequestId,
        /// Why.
        failure: RequestFailure,
    },
    /// The store is ready to take pieces of a blob, or has no room for one of that size.
    Begun {
        /// Which blob.
        blob: BlobId,
        /// Of which tree.
        root: Root,
        /// How large the blob of that tree is, in bytes.
        size: u64,
        /// The pieces that are held already.
        result: Result<PieceSet, StoreFailure>,
    },
    /// A piece was verified and written, or was not.
    Written {
        /// Of which blob.
        blob: BlobId,
        /// Under which root.
        root: Root,
        /// Which piece.
        index: u32,
        /// Whether it is held now.
        result: Result<(), WriteFailure>,
    },
    /// The store answered [`super::Command::Try`].
    Tried {
        /// Which blob.
        blob: BlobId,
        /// Of which tree.
        root: Root,
        /// How large the blob of that tree is, in bytes.
        size: u64,
        /// Whether it was the blob, which is sealed then.
        result: Result<(), TryFailure>,
    },
    /// The SHA-3 of a blob was compared.
    Sealed {
        /// Which blob.
        blob: BlobId,
        /// Whether it is sealed now.
        result: Result<(), SealFailure>,
    },
    /// The store answered [`super::Command::Look`].
    Looked {
        /// Which question.
        read: ReadId,
        /// What is held, and what this node itself signed of it; none: nothing.
        found: Option<(Holding, Vec<Signed<Descriptor>>)>,
    },
    /// The same, of a small blob: all of it.
    LookedWhole {
        /// Which question.
        read: ReadId,
        /// At most [`super::WHOLE_BYTES_MAX`].
        body: Vec<u8>,
    },
    /// The store answered [`super::Command::Read`].
    Read {
        /// Which question.
        read: ReadId,
        /// The piece with its proof; none: it is not held, or damaged.
        bytes: Option<Vec<u8>>,
    },
    /// These blobs are here, sealed, and not offered in the strew. Replaces what was said before.
    Stored {
        /// Those that are to stay.
        kept: Vec<BlobId>,
        /// Those that may be evicted.
        others: Vec<BlobId>,
    },
    /// The flock's index was told that this node has a blob, or was not.
    Provided {
        /// Which blob.
        blob: BlobId,
        /// Whether it was.
        told: bool,
    },
    /// The flock's index knows holders of a blob. Hearsay.
    Providers {
        /// Which blob.
        blob: BlobId,
        /// Members that may have it.
        peers: Vec<Principal>,
        /// Whether nothing follows.
        last: bool,
    },
    /// The deadline passed, or links or offers changed.
    Wake,
}

/// Why the store takes no blob. Nothing was reserved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreFailure {
    /// It is over the quota, and nothing more can be evicted.
    #[error("the blob does not fit into the quota")]
    Quota,
    /// The disk is full.
    #[error("the disk is full")]
    DiskFull,
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// Why a piece was not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteFailure {
    /// It does not belong under the root. Nothing was written.
    Damaged,
    /// The store failed.
    Store(StoreFailure),
}

/// Why all of a small tree was not the blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TryFailure {
    /// It does not belong under the root: its sender lied.
    Damaged,
    /// Its SHA-3 is another one: the members that stated the tree lied.
    Mismatch,
    /// The store failed.
    Store(StoreFailure),
}

/// Why a blob was not sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealFailure {
    /// Its SHA-3 is another one: the signers of the root lied. The fetched bytes are of no use.
    Mismatch,
    /// Pieces of it are damaged on the disk; they are held no longer.
    Damaged(Vec<u32>),
    /// The store failed.
    Store(StoreFailure),
}
