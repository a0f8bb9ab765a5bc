//! The blob store: files by the SHA-3 of their content.
//!
//! ```text
//!   put, put_file ──▶ stream ──▶ both hashes ──┐                (small ones: both hashes ──▶ journal)
//!   register ───────▶ both hashes ─────────────┼──▶ commit ──▶ sealed ──▶ reader, path, read_piece
//!   begin, write_piece ──▶ pieces ──▶ seal ────┘                 │
//!                            ▲                                   │ scrub, a read that fails
//!                            └───────── the good pieces ─────────┘
//! ```
//!
//! **Invariants**
//!
//! * No blob is shown by path, read as sealed or described before its SHA-3 matched.
//! * Nothing half-written is visible. A blob appears by one rename and vanishes by one unlink; the next
//!   start clears what a crash leaves on either side of it.
//! * A piece is checked against the root before it is written, and marked after. A marked piece is on
//!   the disk; one that is there and not marked is found again by checking it.
//! * A blob that is pinned, reserved, registered in place, held or open is not evicted, and nothing at
//!   all is evicted unless that makes enough room.
//! * Bytes are checked as they are read, by a peer or by this machine. Bytes that do not match the root
//!   reach nobody: a damaged blob becomes a partial one with its good pieces, and a registered file that
//!   changed is withdrawn.
//! * Files that the store did not make are left alone, and a storage directory is never deleted.
//!
//! **Two hashes.** SHA3-256 names a blob, a BLAKE3 root lets a piece be checked by itself. Of a stream
//! the SHA-3 is taken as it arrives, and the root afterwards from the file: BLAKE3 is ten times as fast,
//! and the file is mostly still in memory. Of pieces the SHA-3 follows behind, in order.
//!
//! **All records of a blob lie beside it**, not in the database, so that a directory holds everything
//! that belongs to its blobs. The order of last uses is in the times of the records' files, as the age
//! of the store: the wall clock orders nothing.
//!
//! **A crash of the machine**, unlike one of the process, may lose what was not flushed. Data, hashes
//! and records are flushed before the rename that shows them, and the directory after it; marks of
//! pieces are flushed after the pieces. Names that a start finds may not be durable, since the process
//! may have ended before it flushed them: they are flushed before one of their blobs is acknowledged
//! again. Small blobs are flushed in batches, in a journal from which a start writes them again.
//!
//! **Trust.** The start believes the records in a storage directory, because hashing everything would
//! take hours; bytes are checked against the root when they are read. A directory from elsewhere is
//! added with a scan, which hashes all of it.
//!
//! | module | what |
//! |---|---|
//! | `handle`, `reader` | [`Blobs`]: how the node reaches it, without waiting for the disk on its own thread |
//! | `depot` | the blobs that are here; how one vanishes |
//! | `commit` | how one appears |
//! | `put`, `fetch`, `read`, `scrub`, `start` | the ways in, the ways out, what a start finds |
//! | `index` | what there is and what may be evicted, without IO |
//! | `small`, `journal` | the way in for small ones: many with one flush |
//! | `space` | quota, headroom in bytes and in files, eviction, which disk |
//! | `age` | the store's own time: how long it was open |
//! | `preload` | files that become blobs at the start |
//! | `partial` | a blob of which pieces are missing |
//! | `tree` | the BLAKE3 tree and its proofs |
//! | [`want`] | a fetch request for a blob that is not here |
//! | `layout`, `record` | names of files, and the small ones' content |
//! | `flush` | how the disk is made to keep something |

mod age;
mod commit;
mod config;
mod depot;
mod error;
mod fetch;
mod flush;
mod gates;
mod handle;
mod index;
mod journal;
mod layout;
mod partial;
mod preload;
mod put;
mod read;
mod reader;
mod record;
mod scrub;
mod small;
mod space;
mod start;
#[cfg(test)]
mod tests;
mod tree;
pub mod want;

pub use config::{Config, Files, RESERVE, Room, System, World};
pub use depot::{Have, Moved};
pub use error::BlobError;
pub use handle::{Blobs, Hold, Put};
pub use index::Listed;
pub use preload::{Preloaded, preload};
pub use reader::Reader;
pub use scrub::Scrubbed;
