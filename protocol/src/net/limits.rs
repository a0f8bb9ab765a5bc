//! Every bound of the adapter, in one place, with its reason.

use std::time::Duration;

use crate::link::{LOST_AFTER, PROVIDED_MAX};

/// Commands that wait for the task. An engine emits a burst per event (one request per peer, say)
/// and must not be held up by it.
pub(super) const COMMANDS_MAX: usize = 1024;

/// Events that wait for the engine. Full means that the network waits as well: TCP then slows the
/// peers down.
pub(super) const EVENTS_MAX: usize = 1024;

/// Events made but not yet in the channel. One step of the swarm makes at most a handful; the rest
/// come from commands that fail at once. Beyond this the task takes no commands either.
pub(super) const OUTBOX_MAX: usize = 1024;

/// Time for a connection to be established, encrypted and multiplexed. A handshake is three round
/// trips and some 200 µs of arithmetic; who needs longer is as good as away.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);

/// Time until a peer that connected has sent its first byte. It sends that without waiting for
/// anything, so that one lost packet fits, and no more.
pub(super) const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the door takes in nobody after it closed a connection to make room for another one. Among 128 pending
/// connections each step of a handshake then has more than 100 ms, however fast closed ones come again; a newcomer waits
/// one rest for each connection before it. Without the rest, 160 connections that were opened again at once pushed out
/// about one handshake in ten (`gate::connections_that_get_nowhere_keep_nobody_out`).
pub(super) const CROWDED_REST: Duration = Duration::from_millis(1);

/// Time for an orderly close. A peer that was stopped drains nothing, and without this bound its
/// connection would close when it is resumed.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Time between the last command and the closing of the connections at shutdown, so that a last
/// word (a leave, say) gets out.
pub(super) const LINGER: Duration = Duration::from_millis(100);

/// Time for all connections to close at shutdown.
pub(super) const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Time until a listener must have told its address.
pub(super) const LISTEN_TIMEOUT: Duration = Duration::from_secs(5);

/// A request is lost after this. libp2p counts opening the stream apart, so that a peer that went
/// silent between the two costs twice that, which is what the engines count on.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(LOST_AFTER.as_secs() / 2);

/// The same for a piece of a blob: at 100 kB a second it takes 10 s.
pub(super) const PIECE_TIMEOUT: Duration = Duration::from_secs(20);

/// Incoming requests that wait for their reply. 1,000 members with one each.
pub(super) const REPLIES_MAX: usize = 1024;

/// Gossip messages that wait for their verdict. libp2p forgets them after its history, 12 s; at
/// 300 a second that is 3,600.
pub(super) const VERDICTS_MAX: usize = 4096;

/// Gossip that waits for one peer. libp2p drops what waited for 5 s, 1,500 messages at 300 a second,
/// but looks at that only when the peer takes some: one that takes nothing is known for slow when this
/// is full. Of the largest messages it is 96 MiB.
pub(super) const GOSSIP_QUEUE_MAX: usize = 2048;

/// Dials in progress. A node dials one dead member a second and all observers at start.
pub(super) const DIALS_MAX: usize = 256;

/// Addresses tried per dial. A host name may have many, a node has a few.
pub(super) const DIAL_ADDRS_MAX: usize = 16;

/// How long one address of a dial has before the next one is tried beside it (RFC 8305 says
/// 250 ms).
pub(super) const DIAL_STAGGER: Duration = Duration::from_millis(250);

/// Host names being resolved: each holds a thread of the blocking pool.
pub(super) const RESOLVES_MAX: usize = 32;

/// Searches in the address book in progress.
pub(super) const FINDS_MAX: usize = 8;

/// Time for one search.
pub(super) const FIND_TIMEOUT: Duration = Duration::from_secs(10);

/// Searches for holders of blobs in progress. The mover fetches 8 blobs at once.
pub(super) const SEEKS_MAX: usize = 16;

/// Statements to hold a blob in progress. Each is a search and a message to the 20 nearest members.
pub(super) const PROVIDES_MAX: usize = 16;

/// Holders that one search tells of. More than are asked for pieces; a liar may be some of them.
pub(super) const HOLDERS_FOUND_MAX: usize = 64;

/// Members remembered as holders of one blob: as many as Kademlia has a statement kept by.
pub(super) const HOLDERS_PER_BLOB_MAX: usize = 20;

/// Blobs of one member that this node remembers: as many as an honest one states at most.
pub(super) const PROVIDED_PER_MEMBER_MAX: usize = PROVIDED_MAX;

/// Statements remembered, of all members. Where all state as much as they may, each node keeps some
/// 20,000; one takes some 100 bytes.
pub(super) const HOLDERS_MAX: usize = 32 * 1024;

/// How long a statement is remembered. Three times as long as a member lets pass between two.
pub(super) const HOLDER_LIFE: Duration = Duration::from_secs(3 * 4 * 3600);

/// Streams per connection. Two nodes that use all their requests at once have some 210.
pub(super) const STREAMS_MAX: usize = 320;

/// Streams per connection on which the protocol is not agreed yet. A burst of requests of all
/// protocols is 84.
pub(super) const NEGOTIATING_MAX: usize = 128;
