//! The blob mover: files by their hash, from any member that has them.
//!
//! ```text
//!            Event                                 Command
//!  a get ───────────────▶ ┌──────────────────┐ ──▶ Done, Tell        callers
//!  requests, answers ───▶ │ fetch   per blob │ ──▶ Send, Reply       peers
//!  pieces written ──────▶ │ choose  what next│ ──▶ Begin Write Seal  store
//!  pieces read ─────────▶ │ serve   to peers │ ──▶ Look Read         store
//!                         └──────────────────┘
//!
//!   Seeking ── a tree ──▶ Beginning ── begun ──▶ Moving ── all pieces ──▶ Sealing ── SHA-3 ──▶ done
//!      ▲                     ▲                     │                         │
//!      │                     └── a rival's piece ──┘                         │
//!      └──────────────── the SHA-3 is another one: another tree ─────────────┘
//!   any but Sealing ── all of a small one, whose SHA-3 matches ──────────────────────────▶ done
//! ```
//!
//! **Invariants**
//!
//! * Only pieces that the store verified against the root in use take room, are written and count as
//!   held. That root decides nothing more: the blob is complete when its SHA-3 matched.
//! * A piece is not requested while it is held, being written, or in flight; except from one other
//!   provider when it is overdue or one of the last: in the end game.
//! * A root and a size are claims: they take neither room nor memory of that size. Room is made piece by
//!   piece, after each was verified, and nothing is evicted for a blob without a verified piece.
//! * A fetch ends by success, by a failure of this node's own store, or when no piece was verified for as
//!   long as its callers would wait; also while it waits for a place. Fetched pieces stay as long as
//!   there is room.
//! * A provider is dropped for one blob, and reported, for what only a faulty one does: a piece that
//!   does not belong under the root it promised, a signature under a false root, a statement that it
//!   holds all of that (a node says so only once it compared the SHA-3), rubbish. A provider that is
//!   slow or busy gets fewer requests, nothing else.
//! * Every request of a peer is answered once. Memory is bounded: at most
//!   [`Config::in_flight_max`] pieces come in and [`Config::reads_max`] go out at once.
//!
//! **Which root.** Each member that sealed a blob signs one descriptor: blob, root, size; in the registry
//! for blobs that it offers, and with its answer for all others. Trees are tried in the order of how many
//! distinct nodes signed them, and the floor goes to the one that delivers: see `rivals`. If the SHA-3 then
//! differs, the tree's signers are skipped for this blob and shown to people.
//!
//! **Small blobs** arrive whole with the answer to the first query, in one round trip: their SHA-3
//! decides, and no root is used. A member that sent something else is dropped for this blob. A tree of
//! one piece among several trees is judged in the same way, in memory.
//!
//! **Which piece.** From one source in order, so that the SHA-3 follows behind. With many sources the
//! rarest one among those that hold a part, in an order of each fetcher's own, so that a seed is not
//! asked for the same piece twice while other pieces are not requested at all.
//!
//! **Which member.** First the members that offer the blob in the strew, without a round trip, and every
//! connected member, [`Config::peers_max`] at a time. A member that has nothing makes place for the next,
//! and so does one of many that state the same tree. If nobody offers the blob and no member that was
//! asked has it, then the members that the flock's index (Kademlia) names: for the long tail, each node
//! states up to [`PROVIDED_MAX`](crate::link::PROVIDED_MAX) of its blobs there. Where more members are connected than there are places, the
//! index is asked at once. The node dials members that offer the blob or that the index names if they
//! are not connected. The index is second-hand: a false entry costs a query.
//!
//! How much is in flight from a provider follows what it delivers: the window grows while pieces arrive
//! within [`Config::target`], and shrinks when they do not (as TCP Vegas does by its round trips).
//!
//! Background: Cohen, "Incentives Build Robustness in BitTorrent", 2003, for rarest first and the
//! end game; Legout et al., "Rarest First and Choke Algorithms Are Enough", 2006.

mod bucket;
mod choose;
mod claims;
mod command;
mod config;
mod event;
mod fetch;
mod holdings;
mod meet;
mod message;
mod peer;
mod provide;
mod pump;
mod rivals;
#[cfg(test)]
mod rivals_test;
mod serve;
mod state;
mod wait;

pub use command::{Command, Failure, Progress, Report};
pub use config::Config;
pub use event::{Event, ReadId, SealFailure, StoreFailure, TryFailure, Waiter, WriteFailure};
pub use message::{DESCRIPTORS_MAX, Holding, OTHERS_MAX, Request, Response, WHOLE_BYTES_MAX};
pub use state::{Facts, State};
