use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use crux_crdt::Principal;
use crux_crdt::blob::BlobId;

use super::{DialId, GossipId, Protocol, ReplyId, RequestId, Topic, Verdict};

/// What an engine asks of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Open a new connection, whatever connections there are.
    ///
    /// `expect` given: a peer that answers with another key is refused.
    Dial {
        /// Names this dial in its answer.
        id: DialId,
        /// Where to dial, all tried until one answers. `HOST:PORT`; a host name means every
        /// address it resolves to now.
        addrs: Vec<String>,
        /// The key that must answer.
        expect: Option<Principal>,
    },
    /// Close all connections to a peer.
    Disconnect {
        /// The peer.
        peer: Principal,
    },
    /// Close all connections to a peer, unless a request is in progress on one, in either direction.
    /// Then nothing happens.
    Release {
        /// The peer.
        peer: Principal,
    },
    /// Do not close the connections to a peer that is not a member to make room for others: it proved
    /// that it may become one. For as long as they last.
    Keep {
        /// The peer.
        peer: Principal,
    },
    /// Replace the set of peers that get more than `/crux/join/2` on connections made from now on.
    Admit {
        /// Every member.
        members: Arc<BTreeSet<Principal>>,
    },
    /// Gossip to the flock. No peer to send to is no error: anti-entropy carries it.
    Publish {
        /// The topic.
        topic: Topic,
        /// At most [`super::GOSSIP_PAYLOAD_MAX`] bytes.
        data: Vec<u8>,
    },
    /// Answer [`super::Event::Gossip`]. Each one gets exactly one verdict.
    Judge {
        /// Which message.
        id: GossipId,
        /// What to do with it.
        verdict: Verdict,
    },
    /// Send a request.
    Request {
        /// Names this request in its answer.
        id: RequestId,
        /// To whom. A peer that is not connected fails the request; nothing is dialled.
        peer: Principal,
        /// By which protocol.
        protocol: Protocol,
        /// At most [`Protocol::max_body`] bytes.
        body: Vec<u8>,
    },
    /// Answer a request. Lost silently when its connection is gone.
    Reply {
        /// Which request.
        id: ReplyId,
        /// At most [`Protocol::max_body`] bytes.
        body: Vec<u8>,
    },
    /// Replace the set of peers whose beats this node wants. The adapter keeps a beat stream open
    /// to each of them that is connected.
    Observe {
        /// Those this node observes.
        subjects: BTreeSet<Principal>,
    },
    /// Send one beat to every peer that observes this node. Not queued: a stream that cannot take
    /// it now misses it.
    Beat {
        /// This node's incarnation.
        incarnation: u64,
        /// This node's beacon counter.
        counter: u64,
    },
    /// Tell the address book where a member is reached; replaces what was known.
    SetAddresses {
        /// The member.
        peer: Principal,
        /// Its addresses.
        addrs: Vec<SocketAddr>,
    },
    /// Ask the address book of the flock (Kademlia) where a member is reached now. Answered by
    /// [`super::Event::Found`] if anything was found.
    Find {
        /// The member.
        peer: Principal,
    },
    /// Have those members whose keys are nearest to a blob's id remember for a while that this node
    /// has it (Kademlia). Answered by one [`super::Event::Provided`].
    Provide {
        /// Which blob.
        blob: BlobId,
    },
    /// Tell nobody any longer that this node has a blob. What others remember of it runs out.
    Withdraw {
        /// Which blob.
        blob: BlobId,
    },
    /// Ask those members whose keys are nearest to a blob's id who has it. Answered by one or more
    /// [`super::Event::Providers`].
    Seek {
        /// Which blob.
        blob: BlobId,
    },
}
