//! Requests and replies in progress.
//!
//! Invariant. A request leaves the table at the moment it is answered or fails, hence the engine is
//! told once.

use std::collections::BTreeMap;

use crux_crdt::Principal;
use libp2p::StreamProtocol;
use libp2p::request_response::{
    self, Config, InboundRequestId, OutboundFailure, OutboundRequestId, ProtocolSupport,
    ResponseChannel,
};

use super::codec::Codec;
use super::limits::{PIECE_TIMEOUT, REPLIES_MAX, REQUEST_TIMEOUT};
use crate::link::{Protocol, ReplyId, RequestFailure, RequestId};

/// Requests and replies of one protocol.
pub(super) type Exchange = request_response::Behaviour<Codec>;

/// Builds the exchange of one protocol.
pub(super) fn build(protocol: Protocol) -> Exchange {
    let name = StreamProtocol::new(protocol.name());
    // libp2p counts the streams of both directions together, and drops what comes in beyond the
    // bound without a word. Twice what two honest nodes have.
    let streams = 4 * requests_max(protocol);
    let timeout = match protocol {
        Protocol::Join | Protocol::Sync | Protocol::Call => REQUEST_TIMEOUT,
        Protocol::Pastiche => PIECE_TIMEOUT,
    };
    let config =
        Config::default().with_request_timeout(timeout).with_max_concurrent_streams(streams);
    let codec = Codec::new(protocol.max_body());
    Exchange::with_codec(codec, [(name, ProtocolSupport::Full)], config)
}

/// Requests in progress to one peer by one protocol; one more fails. Per protocol, so that a sync with
/// a slow peer does not hold up a call.
pub(super) const fn requests_max(protocol: Protocol) -> usize {
    match protocol {
        // A join is one request after the other; and strangers, too, may hold this many.
        Protocol::Join => 4,
        Protocol::Sync | Protocol::Call => 16,
        // A window of 32 pieces, and questions about what is held.
        Protocol::Pastiche => 48,
    }
}

/// Returns what the engine is told of a failure.
pub(super) fn failure_of(failure: &OutboundFailure) -> RequestFailure {
    match failure {
        OutboundFailure::DialFailure => RequestFailure::NotConnected,
        OutboundFailure::UnsupportedProtocols => RequestFailure::Unsupported,
        OutboundFailure::Timeout | OutboundFailure::ConnectionClosed | OutboundFailure::Io(_) => {
            RequestFailure::Lost
        }
    }
}

/// A request that waits for the engine's reply.
#[derive(Debug)]
struct Owed {
    protocol: Protocol,
    to: Principal,
    request: InboundRequestId,
    channel: ResponseChannel<Vec<u8>>,
}

/// Requests in progress, of both directions.
#[derive(Debug, Default)]
pub(super) struct Requests {
    sent: BTreeMap<(Protocol, OutboundRequestId), (RequestId, Principal)>,
    /// How many of them there are to each peer.
    load: BTreeMap<(Protocol, Principal), usize>,
    owed: BTreeMap<ReplyId, Owed>,
    reply_of: BTreeMap<(Protocol, InboundRequestId), ReplyId>,
    /// Pieces that are answered and not yet gone.
    leaving: BTreeMap<InboundRequestId, (ReplyId, Principal)>,
    next_reply: u64,
}

impl Requests {
    /// Returns whether one more request may be sent to a peer.
    pub(super) fn has_room(&self, protocol: Protocol, peer: &Principal) -> bool {
        let load = self.load.get(&(protocol, *peer));
        load.is_none_or(|load| *load < requests_max(protocol))
    }

    /// Remembers a request that was sent.
    pub(super) fn sent(
        &mut self,
        protocol: Protocol,
        sent: OutboundRequestId,
        id: RequestId,
        peer: Principal,
    ) {
        self.sent.insert((protocol, sent), (id, peer));
        *self.load.entry((protocol, peer)).or_default() += 1;
    }

    /// Forgets a request that was answered or failed. Returns whose it was.
    pub(super) fn done(
        &mut self,
        protocol: Protocol,
        sent: OutboundRequestId,
    ) -> Option<(RequestId, Principal)> {
        let (id, peer) = self.sent.remove(&(protocol, sent))?;
        if let Some(load) = self.load.get_mut(&(protocol, peer)) {
            *load -= 1;
            if *load == 0 {
                self.load.remove(&(protocol, peer));
            }
        }
        Some((id, peer))
    }

    /// Whether a request is in progress with a peer, in either direction.
    pub(super) fn is_busy_with(&self, peer: &Principal) -> bool {
        self.load.keys().any(|(_, to)| to == peer)
            || self.owed.values().any(|owed| owed.to == *peer)
            || self.leaving.values().any(|(_, to)| to == peer)
    }

    /// Remembers a request that came in. `None` if too many are unanswered: dropping the channel
    /// tells the peer that it is lost.
    pub(super) fn received(
        &mut self,
        protocol: Protocol,
        request: InboundRequestId,
        to: Principal,
        channel: ResponseChannel<Vec<u8>>,
    ) -> Option<ReplyId> {
        // Apart, so that bulk holds up nothing else.
        let bulk = |of: &Protocol| *of == Protocol::Pastiche;
        let same = self.owed.values().filter(|owed| bulk(&owed.protocol) == bulk(&protocol));
        if same.count() >= REPLIES_MAX {
            return None;
        }
        let id = ReplyId(self.next_reply);
        self.next_reply += 1;
        self.reply_of.insert((protocol, request), id);
        let owed = Owed { protocol, to, request, channel };
        self.owed.insert(id, owed);
        Some(id)
    }

    /// Takes out the channel for a reply, if it is still wanted.
    pub(super) fn reply(&mut self, id: ReplyId) -> Option<(Protocol, ResponseChannel<Vec<u8>>)> {
        let owed = self.owed.remove(&id)?;
        self.reply_of.remove(&(owed.protocol, owed.request));
        if owed.protocol == Protocol::Pastiche {
            self.leaving.insert(owed.request, (id, owed.to));
        }
        Some((owed.protocol, owed.channel))
    }

    /// Forgets a request that nobody waits for any longer: its reply is gone, its time is over, or its
    /// connection. Returns the reply that is free now, if the engine is to be told.
    pub(super) fn over(
        &mut self,
        protocol: Protocol,
        request: InboundRequestId,
    ) -> Option<ReplyId> {
        let owed = self.reply_of.remove(&(protocol, request));
        owed.iter().for_each(|id| drop(self.owed.remove(id)));
        match protocol {
            Protocol::Join | Protocol::Sync | Protocol::Call => None,
            Protocol::Pastiche => owed.or_else(|| self.leaving.remove(&request).map(|(id, _)| id)),
        }
    }
}
