//! Documents: what the operator, or a user with a grant, wants of a flock.
//!
//! ```text
//!   Document ──signer──▶ Register   winner and rival of one author under one key
//!                           │
//!                           └─ all of a key ──▶ Shelf ──▶ winner and rival, which are shown
//!                                                 │
//!                                                 └─ all keys ──▶ Documents ──▶ Index
//! ```
//!
//! A document has a key (`target/main`), a content or none (it is deleted), a version of the grants and a
//! generation. A user encloses the grant that the operator signed for it, so a document proves itself: whether it
//! is *valid* depends on the flock's operator and on nothing that a node may not know yet.
//!
//! **Which one wins.** The greatest (grants version, generation, id). Its **rival** is, among the others with a
//! generation that is not smaller, the one with the greatest (generation, grants version, id): a write that did not
//! know of the winner. The next write has a greater generation than both, which ends the conflict. A winner of the
//! greatest generation has no rival, because no write could end that conflict, and a user could make it.
//!
//! **Invariant**: while no grant changes how many documents its user may have, the shelves, the index and what is
//! shown are functions of the set of documents that were merged, never of the order, number or grouping of merges.
//!
//! Of a set `S` let `w` be the winner, `r` the rival, and `m` the greatest by (generation, grants version, id). Then
//! `m` is the greater of `w` and `r` in that order: if `m` is not `w`, its generation is not smaller than that of
//! `w`, so it is the rival. A document that joins `S` either wins, and then the new rival is `m` or none; or it does
//! not, and then the new rival is the greater of it and `r`. Both follow from `w` and `r` alone, so nothing else has
//! to be kept; and winner and rival of a union follow from those of its parts. If `w` has the greatest generation,
//! then `m` is `w`: of the documents with that generation it has the greatest marker. (A rival chosen by its marker
//! would depend on the order of arrival.)
//!
//! **Bound.** Of one user's keys a node keeps the K with the smallest digests. K is the number of documents in the
//! winner of `grant/USER`: a revoked grant allows as many as it says, a deleted one none. The K smallest of a set
//! follow from the K smallest of its parts, so at constant K this, too, depends on the set only. That is why two
//! documents are kept *of each author* under a key: with two of all authors, a third one that was dropped would be
//! missed as soon as the bound removes one of the two. The operator's documents are not counted. An enclosed grant is
//! merged first, as a document of its own, so K is known wherever a document of the user is. The contents of a user
//! take at most K × 2 × 64 KiB.
//!
//! When the operator changes K, replicas may differ by what they dropped before they knew, until anti-entropy has
//! compared them: their indexes differ where a document is missing, and each takes what the other holds. A document
//! that every replica dropped under a smaller K is lost. Documents from a disk have to meet the newest grants first
//! ([`Strew::restore`](crate::strew::Strew::restore)), because an older one, enclosed in a document, may allow fewer.
//!
//! **Asked on reading, never at merge**: whether a document *counts*. G is the greatest version of the grants in any
//! document of the operator; it follows from the winners that are kept. A user's documents count while its grant is
//! at G, is not revoked, and covers the key. So revoking one user is writing the grants of all others at G + 1, and
//! documents that lose their effect are shown as void.
//!
//! **Asked where a write is taken, never at merge**: the bounds of all documents together, and one name for each user
//! ([`Documents::may_add`]). Nodes that take writes on two sides of a partition can exceed these, by what both took.
//!
//! A kind of keys that this build does not know is kept and passed on as any other. A permission that it does not
//! know is kept, and covers nothing here; a document that needs it is refused by this build.

mod accounts;
mod body;
mod cost;
mod error;
mod fact;
mod grant;
mod key;
mod kind;
mod marker;
mod may_add;
mod node_order;
mod outcome;
mod permission;
mod prefix;
mod refused;
mod register;
mod role;
mod scope;
mod set;
mod setting;
mod shelf;
mod shown;
mod signed;
mod state;
pub mod stored;
mod target;

pub use body::{Body, CONTENT_MAX, GENERATION_LIMIT, GENERATION_MAX, GRANT_SEALED_MAX};
pub use error::{DocumentError, KeyError};
pub use grant::{DOCUMENTS_MAX, GRANT_BYTES_MAX, Grant, PERMISSIONS_MAX};
pub use key::{KEY_BYTES_MAX, Key};
pub use kind::KeyKind;
pub use marker::Marker;
pub use node_order::{NodeOrder, NodeOrderError, Usage};
pub use outcome::Outcome;
pub use permission::{PERMISSION_BYTES_MAX, Permission, PermissionError};
pub use prefix::Prefix;
pub use refused::{Limit, Refused};
pub use register::absorb;
pub use role::{Role, RoleError};
pub use scope::Scope;
pub use set::Documents;
pub use setting::{Setting, SettingError};
pub use shelf::Shelf;
pub use shown::Shown;
pub use signed::Document;
pub use state::State;
pub use target::{
    EARLIER_MAX, Earlier, Hidden, NOTE_BYTES_MAX, TARGET_SERVICES_MAX, Target, TargetError,
};

/// How many bytes all documents may have together, sealed, where a write is taken.
pub const BYTES_MAX: usize = 64 * 1024 * 1024;
