//! Anti-entropy: gossip is a hint, this is the guarantee.
//!
//! **Invariant**: two live members that exchange messages, and whose replicas do not change meanwhile,
//! hold the same facts of each kind after finitely many exchanges, whatever either missed
//! and for however long, as long as neither is full. Records of departed members are not reconciled.
//!
//! ```text
//!   A                                   B
//!   │── Roots[(kind, fingerprint)] ────▶│  equal: done. Different: both start a session
//!   │◀─────────────────── Roots ────────│
//!   │── Ranges[(bounds, fingerprint)] ─▶│  drops equal ranges, answers the rest as pieces:
//!   │◀── [Items | Fingerprint] ─────────│  short ones as items, long ones split in sixteen
//!   │   … until no range differs …      │
//!   │── Facts[kind, keys] ─────────────▶│
//!   │◀── signed facts ──────────────────│
//! ```
//!
//! A session only pulls; the other side saw the same roots and pulls by its own session. So the
//! responder keeps no state, and a failure of one direction does not stop the other. Kinds whose facts are
//! shown because of other kinds are compared last (`Kind::is_compared_last`). An answer with facts has a bound
//! in bytes, and the rest is asked for again.
//!
//! Nothing here names a kind: what is under a key, what of it a peer holds, and whether it is lacking here,
//! the strew says (`crux_crdt::fact`).
//!
//! A kind of set that one of two nodes does not know is skipped by both (`roots`): neither asks for
//! it, and a node that is asked for it nevertheless answers with nothing.
//!
//! A node compares roots with one random neighbour every 5 s, with each new connection at once, and
//! after a session that brought something with all connections at once (but at most every 200 ms), so
//! that a healed partition does not spread at 5 s a hop. While changes are in flight roots nearly always
//! differ; so an exchange that is not urgent compares them a second time, a second later, before it
//! starts a session.
//!
//! Few sessions run at once, and a slow peer does not delay others: see `places`. Peers that stall
//! delay a peer whose sessions are short by 2 s at most, or, `k` of them that never stalled before, by
//! `k × 2 s / 3` in five hours. A full replica (`crux_crdt::strew`) does not take everything, so it
//! rests for a minute after a session that brought facts without room; the invariant holds below the
//! limit only.
//!
//! Background: range-based set reconciliation, arXiv 2212.13567.

mod aside;
mod config;
mod message;
mod output;
mod places;
mod refused;
mod roots;
mod session;
mod state;
mod turns;

pub use aside::Aside;
pub use config::Config;
pub use message::{BEACONS_MAX, Hearsay, Piece, Request, Response, Wanted};
pub use output::{Merged, Output};
pub use roots::Roots;
pub use state::State;
