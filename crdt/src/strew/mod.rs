//! The strew: the replicated registry, as one node holds it.
//!
//! ```text
//!   acts ────▶ Membership ─┐
//!                          ├─▶ shown records ─▶ registers index ─┐
//!   records ───────────────┘                                     ├─▶ state digest
//!   acts of members and of the operator ─────▶ acts index ───────┤
//!   documents ───────────────────────────────▶ their index ──────┘
//! ```
//!
//! **Invariant**: the shown records, the indexes and the digest are functions of the set of merged
//! facts and of the replica's own node, never of the order, number or grouping of merges.
//! Replicas of members of one flock that merged the same records have the same digest.
//!
//! It holds because each register takes the greatest value it saw, acts only accumulate, and
//! membership is a function of the set of acts. It grows with admissions, and an eviction makes it smaller: whoever
//! follows it has to follow both ways. A record whose author is not (yet) a
//! member is kept and not shown; the caller bounds how many of these there can be. The slots of an
//! author that left, was retired or evicted are dropped: at that incarnation nobody shows them again.
//!
//! **Evictions.** Statements of the operator's key; they count in every replica, whichever node brought them, and for
//! ever. Of an evicted author nothing is shown. Of its acts only admissions that count are shared, as long as it is
//! reached, because others may be reached through it alone. A retirement that it stated ended nothing. The record
//! that had lost its slots by that is *incomplete*: its marker still keeps older ones out, it is not shown, and the
//! replica lacks it ([`Strew::lacks`]) until a disk or a peer that has it whole brings it again.
//!
//! An act of a kind that this build does not know is held and compared as any other, so that it reaches every
//! replica; nothing that is shown depends on it.
//!
//! Two exceptions, which only a lying member causes:
//!
//! * of an author that signs more than [`ACTS_PER_AUTHOR_MAX`](crate::act::ACTS_PER_AUTHOR_MAX) acts, or more
//!   than [`ACTS_BYTES_PER_AUTHOR_MAX`](crate::act::ACTS_BYTES_PER_AUTHOR_MAX) bytes of them, a
//!   replica keeps those that came first, and replicas may then differ;
//! * an author is bounded, the number of authors is not. So a replica may have a limit, in bytes
//!   ([`Strew::set_limit`]). Below it all of the above holds. At the limit it is *full*: it takes in no
//!   further author, and a known one may grow up to the limit divided by the number of authors, or
//!   change within what it takes already. So the whole takes at most twice the limit, whatever members sign,
//!   and honest authors, which are small, can still change. This node's own records and acts, and the operator's
//!   evictions, are always taken. From then on replicas may differ by which author came first.

mod acts;
mod documents;
mod evictions;
mod footprint;
mod index;
mod membership;
mod names;
mod outcome;
mod state;

pub use acts::ActOutcome;
pub use index::{Bounds, Index};
pub use membership::{Departure, DepartureKind, Membership, Seniority};
pub use names::Names;
pub use outcome::Outcome;
pub use state::{RecordOutcome, Strew};
