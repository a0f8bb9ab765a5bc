//! The node's database: the only place that names redb.
//!
//! ```text
//!   fulcrum ──persist / save──▶ StoreHandle ──▶ pending batch ──▶ actor ──one transaction──▶ Store
//!              ◀── durable ────────────────────────────────────────────────── fsync ◀──── redb file
//! ```
//!
//! **Invariant**: the file holds, for each author, the committed record with the greatest marker, with
//! exactly the slots it covers; every committed act; up to a bound, what this node removed before it
//! learned its record of previous incarnations; and the greatest fence and incarnation. Once the engine
//! says that an author departed, its stripped record replaces the whole one, and its slots are deleted.
//! So a write is a merge: repeating it, or doing two in the other order, gives the same content. A
//! transaction is in the file as a whole or not at all.
//!
//! **An unclean shutdown may lose** what [`StoreHandle::save`] took in the last second and no later
//! [`StoreHandle::persist`] carried along, and nothing that `persist` answered with `Ok`. The lost part
//! comes back from peers, because `save` takes only what others wrote.
//!
//! **The content is not trusted.** Opening checks the checksum of every page, then the signature
//! of every record and act, and that each belongs to this flock. A database that fails is not
//! repaired by guessing: the error names it damaged and says how to set it aside. Panics inside
//! redb count as damage too (unless the process aborts on panic). One case cannot be detected: a file
//! that was both killed in use and damaged within its last commit opens as it was before that
//! commit, because a torn commit looks the same.
//!
//! Rejected: `redb`'s commits without durability for `save`. They live in this process's memory
//! until a durable one, as the pending batch does, and they cost a copy of the tree's path and grow
//! the file besides. Rejected: retrying inside redb after a failed write. It refuses everything
//! after the first I/O error; the store drops the database and opens it again at the next write.
//!
//! | module | what |
//! |---|---|
//! | `database` | [`Store`]: open, commit, close |
//! | `actor`, `handle`, `pending` | the thread that owns it, and how others reach it |
//! | `batch`, `snapshot` | what goes in, what comes out at the start |
//! | `tables`, `codec` | the tables, and what a record looks like in them |
//! | `disk` | the file: created as a whole, opened with a small cache, locked |
//! | `migrate` | from older formats |

mod actor;
mod batch;
mod codec;
mod database;
mod disk;
mod error;
mod handle;
mod migrate;
mod pending;
mod snapshot;
mod tables;
#[cfg(test)]
mod tests;

/// The name of the database in the data directory.
pub const DATABASE_NAME: &str = "crux.redb";

pub use batch::Batch;
pub use database::Store;
pub use error::{OpenError, WriteError};
pub use handle::{Health, Persisted, StoreHandle};
pub use snapshot::Snapshot;
