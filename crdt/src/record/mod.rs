//! A node's statement about itself: a signed header, and the profile and slots that it covers.
//!
//! ```text
//!   Signed<Header> ──profile──▶ Profile          addresses, name, labels, claim
//!        │
//!        └────slots_root──▶ { Slot }             one statement each, of a kind that has a row in `kinds`
//! ```
//!
//! A slot is part of the state only if the author's highest header covers it. So the header is also
//! the deletion record: there are no tombstones, and nothing comes back from the dead.
//!
//! **Versions.** Headers and profiles carry a version, and one that is not known is refused: the record is
//! not shown until the node is brought up to date. New *kinds of slots* and new *fields of a profile* come
//! without that: one that is not known is kept, covered, hashed and passed on, byte for byte, and counts for
//! nothing. So nodes of two versions show the same state.
//!
//! **Bounds.** An author has at most [`SLOTS_MAX`] slots of at most [`SLOT_BYTES_MAX`] bytes, of each known
//! kind as many as its row says ([`ROWS`]), and of all kinds that are not known together as many as there are
//! slots. A record over a bound is not a record. A version that allows more of a kind therefore needs a
//! new number for it.

mod fact;
mod fields;
mod frame;
mod header;
mod kind;
mod kinds;
mod labels;
mod marker;
mod plan;
mod profile;
mod set;
mod slot;
mod stored;
mod whole;
mod yields;

pub use fields::{FIELDS_BYTES_MAX, LaterFields};
pub use frame::Frame;
pub use header::{Frontier, Header};
pub use kind::{Owner, Row, Shown, SlotKind, SlotValue};
pub use kinds::*;
pub use labels::{LABEL_KEY_BYTES_MAX, LABEL_VALUE_BYTES_MAX};
pub(crate) use marker::decode_incarnation;
pub use marker::{INCARNATION_LIMIT, Marker};
pub use plan::{
    Amount, FAILED_MAX, Failure, First, Hold, LaterFailure, LaterProblem, NOTE_TEXT_BYTES_MAX,
    NOTES_MAX, Notes, PASS_LIMIT, PLAN_BITS_MAX, Pass, Plan, PlanEntries, PlanEntry, PlanError,
    PlanHead, PlanKey, PlanPart, PlanText, PlanTooLarge, Problem, ProblemKind, mixed_plan,
};
pub use profile::{LABELS_MAX, PROFILE_BYTES_MAX, Profile};
pub use set::{KindFull, SlotSet};
pub use slot::{Later, slots_root};
pub use whole::{Record, RecordError};
pub use yields::Yields;

use crate::Digest;
use crate::canon::Canonical as _;

/// How many slots a node may have, of all kinds together.
pub const SLOTS_MAX: usize = 640;
/// How large a slot may be, in bytes.
pub const SLOT_BYTES_MAX: usize = 8 * 1024;

impl Slot {
    /// The hash under which a header covers it.
    pub fn id(&self) -> Digest {
        slot::id_of(&self.to_canonical())
    }

    /// Whether every bound holds. What is decoded always does; what a node makes of a request is
    /// checked here before it is signed, because a slot that no one can decode hides all others.
    pub fn is_within_bounds(&self) -> bool {
        let bytes = self.to_canonical();
        bytes.len() <= SLOT_BYTES_MAX && Self::from_canonical(&bytes).as_ref() == Ok(self)
    }
}
