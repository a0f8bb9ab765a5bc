//! A TCP proxy in front of each node, that breaks links the ways networks do.
//!
//! ```text
//!   n1 at 127.0.0.11            the proxy                      n2 at 127.0.0.12
//!   dials from .11 ──▶ listens at .12, the address n2 states ──▶ listens at .12, another port
//!                      dials onwards from .11
//!                      rule of n1 → n2: bytes of n1
//!                      rule of n2 → n1: bytes of n2
//! ```
//!
//! Nodes listen at and dial from loopback addresses of their own, so that the proxy knows who dials;
//! it binds the dialler's address onwards, so that the node behind sees who dials, too. No privileges
//! are needed: on Linux all of 127/8 is this machine.
//!
//! Each directed pair has a [`Rule`]. What it holds back it keeps, as a sender's kernel does, and
//! delivers when it is opened again. It sees connections and not packets: a link that loses packets
//! is one that is slow, or one that is reset.
//!
//! # Invariants
//!
//! * Bytes of a connection are delivered in order and whole, or the connection is reset.
//! * Memory is bounded: `CONNECTIONS_MAX` connections with `CHUNKS_MAX` chunks each way. Beyond that
//!   nothing is read, and the sender's kernel waits.
//! * Whatever a rule does is undone by [`Rule::default`], except for connections that were reset.

mod connection;
mod door;
mod links;
mod pump;
mod rule;
#[cfg(test)]
mod tests;

pub use door::{Place, Proxy};
pub use links::Stats;
pub use rule::{Flow, Rule};
