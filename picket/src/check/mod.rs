//! One run of a check: whether a program answers.
//!
//! **Invariants.** A run ends within its time-out, whatever the program does: it hangs, answers a gigabyte,
//! closes early. It reads at most [`BODY_BYTES_MAX`] and remembers [`TEXT_BYTES_MAX`]. At most
//! [`RUNNING_MAX`] run at once on a node and [`RUNNING_OF_SERVICE_MAX`] for one service; the others wait in
//! the order in which they came, and that is not counted in their time-out. A run that is dropped leaves
//! nothing behind.
//!
//! When a check runs, and what its result means, is decided by [`crux_protocol::picket`].

mod exec;
mod grpc;
mod http;
mod outcome;
mod run;
mod target;
#[cfg(test)]
mod tests;

pub use exec::{NotRun, Ran, Runner};
pub use http::BODY_BYTES_MAX;
pub use outcome::{Outcome, TEXT_BYTES_MAX};
pub use run::{Checks, RUNNING_MAX, RUNNING_OF_SERVICE_MAX};
pub use target::Target;
