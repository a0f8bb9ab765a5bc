//! The output of services, kept on disk.
//!
//! ```text
//!  stdout ─┐ drain   ┌ Cutter ┐  Gate   ┌ Tail ┐  Writer   current, 1 … 4
//!  stderr ─┴────────▶│ lines  ├────────▶│memory├──────────▶ rotation
//!                    └────────┘ counted └───┬──┘               │
//!                                           └──── Reader ◀─────┘
//! ```
//!
//! **Invariants.**
//!
//! * A program never blocks on its output: pipes are drained whatever the disk and the readers do.
//! * A line is kept, or counted in a remark of the log that is at its place. A reader gets it, or is told
//!   how many it lost.
//! * Memory is bounded: for each service what the gate lets through at once, 64 MiB for all, and while the
//!   disk refuses [`REFUSED_BYTES_MAX`] for each. On disk a service has `log_max` bytes.
//! * Of services that are removed the last [`REMOVED_MAX`] logs are kept.
//! * A program's output changes nothing but its text: it cannot forge the instance, the stream or the
//!   time of a line, nor a remark of Crux.
//!
//! A line that is longer than [`LINE_MAX`] is kept in pieces, which the files mark and readers get as lines: text is what
//! is read, and a program that prints lines of 16 KiB is not read by people.
//!
//! Cutter, gate and rotation are pure: bytes and times in, lines out. Only [`drain`] and [`Logs::write`]
//! need a runtime. Nothing is flushed to the disk on purpose: a loss of power may cost the last seconds.

mod cutter;
mod disk;
mod drain;
mod gate;
mod history;
mod input;
mod line;
mod marks;
mod names;
mod query;
mod reader;
mod service;
mod store;
mod tail;
#[cfg(test)]
mod tests;
mod writer;

pub use cutter::{Cutter, FLUSH_AFTER, Piece};
pub use disk::{Disk, OLD_FILES, Rotation};
pub use drain::drain;
pub use gate::{BURST, Gate, Missing, RATE};
pub use input::Input;
pub use line::{LINE_MAX, Line, Stamp, Stream, shown};
pub use query::{Batch, Query};
pub use reader::{READERS_MAX, Reader, Step};
pub use service::{Notice, REFUSED_BYTES_MAX, RETRY_AFTER, ServiceLog};
pub use store::{LOG_MAX, Logs, REMOVED_MAX};
