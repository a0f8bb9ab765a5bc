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

mod header;
mod marker;
mod profile;
mod registration;
mod slot;
mod whole;

pub use header::{Frontier, Header};
pub(crate) use marker::decode_incarnation;
pub use marker::{INCARNATION_LIMIT, Marker};
pub use profile::{LABEL_KEY_BYTES_MAX, LABEL_VALUE_BYTES_MAX, LABELS_MAX, Profile};
pub use registration::Registration;
pub use slot::{OFFERS_MAX, SLOT_BYTES_MAX, SLOTS_MAX, Slot, slots_root};
pub use whole::{Record, RecordError};
