//! What one node says of itself: a signed header, and what the header covers.
//!
//! ```text
//!   Signed<Header> ──profile──▶ Profile          addresses, name, labels, claim
//!        │
//!        └────slots_root──▶ { Slot }             one registration or offer of a blob each
//! ```
//!
//! A slot is part of the state only if the author's highest header covers it. So the header is also
//! the deletion record: there are no tombstones, and nothing comes back from the dead.
//!
//! **Versions.** Headers and profiles carry a version, and one that is not known is refused: the record is
//! not shown until the node is brought up to date. New *kinds of slots* may come without that: a slot of a
//! kind that is not known is kept, covered, hashed and passed on, and means nothing. So nodes of two
//! versions show the same state. This holds for every kind after 2, offers: a build from before offers
//! cannot decode a slot of that kind, and shows nothing of a node that offers a blob. New *fields of a profile* come in its list of tagged fields, and
//! one that is not known is treated alike; so profiles need no third version for them.

mod fields;
mod header;
mod marker;
mod profile;
mod registration;
mod slot;
mod whole;
mod yields;

pub use fields::{FIELDS_BYTES_MAX, LaterFields};
pub use header::{Frontier, Header};
pub(crate) use marker::decode_incarnation;
pub use marker::{INCARNATION_LIMIT, Marker};
pub use profile::{
    LABEL_KEY_BYTES_MAX, LABEL_VALUE_BYTES_MAX, LABELS_MAX, PROFILE_BYTES_MAX, Profile,
};
pub use registration::{KEY_PART_BYTES_MAX, Registration, ServiceKey};
pub use slot::{Later, OFFERS_MAX, SLOT_BYTES_MAX, SLOTS_MAX, Slot, slots_root};
pub use whole::{Record, RecordError};
pub use yields::Yields;
