use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Header, Marker, Profile, Registration, SLOTS_MAX, Slot, slots_root};
use crate::blob::Descriptor;
use crate::sign::Signed;
use crate::{Digest, Principal};

/// Why parts do not make a record. Nothing was changed; whoever put them together is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The profile is not the one the header covers.
    #[error("the profile is not the one that the header covers")]
    Profile,
    /// The slots are not those the header covers.
    #[error("the slots are not those that the header covers")]
    Slots,
    /// More than [`SLOTS_MAX`] slots.
    #[error("{0} slots are over the limit of {SLOTS_MAX}")]
    TooManySlots(usize),
    /// Two slots have the key of one registration.
    #[error("two slots register the same service")]
    DuplicateRegistration,
    /// Two slots offer one blob.
    #[error("two slots offer the same blob")]
    DuplicateOffer,
}

/// A header with the profile and all the slots it covers: what is merged, stored and shown.
///
/// Invariant: the parts belong together. A header whose bodies are not all there is not a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    header: Signed<Header>,
    profile: Profile,
    slots: BTreeMap<Digest, Arc<Slot>>,
}

impl Record {
    /// Puts a record together.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn new(
        header: Signed<Header>,
        profile: Profile,
        slots: BTreeMap<Digest, Arc<Slot>>,
    ) -> Result<Self, RecordError> {
        if slots.len() > SLOTS_MAX {
            return Err(RecordError::TooManySlots(slots.len()));
        }
        if profile.hash() != header.value().profile_hash {
            return Err(RecordError::Profile);
        }
        // The root covers ids; only the hash ties a body to its id.
        let bodies_match = slots.iter().all(|(id, slot)| slot.id() == *id);
        let root_matches =
            slots_root(slots.keys()) == header.value().slots_root || crate::planted!(HeadersOnly);
        if !bodies_match || !root_matches {
            return Err(RecordError::Slots);
        }
        let record = Self { header, profile, slots };
        let mut keys: Vec<_> = record.registrations().map(Registration::key).collect();
        keys.sort_unstable();
        if keys.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(RecordError::DuplicateRegistration);
        }
        let offers: BTreeSet<_> = record.offers().map(|offer| offer.blob).collect();
        if offers.len() != record.offers().count() {
            return Err(RecordError::DuplicateOffer);
        }
        Ok(record)
    }

    /// Who wrote it.
    pub const fn author(&self) -> Principal {
        self.header.author()
    }

    /// The header's id: equal ids mean equal records.
    pub const fn id(&self) -> Digest {
        self.header.id()
    }

    /// Its place among the author's records.
    pub const fn marker(&self) -> Marker {
        self.header.value().marker
    }

    /// The marker as merging orders it.
    pub const fn total(&self) -> (Marker, Digest) {
        self.marker().total(self.id())
    }

    /// The signed header.
    pub const fn header(&self) -> &Signed<Header> {
        &self.header
    }

    /// The profile.
    pub const fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The slots by id, in ascending order.
    pub const fn slots(&self) -> &BTreeMap<Digest, Arc<Slot>> {
        &self.slots
    }

    /// The services among the slots.
    pub fn registrations(&self) -> impl Iterator<Item = &Registration> {
        self.slots.values().filter_map(|slot| match &**slot {
            Slot::Registration(registration) => Some(registration),
            Slot::Offer(_) | Slot::Later(_) => None,
        })
    }

    /// The blobs among the slots.
    pub fn offers(&self) -> impl Iterator<Item = &Descriptor> {
        self.slots.values().filter_map(|slot| match &**slot {
            Slot::Registration(_) | Slot::Later(_) => None,
            Slot::Offer(descriptor) => Some(descriptor),
        })
    }
}
