use std::sync::Arc;

use crux_crdt::act::Act;
use crux_crdt::sign::Signed;
use crux_crdt::{Digest, Principal};

use super::aside::Aside;
use super::message::Request;
use crate::frame::RecordFrame;
use crate::link::ReplyId;

/// What came of a merge.
#[derive(Debug, Clone, Default)]
pub struct Merged {
    /// Whether something was new.
    pub brought: bool,
    /// The ids of the acts and records that were not taken, because the replica is full or their author
    /// signed too many; and how large each is, in bytes.
    pub refused: Vec<(Digest, usize)>,
    /// The ids of the acts that were not taken, because their authors are not members yet.
    pub strangers: Vec<Digest>,
    /// Whether something was not taken because the replica is full. The peer that serves what an author
    /// signed too much of is not to blame, and is compared with as before.
    pub full: bool,
}

/// What the engine asks of whoever drives it.
#[derive(Debug)]
pub enum Output {
    /// Send a request over `/crux/sync/3`.
    Send {
        /// To whom.
        peer: Principal,
        /// What.
        request: Request,
    },
    /// Answer a request.
    Reply {
        /// Which.
        id: ReplyId,
        /// The encoded `Response`.
        body: Vec<u8>,
    },
    /// Merge acts, then call [`State::resume`](super::State::resume).
    MergeActs {
        /// The peer that sent them.
        peer: Principal,
        /// The acts; their signatures held.
        acts: Vec<Arc<Signed<Act>>>,
    },
    /// Merge records, then call [`State::resume`](super::State::resume).
    MergeRecords {
        /// The peer that sent them.
        peer: Principal,
        /// The records; the headers' signatures held.
        frames: Vec<RecordFrame>,
    },
    /// Store a record durably, then answer with [`Response::encode_stored`](super::Response::encode_stored).
    Store {
        /// The request to answer.
        id: ReplyId,
        /// The encoded frame; not yet verified.
        frame: Vec<u8>,
    },
    /// This came along with roots; the beacon is not yet verified.
    Aside {
        /// The peer that sent it.
        peer: Principal,
        /// What came along.
        aside: Aside,
    },
    /// Answer with [`Response::encode_beacons`](super::Response::encode_beacons) what is heard of these.
    Tell {
        /// The request to answer.
        id: ReplyId,
        /// Of whom.
        of: Vec<Principal>,
    },
    /// A peer sent a version or kind that this build does not know.
    OtherVersion {
        /// The peer.
        peer: Principal,
        /// What it is.
        what: String,
    },
    /// Nothing that this peer had is lacking here: its roots are the same, or a session ended.
    Complete {
        /// The peer.
        peer: Principal,
    },
}
