//! The table of slot kinds.
//!
//! A row says everything that is particular to a kind outside its own file and outside the part that uses
//! it: the number on the wire, the key that tells slots of one author apart, how many an author may have, who
//! decides which there are, and what the view makes of them. Codec, bounds, merges, sync, gossip, store, the
//! author engine and the view read the row; none of them names a kind other than registrations, which
//! callers add and remove one by one. `docs/develop/slot-kinds.md` has the recipe for a new one.
//!
//! **Invariant**: a kind has room of its own, because the bounds of all kinds together fit
//! [`SLOTS_MAX`](super::SLOTS_MAX). So a kind that is full never takes another's place, and its owner gets
//! [`KindFull`](super::KindFull).

mod instances;
mod offer;
mod plan_slot;
mod registration;
mod service_key;
mod unwell;

use super::kind::{Owner, Row, Shown, SlotKind, SlotValue};
use super::slot::{Later, slot_kinds};
use crate::blob::BlobId;
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};

pub use instances::{InstanceKey, InstanceReport, LaterStage, NameTag, Stage};
pub use offer::Offer;
pub use plan_slot::{PlanPlace, PlanSlot};
pub use registration::{Registration, SERVICE_LABELS_MAX};
pub use service_key::{KEY_PART_BYTES_MAX, ServiceKey, ServiceTag};
pub use unwell::{Condition, LaterCondition, Unwell};

slot_kinds! {
    /// A service of the node.
    1 => Registration keyed ServiceKey;
    "registrations", at most 256, owner Callers, shown Services.

    /// A blob that the node holds, sealed, and gives to every member.
    2 => Offer keyed BlobId;
    "offers of blobs", at most 64, owner Part, shown ByKey.

    /// Which of the node's registrations are not up. None: all are.
    3 => Unwell keyed ();
    "statements about health", at most 1, owner Part, shown ByKey.

    /// A piece of the plan that the node, leader of its horde, made: the head, or the entries of some nodes.
    4 => PlanSlot keyed PlanPlace;
    "slots of a plan", at most 65, owner Part, shown ByKey.

    /// The instances that the node runs for a target. None: it runs none.
    5 => InstanceReport keyed ();
    "statements about a target's instances", at most 1, owner Part, shown ByKey.
}
