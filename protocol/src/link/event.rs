use std::net::SocketAddr;

use crux_crdt::Principal;
use crux_crdt::blob::BlobId;

use super::{DialId, GossipId, Protocol, ReplyId, RequestId, Topic};

/// What the network tells an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A dial succeeded. Follows the [`Event::Connected`] of its connection, if that was news.
    Dialled {
        /// Which dial.
        id: DialId,
        /// The peer that answered.
        peer: Principal,
        /// Where.
        addr: SocketAddr,
    },
    /// A dial failed on every address.
    DialFailed {
        /// Which dial.
        id: DialId,
        /// Why; of several reasons the one listed first in [`DialFailure`].
        failure: DialFailure,
    },
    /// The first connection to a peer, or the first one on which the gate is open.
    Connected {
        /// The peer.
        peer: Principal,
        /// Its address as seen from here.
        addr: SocketAddr,
        /// Whether this side dialled.
        outbound: bool,
        /// Whether the gate was open for it, that is, whether it was in
        /// [`super::Command::Admit`]'s set when the connection was made.
        member: bool,
    },
    /// The last connection to a peer closed.
    Disconnected {
        /// The peer.
        peer: Principal,
    },
    /// A gossip message, not yet passed on. MUST be answered with [`super::Command::Judge`].
    Gossip {
        /// Names it in the verdict.
        id: GossipId,
        /// Its topic.
        topic: Topic,
        /// The peer that passed it on; not necessarily its author.
        from: Principal,
        /// The payload.
        data: Vec<u8>,
    },
    /// A request came in.
    Request {
        /// Names it in the reply.
        id: ReplyId,
        /// From whom.
        peer: Principal,
        /// By which protocol.
        protocol: Protocol,
        /// The body.
        body: Vec<u8>,
    },
    /// A request was answered.
    Response {
        /// Which request.
        id: RequestId,
        /// By whom.
        peer: Principal,
        /// The body.
        body: Vec<u8>,
    },
    /// A request failed. Whether the peer acted on it is not known, unless it was not sent.
    RequestFailed {
        /// Which request.
        id: RequestId,
        /// To whom.
        peer: Principal,
        /// Why.
        failure: RequestFailure,
    },
    /// A reply is with the peer's machine, or nobody waits for it any longer: its memory is free.
    /// Told of [`Protocol::Pastiche`] only, where that matters, once for each request that came in.
    Replied {
        /// Which request.
        id: ReplyId,
    },
    /// A beat of a peer that this node observes.
    Beat {
        /// The peer.
        peer: Principal,
        /// Its incarnation.
        incarnation: u64,
        /// Its beacon counter.
        counter: u64,
    },
    /// The address book knows addresses of a member.
    Found {
        /// The member.
        peer: Principal,
        /// Where it may be reached.
        addrs: Vec<SocketAddr>,
    },
    /// What came of [`super::Command::Provide`].
    Provided {
        /// Which blob.
        blob: BlobId,
        /// Whether the nearest members were told. They do not say whether they remember it.
        told: bool,
    },
    /// What came of [`super::Command::Seek`] so far.
    Providers {
        /// Which blob.
        blob: BlobId,
        /// Members that may have it, this node not among them. Second-hand: nobody vouches for it.
        peers: Vec<Principal>,
        /// Whether nothing follows. Told once for each search.
        last: bool,
    },
}

/// Why a dial failed, the most telling reason first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DialFailure {
    /// A peer answered, and its part of the encrypted handshake does not fit: another flock or
    /// another secret.
    OtherFlock,
    /// A peer answered with another key than the one expected.
    WrongPeer {
        /// The key that answered.
        found: Principal,
    },
    /// This node itself answered.
    Myself,
    /// The peer answered, but not with a handshake of Crux: another service listens there.
    NotCrux,
    /// The connection was made, and closed or reset before the handshake was done: the peer makes
    /// room or stops, or a proxy closes for a peer that is not there.
    Closed,
    /// Nobody listens there: the connection was refused.
    Refused,
    /// No connection, or no end of the handshake, in time.
    TimedOut,
    /// No route, an address that cannot be dialled, or too many dials in progress.
    Unreachable,
    /// No name among the addresses resolves.
    Unresolved,
}

/// Why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestFailure {
    /// Not connected: it was not sent.
    NotConnected,
    /// The peer does not serve this protocol to this node: its gate is closed.
    Unsupported,
    /// As many requests as there may be are in progress with the peer by this protocol: it was not
    /// sent.
    Busy,
    /// No answer in time, or the connection closed, or the request or the answer was too large, or
    /// the answer malformed.
    Lost,
}
