//! Anti-entropy: gossip is a hint, this is the guarantee.
//!
//! **Invariant**: two live members between which messages get through, and whose replicas do not
//! change meanwhile, show the same records and count the same acts after finitely many exchanges,
//! whatever either missed and for however long, as long as neither is full. Records of departed members are not reconciled.
//!
//! ```text
//!   A                                   B
//!   │── Roots{registers, acts} ────────▶│  equal: done. Different: both start a session
//!   │◀─────────────────── Roots ────────│
//!   │── Ranges[(bounds, fingerprint)] ─▶│  drops equal ranges, answers the rest as pieces:
//!   │◀── [Items | Fingerprint] ─────────│  short ones as items, long ones cut in sixteen
//!   │   … until no range differs …      │
//!   │── Acts[ids] / Records[authors] ──▶│
//!   │◀── signed acts / whole records ───│
//! ```
//!
//! A session pulls only; the other side, which saw the same roots, pulls by its own session. So the
//! responder keeps no state, and one direction's failure does not stop the other. Acts come before
//! registers, because they decide whose records are shown.
//!
//! Roots are compared with one random neighbour every 5 s, with every newly connected peer at once,
//! and after a session that brought something, with all links at once (but at most every 200 ms), so
//! that a healed partition does not spread at 5 s a hop. With changes in flight roots nearly always
//! differ; so an exchange that is not urgent looks a second time after a second before it starts a
//! session.
//!
//! Few sessions run at once, and a slow peer does not keep others waiting: see `places`. Peers that
//! stall delay one whose sessions are short by 2 s at most, or, `k` of them that never stalled before, by
//! `k × 2 s / 3` in five hours. A replica that
//! is full (`crux_crdt::strew`) does not take everything, so it rests for a minute after a session
//! that brought what it has no room for; the invariant holds below the limit only.
//!
//! Background: range-based set reconciliation, arXiv 2212.13567.

mod aside;
mod config;
mod message;
mod output;
mod places;
mod refused;
mod session;
mod state;
mod turns;

pub use aside::Aside;
pub use config::Config;
pub use message::{BEACONS_MAX, Hearsay, Piece, RecordsWanted, Request, Response, Roots, SetKind};
pub use output::{Merged, Output};
pub use state::State;
