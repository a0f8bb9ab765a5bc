use crux_crdt::Principal;
use crux_crdt::blob::{BlobId, Root};

use super::event::{ReadId, StoreFailure, Waiter};
use super::message::{Request, Response};
use crate::link::{ReplyId, RequestId};

/// What the blob mover asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Send a request over `/crux/pastiche/1`. Answered by one [`super::Event::Response`] or
    /// [`super::Event::RequestFailed`].
    Send {
        /// Names it.
        id: RequestId,
        /// To whom.
        peer: Principal,
        /// The request.
        request: Request,
    },
    /// Have a holder linked that no request reaches.
    Reach {
        /// The member to ask.
        peer: Principal,
    },
    /// Tell the flock's index that this node has a blob. Answered by [`super::Event::Provided`].
    Provide {
        /// Which blob.
        blob: BlobId,
    },
    /// Tell nobody any longer that this node has a blob.
    Withdraw {
        /// Which blob.
        blob: BlobId,
    },
    /// Ask the flock's index who has a blob. Answered by [`super::Event::Providers`].
    Seek {
        /// Which blob.
        blob: BlobId,
    },
    /// Answer a peer. Followed by one [`super::Event::Replied`].
    Reply {
        /// Which request.
        reply: ReplyId,
        /// The answer.
        response: Response,
    },
    /// Take up what is there of a blob, if there could be room for all of it. Takes no room, and leaves
    /// pieces kept under other roots where they are; nobody continues those. Answered by
    /// [`super::Event::Begun`].
    Begin {
        /// Which blob.
        blob: BlobId,
        /// What its pieces are verified against.
        root: Root,
        /// How large it is, in bytes.
        size: u64,
    },
    /// Verify a piece, make room for it, and write it. Two trees of a blob are kept at most: the first
    /// piece of a third takes the place of the one of which less is held. Answered by
    /// [`super::Event::Written`].
    Write {
        /// Of which blob.
        blob: BlobId,
        /// What it is verified against.
        root: Root,
        /// How large the blob of that root is, in bytes.
        size: u64,
        /// Which piece.
        index: u32,
        /// Proof and bytes.
        body: Vec<u8>,
    },
    /// Compare the SHA-3, and show the blob if it is right. Answered by [`super::Event::Sealed`].
    Seal {
        /// Which blob.
        blob: BlobId,
        /// What its pieces were verified against.
        root: Root,
        /// How large it is, in bytes.
        size: u64,
    },
    /// Nobody fetches an unsealed blob any more: its pieces stay as long as there is room.
    Rest {
        /// Which blob.
        blob: BlobId,
    },
    /// Take in a small blob that came whole, if its SHA-3 is right. Answered by
    /// [`super::Event::Sealed`].
    Take {
        /// Which blob.
        blob: BlobId,
        /// What is said to be all of it.
        body: Vec<u8>,
    },
    /// Verify the only piece of a tree, and take it in if its SHA-3 is right. Nothing else is written.
    /// Answered by [`super::Event::Tried`].
    Try {
        /// Which blob.
        blob: BlobId,
        /// What the piece is verified against.
        root: Root,
        /// How large the blob of that root is, in bytes: one piece at most.
        size: u64,
        /// Proof and bytes.
        body: Vec<u8>,
    },
    /// Throw away the pieces of a tree that was found false. Those of other trees of the blob stay.
    Abandon {
        /// Of which blob.
        blob: BlobId,
        /// Which tree.
        root: Root,
        /// How large the blob of that root is, in bytes.
        size: u64,
    },
    /// What is held of a blob? Answered by [`super::Event::Looked`].
    Look {
        /// Names the question.
        read: ReadId,
        /// Which blob.
        blob: BlobId,
    },
    /// Read a piece. Answered by [`super::Event::Read`].
    Read {
        /// Names the question.
        read: ReadId,
        /// Of which blob.
        blob: BlobId,
        /// Only if it is held under this root.
        root: Root,
        /// Which piece.
        index: u32,
    },
    /// Tell those who wait how far it is.
    Tell {
        /// The waiting callers.
        waiters: Vec<Waiter>,
        /// How far.
        progress: Progress,
    },
    /// Answer those who wait.
    Done {
        /// The waiting caller.
        waiter: Waiter,
        /// How it ended.
        result: Result<(), Failure>,
    },
    /// Tell people what a peer did. Nobody is cut off for it.
    Report(Report),
}

/// How far a fetch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Of which blob.
    pub blob: BlobId,
    /// Its size in bytes.
    pub size: u64,
    /// How many bytes are held and verified.
    pub held: u64,
    /// How many nodes send.
    pub providers: usize,
}

/// Why a blob was not fetched. What was fetched of it stays, to go on from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nobody within reach says that it has it, for as long as the waiter would wait.
    #[error("nobody within reach has it")]
    NobodyHas,
    /// Those that say that they have it sent nothing of it that is right, for as long as the waiter would
    /// wait.
    #[error("those who say that they have it send nothing of it")]
    Stalled,
    /// Everybody who has it stated a tree of another file.
    #[error("every statement about it was false")]
    Lies,
    /// Too many blobs wait already, or there was no place for this one while its waiter would wait.
    #[error("too many blobs are being fetched")]
    Busy,
    /// This node's store does not take it.
    #[error(transparent)]
    Store(StoreFailure),
}

/// What a peer did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// It sent a piece that does not belong under the root that it promised.
    BadPiece {
        /// The peer.
        peer: Principal,
        /// Of which blob.
        blob: BlobId,
    },
    /// A root was said to belong to a blob, and the SHA-3 says otherwise.
    FalseRoot {
        /// The members that signed this root.
        signers: Vec<Principal>,
        /// The members that did not sign it and said that they hold all of it: a node says so only after it
        /// compared the SHA-3.
        servers: Vec<Principal>,
        /// Of which blob.
        blob: BlobId,
    },
    /// It sent what no node sends.
    Malformed {
        /// The peer.
        peer: Principal,
    },
}
