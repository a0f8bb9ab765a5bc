//! This node's own records and acts, and how they become durable before they are published.
//!
//! **Invariant**: no marker is used twice, and no record or act of this node is published or
//! acknowledged before it is on disk. A change that could not be written did not happen: the state is
//! that of the last record that was written. (Beacons and suspicions are not records, and never on disk.)
//!
//! ```text
//!   Change, Change, … ─▶ queue ─▶ [one write at a time] ─▶ durable ─▶ merge, publish, acknowledge
//! ```
//!
//! All changes that wait for a write go into the next one together, so a burst costs two writes.

mod change;
mod own;
mod state;

pub use change::{Change, Origin, Rejection};
pub use crux_crdt::record::ServiceKey;
pub use own::Own;
pub use state::{Commit, State, Waiter, Write};
