//! Moves blobs: the task between the mover's engine, the blob store and the network.
//!
//! ```text
//!  requests ──▶ [bounded] ──▶ ┌─ task ───────────────────┐ ──▶ network   link::Command
//!   network ──▶ bulk events ▶ │ crux_protocol::pastiche  │ ──▶ Blobs     begin, write, seal, read
//!   View    ──▶ members ────▶ │ pure                     │ ◀── one future each, all at once
//!                             └──────────────────────────┘
//! ```
//!
//! The task decides nothing. Requests of the engine to the store run beside it, so that a slow disk
//! delays only the disk's answers; the engine's bound (`Config::in_flight_max`, `Config::reads_max`) and
//! the store's own limit how many run at once.
//!
//! The mover asks these for a blob: members that offer it, members that Kademlia names, then every
//! member that is not shown dead. A request to a peer without a connection fails at once; if that peer
//! may hold the blob, the fulcrum dials it.
//!
//! `offers` checks every two seconds which blobs are here: pinned and registered ones go into the offer
//! slots of the node's record, as far as there are any, and the mover states the rest in Kademlia.

mod disk;
mod offers;
mod task;

#[cfg(test)]
mod tests;

pub use task::{Parts, mover};
