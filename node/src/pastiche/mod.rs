//! Moves blobs: the task between the mover's engine, the blob store and the network.
//!
//! ```text
//!    wishes ──▶ [bounded] ──▶ ┌─ task ───────────────────┐ ──▶ network   link::Command
//!   network ──▶ bulk events ▶ │ crux_protocol::pastiche  │ ──▶ Blobs     begin, write, seal, read
//!   View    ──▶ who is there▶ │ pure                     │ ◀── one future each, all at once
//!                             └──────────────────────────┘
//! ```
//!
//! It decides nothing. What the engine asks of the store runs beside it, so that a slow disk holds up
//! the disk's answers and nothing else; how much runs at once is the engine's bound
//! (`Config::in_flight_max`, `Config::reads_max`), and the store's own.
//!
//! Who is asked for a blob: those that offer it, those that Kademlia names, then every member that is not
//! shown dead. A peer to which there is no connection fails its request at once; if it is said to hold the
//! blob, the fulcrum links it.
//!
//! `offers` looks every two seconds what is here: what is pinned or registered goes into the offer slots
//! of the node's record, as far as there are any, and the mover states the rest in Kademlia.

mod disk;
mod offers;
mod task;

#[cfg(test)]
mod tests;

pub use task::{Parts, spawn};
