//! `desired.json`: what the node is to run, kept over every end of the picket.
//!
//! ```text
//!  engine ─ Desired, generation N ─▶ Store ─ aside, flush, rename, flush ─▶ desired.json
//!                                          └ after that ──────────────────▶ desired.mark   "N"
//! ```
//!
//! **Invariants.**
//!
//! * The file is as before or as after, whatever ends the process or the machine.
//! * Generations grow. One that is not greater than the last is refused, and so is a file that is older
//!   than the mark: somebody put an old copy back.
//! * Nothing that is wrong with the file reads as "no services". Only without file and mark there are none:
//!   then none were ever written.
//!
//! A file that cannot be read is left as it is, and so is what runs: the picket starts and stops nothing on
//! the word of half a file.

mod error;
mod store;
#[cfg(test)]
mod tests;
mod written;

pub use error::DesiredError;
pub use store::Store;
pub use written::FORMAT;
