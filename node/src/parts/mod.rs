//! The parts of a running node, and what happens when one of them ends.
//!
//! ```text
//!   start ──▶ log · reload · signals · database · blobs · network · … · api · loop ──▶ runs
//!                 │        one of them panics or ends before it may                    │
//!                 └────────────────────────┬─────────────────────────────────────┘
//!                                          ▼
//!   stop  ◀── log · … · database · blobs · network · … · api · loop ◀── failure, or shutdown
//! ```
//!
//! A node whose blob mover is gone must not say that it serves. So every task and thread that lives as long as
//! the node does is a [`Part`], started by the [`Supervisor`], and there is no other way to start one: a test
//! of the architecture looks for `tokio::spawn` and `std::thread`.
//!
//! **Invariants**
//!
//! * A part that panics stops the node with exit code 1 and the part's name, whatever else ends
//!   meanwhile.
//! * So does a part that returns while the node runs. The loop may: it ends when the node is to stop.
//!   So may the thread that waits for standard input to close.
//! * Parts stop in the reverse order of [`Part::ALL`], each within its time.
//! * What a part starts below itself, such as reads of a disk, is joined by the part, and a panic there is
//!   the part's: [`finished`].
//!
//! **What it does not do.** It starts no part again: what a panic left half done would have to be
//! understood first, and a process that ends is started again by those who run it. It does not watch requests:
//! a panic in one handler of the control API, or in one operation on a file, fails that call.
//!
//! | file | what |
//! |---|---|
//! | `part` | the list |
//! | `book` | who runs, and which failure counts; pure |
//! | `supervisor` | starts, watches, stops |
//! | `plant` | where tests make a part panic |

mod book;
mod part;
mod plant;
mod supervisor;
#[cfg(test)]
mod tests;

pub use part::Part;
pub use plant::Pulse;
#[cfg(test)]
pub(crate) use plant::plant;
pub use supervisor::{Stop, Supervisor, finished};
