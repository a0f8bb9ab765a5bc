//! The network as the engines see it: peers named by their principal, messages as bytes.
//!
//! ```text
//!   engine ── link::Command ──▶ adapter (`net`, or the simulator)
//!   engine ◀── link::Event ──── adapter
//! ```
//!
//! An adapter decides nothing. It MUST deliver events in the order in which they happened on one
//! connection, MUST answer every [`Command::Request`] with exactly one [`Event::Response`] or
//! [`Event::RequestFailed`], every [`Command::Dial`] with exactly one [`Event::Dialled`] or
//! [`Event::DialFailed`], every [`Command::Provide`] with exactly one [`Event::Provided`] and every
//! [`Command::Seek`] with exactly one [`Event::Providers`] that is the last, and MAY lose gossip.

mod command;
mod event;
mod failure;

use core::time::Duration;

use crux_crdt::blob::PIECE_BODY_MAX;

pub use command::Command;
pub use event::{DialFailure, Event, RequestFailure};

/// A gossip topic of the flock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Signed facts: headers with their changed slots, and acts.
    Fact,
    /// Beacons and suspicions.
    Beat,
}

impl Topic {
    /// All topics, in a fixed order.
    pub const ALL: [Self; 2] = [Self::Fact, Self::Beat];
}

/// A request-response protocol between two peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// `/crux/join/2`: the only one served to peers that are not members.
    Join,
    /// `/crux/sync/4`: roots, ranges, fetches.
    Sync,
    /// `/crux/call/2`: fenced commands from a leader, and asking the leader for one.
    Call,
    /// `/crux/pastiche/1`: pieces of blobs. It has events of its own: see [`Event::Replied`].
    Pastiche,
}

impl Protocol {
    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Join => "/crux/join/2",
            Self::Sync => "/crux/sync/4",
            Self::Call => "/crux/call/2",
            Self::Pastiche => "/crux/pastiche/1",
        }
    }

    /// The largest request or response body. An adapter refuses what is larger, in either
    /// direction, before it buffers it.
    pub const fn max_body(self) -> usize {
        match self {
            Self::Join => 256 * 1024,
            // The largest record, of which all slots travel in one body: 640 of 8 KiB, their ids, a profile.
            Self::Sync => 6 * 1024 * 1024,
            Self::Call => 64 * 1024,
            // A piece, or what is held of a blob of 1 TiB with all its statements.
            Self::Pastiche => PIECE_BODY_MAX + 8 * 1024,
        }
    }
}

/// A request that is neither answered nor failed after so long is lost, and the adapter has said so;
/// pieces of blobs excepted. A caller that waits for less mistakes the outcome of one request for that
/// of the next.
pub const LOST_AFTER: Duration = Duration::from_secs(20);

/// The largest gossip payload. Larger ones are not published; anti-entropy carries them.
pub const GOSSIP_PAYLOAD_MAX: usize = 48 * 1024;

/// How many blobs one node states that it has, by [`Command::Provide`]: as many as other members
/// remember of it. The rest is found by asking around.
pub const PROVIDED_MAX: usize = 1024;

/// Names a dial in its answer. Chosen by the engine, never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialId(pub u64);

/// Names an outgoing request in its answer. Chosen by the engine, never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Names an incoming request in the reply to it. Chosen by the adapter, never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyId(pub u64);

/// Names a received gossip message in the verdict on it. Chosen by the adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GossipId(pub u64);

/// What an engine thinks of a gossip message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Valid and news: pass it on.
    Accept,
    /// Valid or undecidable, and not worth passing on.
    Ignore,
    /// Invalid: hold it against whoever sent it.
    Reject,
}
