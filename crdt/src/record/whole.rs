use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::slot::id_of;
use super::{
    Header, KindFull, Marker, Profile, Registration, SLOTS_MAX, Slot, SlotKind, slots_root,
};
use crate::canon::Canonical;
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
    #[error("{0} slots exceed the limit of {SLOTS_MAX}")]
    TooManySlots(usize),
    /// More slots of one kind than its row allows.
    #[error("more than {} {}", .0.most, .0.name)]
    TooManyOfKind(KindFull),
    /// Two slots of one kind, of which this is the name, have one key.
    #[error("two {0} have one key")]
    DuplicateKey(&'static str),
}

/// What a record takes in memory beside its profile and slots: header, indexes, names, what engines keep of a
/// member, and how it is shown. Measured by `tests/memory.rs`.
const RECORD_COST: usize = 4 * 1024;
/// What a slot takes beside the bytes of its encoding: the value, its place in the map, the parts of its
/// strings, and how it is shown.
const SLOT_COST: usize = 1024;

/// A header with the profile and all the slots it covers: what is merged, stored and shown.
///
/// Invariant: the parts belong together. A header whose bodies are not all there is not a record, but for one
/// case: of an author that departed the bodies are worth nothing, and [`Record::stripped`] leaves them out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    header: Signed<Header>,
    profile: Profile,
    slots: BTreeMap<Digest, Arc<Slot>>,
    /// What profile and slots take in memory, in bytes.
    cost: usize,
    stripped: bool,
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
        let mut cost = profile.to_canonical().len();
        // The root covers ids; only the hash ties a body to its id.
        let bodies_match = slots.iter().all(|(id, slot)| {
            let body = slot.to_canonical();
            cost += SLOT_COST + slot.overhead() + body.len();
            id_of(&body) == *id
        });
        let root_matches =
            slots_root(slots.keys()) == header.value().slots_root || crate::planted!(HeadersOnly);
        if !bodies_match || !root_matches {
            return Err(RecordError::Slots);
        }
        check_kinds(slots.values())?;
        Ok(Self { header, profile, slots, cost, stripped: false })
    }

    /// The same without its slots: what is kept of an author that departed. It has the same id, is never
    /// shown, and holds the author's place against older records.
    #[must_use]
    pub fn stripped(&self) -> Self {
        let (header, profile) = (self.header.clone(), self.profile.clone());
        Self::strip(header, profile)
    }

    /// Puts a stripped record together again.
    ///
    /// # Errors
    /// [`RecordError::Profile`]; [`RecordError::Slots`]: the header covers no slots, so the record is whole.
    pub fn new_stripped(header: Signed<Header>, profile: Profile) -> Result<Self, RecordError> {
        if profile.hash() != header.value().profile_hash {
            return Err(RecordError::Profile);
        }
        if header.value().slots_root == slots_root([].iter()) {
            return Err(RecordError::Slots);
        }
        Ok(Self::strip(header, profile))
    }

    fn strip(header: Signed<Header>, profile: Profile) -> Self {
        let stripped = header.value().slots_root != slots_root([].iter());
        let cost = profile.to_canonical().len();
        Self { header, profile, slots: BTreeMap::new(), cost, stripped }
    }

    /// Whether slots that its header covers were left out.
    pub const fn is_stripped(&self) -> bool {
        self.stripped
    }

    /// What it takes in memory, in bytes, with what is kept because of it.
    pub const fn footprint(&self) -> usize {
        RECORD_COST + self.cost
    }

    /// The node that wrote it.
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

    /// The values of one kind among the slots.
    pub fn of<K: SlotKind>(&self) -> impl Iterator<Item = &K> {
        self.slots.values().filter_map(|slot| K::of(slot))
    }

    /// The services among the slots.
    pub fn registrations(&self) -> impl Iterator<Item = &Registration> {
        self.of()
    }
}

/// Whether each slot has a key of its own, and each kind is within its bound.
fn check_kinds<'a>(slots: impl Iterator<Item = &'a Arc<Slot>>) -> Result<(), RecordError> {
    let (mut keys, mut counts) = (BTreeSet::new(), BTreeMap::<u8, usize>::new());
    for slot in slots {
        let (Some(row), Some(key)) = (slot.row(), slot.key()) else { continue };
        if !keys.insert(key) {
            return Err(RecordError::DuplicateKey(row.name));
        }
        let count = counts.entry(row.number).or_default();
        *count += 1;
        if *count > row.most {
            return Err(RecordError::TooManyOfKind(KindFull::of(row)));
        }
    }
    Ok(())
}
