//! Directories as one file: a tar archive with one spelling.
//!
//! **Writing** gives the same bytes for the same tree, wherever and whenever it is: entries in the order
//! of their names' bytes, a directory before what is in it, time zero, owner zero, mode 0755 for
//! directories and what its owner may execute, else 0644. Hard links become files of their own. The
//! format is ustar, with a pax header where a name or size does not fit, so every `tar` reads it.
//!
//! **Reading** trusts nothing. Invariant: whatever the bytes are, nothing is made, changed or followed
//! outside of one fresh directory, which takes its name only when all of it is there.
//!
//! * Names are relative, without `..`; every parent is opened without following links.
//! * A link's target is relative, and goes up only at its beginning and no higher than the root. So no
//!   chain of links leads out either: a link that starts at a real directory and only goes down from
//!   where it went up to stays inside, and so does what is reached through it.
//! * Devices, pipes, hard links and sparse files are refused. Without sparse files what is written is
//!   never more than what is read.
//! * A name that is there already is refused: every file is made, and none is opened.
//!
//! Own code instead of the `tar` crate: that reads a long name of any length into memory, follows links
//! while it unpacks, and knows a dozen extensions that would each have to be refused again.

mod error;
#[cfg(test)]
mod fuzz;
mod header;
mod pack;
mod reader;
#[cfg(test)]
mod tests;
mod unpack;

pub use error::TarError;
pub use pack::pack;
pub use unpack::unpack;

/// The unit of a tar archive, in bytes.
const BLOCK: usize = 512;
/// The longest name within an archive, in bytes: what Linux allows for a path.
const NAME_BYTES_MAX: usize = 4096;
/// How deep a tree may be. Each level costs an open directory.
const DEPTH_MAX: usize = 128;
/// How many entries an archive may have. A bound, not a measure: a million empty files take a disk a
/// while.
const ENTRIES_MAX: u64 = 1_000_000;
