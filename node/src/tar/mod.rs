//! Directories as one file: a tar archive with one spelling.
//!
//! **Writing** gives the same bytes for the same tree, wherever and whenever it is: entries in the order
//! of their names' bytes, a directory before what is in it and the root as `./` before all, time zero,
//! owner zero, and the permissions less those of others to write. Hard links become files of their own.
//! The format is ustar, with a pax header where a name or size does not fit, so every `tar` reads it.
//!
//! **Both ways have the same limits** (`limits`): what is packed can be unpacked, and nobody may do more
//! with it then than before.
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

#[cfg(test)]
mod bounds;
mod error;
#[cfg(test)]
mod fuzz;
mod header;
mod limits;
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
