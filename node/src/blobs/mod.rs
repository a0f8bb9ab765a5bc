//! The blob store: files by the SHA-3 of what is in them.
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
//! * Nothing is shown by path, read as sealed or described before its SHA-3 matched.
//! * Nothing half-written is visible. A blob appears by one rename and vanishes by one unlink; what
//!   a crash leaves on either side of it is cleared at the start.
//! * A piece is checked against the root before it is written, and marked after. What is marked on
//!   disk is there; what is there and was not marked is found again by checking it.
//! * Nothing pinned, reserved, registered in place, held or open is evicted, and nothing at all is
//!   evicted unless that makes enough room.
//! * What is read is checked on the way, whether a peer or this machine reads it. Bytes that are not
//!   what the root promises are given to nobody: a damaged blob goes back to being under way with its
//!   good pieces, and a registered file that changed is withdrawn.
//! * Files that the store did not make are left alone, and a storage directory is never deleted.
//!
//! **Two hashes.** SHA3-256 names a blob, a BLAKE3 root lets a piece be checked by itself. Of a stream
//! the SHA-3 is taken as it comes, and the root afterwards from the file: BLAKE3 is ten times as fast,
//! and the file is mostly still in memory. Of pieces the SHA-3 follows behind, in order.
//!
//! **What is known of a blob lies beside it**, not in the database, so that a directory holds all that
//! belongs to its blobs. The order of last uses is in the times of the records' files, as the age of the
//! store: the wall clock orders nothing.
//!
//! **A crash of the machine**, unlike one of the process, may lose what was not flushed. Data, hashes
//! and records are flushed before the rename that shows them, and the directory after it; marks of
//! pieces are flushed after the pieces. Names that a start finds may not be durable, since the process may
//! have ended before it flushed them: they are flushed before one of their blobs is acknowledged again. Small blobs are flushed in batches, in a journal that a start
//! writes them from again.
//!
//! **Trust.** Records in a storage directory are believed at the start, because hashing everything
//! would take hours; bytes are checked against the root when they are read. A directory that comes from
//! elsewhere is added with a scan, which hashes all of it.
//!
//! | module | what |
//! |---|---|
//! | `handle`, `reader` | [`Blobs`]: how the node reaches it, without waiting for the disk on its own thread |
//! | `depot` | what is here; how a blob appears and vanishes |
//! | `put`, `fetch`, `read`, `scrub`, `start` | the ways in, the ways out, what lies there at the start |
//! | `index` | what there is and what may go, without IO |
//! | `small`, `journal` | the way in for small ones: many with one flush |
//! | `space` | quota, headroom in bytes and in files, eviction, which disk |
//! | `age` | the store's own time: how long it was open |
//! | `preload` | files that are made blobs at the start |
//! | `partial` | a blob under way |
//! | `tree` | the BLAKE3 tree and its proofs |
//! | [`want`] | how somebody asks for a blob that is not here |
//! | `layout`, `record` | names of files, and the small ones' content |
//! | `flush` | how the disk is made to keep something |

mod age;
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
