//! What this node says of itself, and how it becomes durable before it is published.
//!
//! **Invariant**: no marker is used twice, and no record or act of this node is published or
//! acknowledged before it is on disk. What could not be written did not happen: the state is that of
//! the last record that could. (Beacons and suspicions are no records; they are never on disk.)
//!
//! ```text
//!   Change, Change, … ─▶ queue ─▶ [one write at a time] ─▶ durable ─▶ merge, publish, acknowledge
//! ```
//!
//! Changes that wait for a write are put into the next one together, so a burst costs two writes.

mod change;
mod own;
mod state;

pub use change::{Change, Origin, Rejection};
pub use crux_crdt::record::ServiceKey;
pub use own::Own;
pub use state::{Commit, State, Waiter, Write};
