use crux_crdt::fact::Arrival;
use crux_crdt::{Digest, Principal};

use super::aside::Aside;
use super::message::Request;
use crate::link::ReplyId;

/// What came of a merge.
#[derive(Debug, Clone, Default)]
pub struct Merged {
    /// Whether something was new.
    pub brought: bool,
    /// The keys of the facts that were not taken, because the replica is full or their author signed too many;
    /// and how large each is, in bytes.
    pub refused: Vec<(Digest, usize)>,
    /// The keys of the facts that were not taken, because their authors are not members yet.
    pub strangers: Vec<Digest>,
    /// Whether something was not taken because the replica is full. The peer that serves what an author
    /// signed too much of is not to blame, and is compared with as before.
    pub full: bool,
}

impl Merged {
    /// Counts another merge in.
    pub fn add(&mut self, other: Self) {
        self.brought |= other.brought;
        self.full |= other.full;
        self.refused.extend(other.refused);
        self.strangers.extend(other.strangers);
    }
}

/// What the engine asks of whoever drives it.
#[derive(Debug)]
pub enum Output {
    /// Send a request over `/crux/sync/4`.
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
    /// Merge facts, then call [`State::resume`](super::State::resume).
    Merge {
        /// The peer that sent them.
        peer: Principal,
        /// The facts, of one kind; their signatures held.
        facts: Vec<Arrival>,
    },
    /// Store a fact durably, then answer with [`Response::encode_stored`](super::Response::encode_stored).
    Store {
        /// The request to answer.
        id: ReplyId,
        /// The message of [`crate::fact`]; not yet verified.
        fact: Vec<u8>,
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
