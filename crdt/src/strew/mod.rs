//! The strew: the replicated registry, as one node holds it.
//!
//! ```text
//!   acts ────▶ Membership ─┐
//!                          ├─▶ shown records ─▶ registers index ─┐
//!   records ───────────────┘                                     ├─▶ state digest
//!   acts of members ─────────────────────────▶ acts index ───────┘
//! ```
//!
//! **Invariant**: what is shown, the indexes and the digest are functions of the set of merged
//! records and acts and of whose replica it is, never of the order, number or grouping of merges.
//! Replicas of members of one flock that merged the same records have the same digest.
//!
//! It holds because each register takes the greatest of what it saw, acts only accumulate, and
//! membership is reachability in a graph that only grows. A record whose author is not (yet) a
//! member, or has left or was retired at its incarnation, is kept and not shown; whoever feeds the
//! strew bounds how much of that there can be.
//!
//! One exception, which takes a member that lies: of an author that signs more than
//! [`ACTS_PER_AUTHOR_MAX`](crate::act::ACTS_PER_AUTHOR_MAX) acts, a replica keeps those that came
//! first, and replicas may then differ.

mod index;
mod membership;
mod names;
mod state;

pub use index::{Bounds, Index};
pub use membership::{Departure, DepartureKind, Membership, Seniority};
pub use names::Names;
pub use state::{ActOutcome, RecordOutcome, Strew};
