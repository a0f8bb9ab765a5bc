//! The blob mover: files by their hash, from whoever has them.
//!
//! ```text
//!            Event                                 Command
//!  a get ───────────────▶ ┌──────────────────┐ ──▶ Done, Tell        who waits
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
//! * Nothing is reserved, written or counted as held but pieces that the store verified against the
//!   root that is followed. That root decides nothing more: the blob is there when its SHA-3 matched.
//! * No piece is asked for while it is held or being written, nor while it is in flight, except from
//!   one other provider when it is overdue or one of the last: in the end game.
//! * A root and a size are claims: they take neither room nor memory of that size. Room is made piece by
//!   piece, after each was verified, and nothing is evicted for a blob of which no piece was.
//! * A fetch ends by success, by a failure of this node's own store, or when no piece was verified for as
//!   long as its waiters would wait; also while it waits for a place. What was fetched stays as long as
//!   there is room.
//! * A provider is dropped for one blob, and reported, for what only a faulty one does: a piece that
//!   does not belong under the root it promised, a signature under a false root, to say that it holds all
//!   of that (which a node says only once it compared the SHA-3), rubbish. Silence and being busy cost it
//!   requests, nothing else.
//! * Every request of a peer is answered once. Memory is bounded: at most
//!   [`Config::in_flight_max`] pieces come in and [`Config::reads_max`] go out at once.
//!
//! **Which root.** Everybody who sealed a blob signs one descriptor: blob, root, size; in the registry for
//! those blobs that it offers, and with its answer for all others. Trees are tried in the order of how many
//! distinct nodes signed them, and the floor goes to the one that delivers: see `rivals`. If the SHA-3 then
//! is another one, its signers are skipped for this blob and shown to people.
//!
//! **Small blobs** come whole with the answer to what is held, in one round trip: their SHA-3 is the
//! judge, and no root is followed. Whoever sent something else is dropped for this blob. A tree of one piece
//! that stands beside others is judged in the same way, in memory.
//!
//! **Which piece.** From one source in order, so that the SHA-3 follows behind. With a crowd the one
//! that is rarest among those who hold a part, in an order of each fetcher's own, so that the same
//! piece is not asked of a seed twice while others are not asked at all.
//!
//! **Who is asked.** Those that offer the blob in the strew, with no round trip, and every member that is
//! linked, [`Config::peers_max`] at a time; who has nothing makes place for the next, and so do those who
//! state the same tree as many others. If nobody offers it,
//! and nobody who was asked has it, those of whom the flock's index (Kademlia) has heard that they hold it:
//! the long tail, which each node states for itself ([`PROVIDED_MAX`](crate::link::PROVIDED_MAX) blobs at
//! most). Where more are linked than there are places, the index is asked at once. Those that offer a blob and those that the index
//! names are linked for it if they are not. What the index says is hearsay: who lies there costs a question.
//!
//! How much is in flight from a provider follows what it delivers: the window grows while pieces come
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
