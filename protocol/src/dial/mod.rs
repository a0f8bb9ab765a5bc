//! Whom to dial, and when.
//!
//! **Invariant**: unless it is linked, every place this node was told of, every live member it should
//! be linked to and every dead member is dialled again and again for ever, each at its own bounded
//! rate; never two dials at once for one entry or for one live member that should be linked.
//!
//! * `--join` entries, and places found on the link: at once, then with back-off up to five seconds,
//!   unless whoever answered there is linked, or lives and this node has links enough. An entry at which
//!   this node itself answers is let go.
//! * Live members that observe this node or that it observes: at once, then with back-off.
//! * Where fewer than four are linked: a random other live member every 200 ms, beside those.
//! * At the start, when everyone is dead to this node: up to 32 of the members it knows from disk,
//!   those left out that are at the places of entries only.
//! * The dead: one random one every clamp(live/2, 1 s, 60 s), so that the flock as a whole makes about
//!   two attempts a second however long a partition lasts.

mod backoff;
mod seed;
mod state;

pub use seed::{Outcome, Seed};
pub use state::{Facts, Purpose, Request, State};
