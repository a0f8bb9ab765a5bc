use std::sync::Arc;

use crux_crdt::Principal;
use crux_protocol::link::{Protocol, RequestFailure, RequestId, Topic};
use crux_protocol::time::Instant;

use crate::host::Process;

/// Names a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConnId(pub(super) usize);

/// One end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// That of who dialled.
    Dialler,
    /// That of who was dialled.
    Listener,
}

impl Side {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Dialler => Self::Listener,
            Self::Listener => Self::Dialler,
        }
    }
}

/// How far an end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// In the handshake.
    Pending,
    /// Up, with its gate open or not.
    Up { open: bool },
    /// Closed.
    Down,
}

/// What is known at one end of a connection.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) at: Process,
    /// Its key, which its host may have changed since.
    pub(crate) who: Principal,
    pub(crate) phase: Phase,
    /// The end was told to close and will.
    pub(crate) closing: bool,
    /// Whether the other end wants beats from this one.
    pub(crate) watched: bool,
    /// Nothing arrives here before this: a connection keeps its order.
    pub(crate) floor: Instant,
}

impl End {
    pub(crate) fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Up { .. })
    }
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Conn {
    ends: [End; 2],
}

impl Conn {
    /// One in its handshake.
    pub(crate) fn new(ends: [(Process, Principal); 2], now: Instant) -> Self {
        let phase = Phase::Pending;
        let end = |(at, who)| End { at, who, phase, closing: false, watched: false, floor: now };
        Self { ends: ends.map(end) }
    }

    pub(crate) const fn end(&self, side: Side) -> &End {
        &self.ends[side as usize]
    }

    pub(crate) const fn end_mut(&mut self, side: Side) -> &mut End {
        &mut self.ends[side as usize]
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.ends.iter().all(|end| end.phase == Phase::Down)
    }
}

/// Names a gossip message: one content, one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RumourId(pub(super) u64);

/// A gossip message on its way.
#[derive(Debug)]
pub(crate) struct Rumour {
    pub(crate) id: RumourId,
    pub(crate) topic: Topic,
    pub(crate) data: Vec<u8>,
}

/// What travels on a connection.
#[derive(Debug, Clone)]
pub(crate) enum Message {
    /// A request.
    Request { id: RequestId, protocol: Protocol, body: Vec<u8> },
    /// Its answer.
    Response { id: RequestId, body: Vec<u8> },
    /// It will not be answered.
    Refusal { id: RequestId, failure: RequestFailure },
    /// Gossip; whether it is let in though it was seen.
    Rumour(Arc<Rumour>, bool),
    /// Take the sender into the mesh of a topic.
    Graft(Topic),
    /// Take it out.
    Prune(Topic),
    /// The sender has these.
    Have(Arc<[RumourId]>),
    /// It wants these.
    Want(Arc<[RumourId]>),
    /// Open or close the stream of beats towards whoever sent this.
    Watch(bool),
    /// A beat.
    Beat { incarnation: u64, counter: u64 },
    /// The other end closed.
    Close,
}

/// What a frame costs beside its contents: lengths and ids of the protocols, encryption, and the
/// headers of TCP and IP for the packet that it mostly has to itself.
const OVERHEAD: usize = 90;
/// The id of a gossip message as the adapter makes it, with its tag and length.
const ID_LENGTH: usize = 18;

impl Message {
    /// How many bytes it has on the wire, about.
    pub(crate) fn size(&self) -> usize {
        OVERHEAD
            + match self {
                Self::Request { body, .. } | Self::Response { body, .. } => body.len(),
                Self::Rumour(rumour, _) => rumour.data.len(),
                Self::Beat { .. } => 16,
                Self::Have(ids) | Self::Want(ids) => ID_LENGTH * ids.len(),
                Self::Graft(_) | Self::Prune(_) => 40,
                Self::Refusal { .. } | Self::Watch(_) | Self::Close => 0,
            }
    }
}
