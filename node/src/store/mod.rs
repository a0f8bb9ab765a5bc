//! The node's database: the only place that names redb.
//!
//! ```text
//!   fulcrum ──persist / save──▶ StoreHandle ──▶ pending batch ──▶ actor ──one transaction──▶ Store
//!              ◀── durable ────────────────────────────────────────────────── fsync ◀──── redb file
//! ```
//!
//! It names no kind of fact: a [`Fact`](crux_crdt::fact::Fact) says by itself which bytes a disk is to have
//! under its kind and key, and [`restore`](crux_crdt::fact::restore) makes facts of them.
//!
//! **Invariant**: the file holds, under each kind and key, the merge of every fact that was committed, with
//! exactly the parts that it covers, without what was gone after it; up to a bound, what this node removed before
//! it learned its record of previous incarnations; and the greatest fence and incarnation.
//! So a write of facts is a merge: repeating it, or doing two in the other order, gives the same content. A
//! transaction is in the file as a whole or not at all.
//!
//! **What is gone is an optimization**: the engine no longer holds a fact, so its bytes may leave the disk. A fact
//! that remains by mistake is merged at the next start, and is gone once more.
//!
//! **An unclean shutdown may lose** what [`StoreHandle::save`] took in the last second and no later
//! [`StoreHandle::persist`] carried along, and nothing that `persist` answered with `Ok`. The lost part
//! comes back from peers, because `save` takes only what others wrote.
//!
//! **The content is not trusted.** Opening checks the checksum of every page, then the signature
//! of every fact, and that each belongs to this flock. A database that fails is not
//! repaired by guessing: the error names it damaged and says how to set it aside. Panics inside
//! redb count as damage too (unless the process aborts on panic). One case cannot be detected: a file
//! that was both killed in use and damaged within its last commit opens as it was before that
//! commit, because a torn commit looks the same.
//!
//! **A kind that this build does not know** stays in the file, and is left out of what is read: a later build of
//! the same format wrote it, and finds it again.
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
//! | `tables` | the tables |
//! | `facts`, `local` | facts in them, and what concerns this node alone |
//! | `disk` | the file: created as a whole, opened with a small cache, locked |
//! | `migrate` | from older formats |

mod actor;
mod batch;
mod database;
mod disk;
mod error;
mod facts;
mod handle;
mod local;
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
