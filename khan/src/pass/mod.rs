//! One pass: what is wanted against what is present, and a reason for each difference.
//!
//! ```text
//!   Checked, World ──▶ solve ──▶ Solution ──▶ steps: start, hold, stop
//!                      Stages ──▶ gate ─────────┘
//! ```
//!
//! * A **step** ([`Step`]) changes the number of instances of one service on one node. A start whose conditions do not
//!   hold is a `hold`; stops wait for nothing.
//! * A **gate** ([`Gate`]) is what `start a after …` says of one service now. It depends on the stages of instances and
//!   on the solution, so a caller that holds the solution asks again whenever a stage changes, without solving.
//! * [`why()`] answers for one service and one node, also why an instance is *not* there.
//!
//! Services that run and that the program does not name are not touched and have no step: what becomes of them is for
//! the caller to decide, because it knows who started them.

mod gate;
mod plan;
mod stages;
mod step;
mod why;

pub use gate::{Gate, gate};
pub use plan::{Plan, pass};
pub use stages::Stages;
pub use step::{Action, Step};
pub use why::{Why, why};
