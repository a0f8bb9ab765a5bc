//! Dialling: which peers, and when.
//!
//! **Invariant**: this node dials every seed peer and discovered address, every live member that it
//! should be connected to and every dead member again and again while it is not connected, each at its
//! own bounded rate. It never has two dials open to one address or to one such live member.
//!
//! * Seed peers (`--join`), and addresses discovered on the network link: at once, then with back-off up
//!   to five seconds. An address rests while the member that answered there is connected, or is alive
//!   and this node has enough connections. An address at which this node itself answers is dropped.
//! * Live members that observe this node or that it observes: at once, then with back-off.
//! * While fewer than four members are connected: a random other live member every 200 ms as well.
//! * At the start, when every member is dead to this node: up to 32 of the members it knows from disk,
//!   without those at addresses of seed peers only.
//! * Dead members: one random one every clamp(live/2, 1 s, 60 s), so that the flock as a whole makes
//!   about two attempts a second however long a partition lasts.

mod backoff;
mod seed;
mod state;

pub use seed::{Outcome, Seed};
pub use state::{Facts, Purpose, Request, State};
