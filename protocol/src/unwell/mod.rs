//! Health of this node's services, as the flock sees it: which of its registrations are not *up*.
//!
//! The picket states how each of its services is, whenever that changes; this engine makes of it what the node says
//! in its record.
//!
//! ```text
//!   picket ──Stated──▶ State ──Set──▶ author: durable, then gossip
//!                        ▲             │
//!                        └──Answered───┘
//! ```
//!
//! **Invariants**
//!
//! * When nothing changes, nothing is said. In the end the record says what was stated last, but for services that flip.
//! * It says something at most once in [`REST`]; a first change goes out at once. So a service costs the flock one
//!   record a second at most, however it behaves.
//! * A service that changed four times within a minute is held at *degraded* until it did not: the rule in `flips`,
//!   which the picket's `ps` shows, too.
//! * Before the first statement it says nothing: after a start of the node alone its services run on, and what
//!   its disk says of them holds. A node without a picket states at once that all is well.
//!
//! **Out of scope.** It does not look which services are registered: the entry of one that is not counts for
//! nothing. Texts of checks stay with the picket.

mod state;

pub use state::{Command, Event, State};

use std::time::Duration;

/// The least time between two statements. From the design, page 05.
pub const REST: Duration = Duration::from_secs(1);
/// How long it waits after a statement was refused, as by a full disk. As the author waits for its disk.
pub const RETRY: Duration = Duration::from_secs(5);
