use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Header, Marker, Profile, Record, SLOTS_MAX, Slot};
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::fact::{FactError, Kept};
use crate::sign::{Signed, Verifier};
use crate::{Digest, Principal};

/// Ends a stripped record.
const STRIPPED: u8 = 1;

/// A record as a disk has it: header envelope ‖ profile ‖ slot ids, the ids ascending. The bodies are apart.
///
/// One that is stripped, because its author departed, has no ids and ends in one more byte, so that no lost
/// list is taken for it.
#[derive(Debug)]
pub(super) struct Stored {
    header: Signed<Header>,
    profile: Profile,
    pub(super) slots: Vec<Digest>,
    stripped: bool,
}

impl Stored {
    /// The bytes of a record.
    pub(super) fn seal(record: &Record) -> Vec<u8> {
        let mut out = Encoder::default();
        record.header().seal(&mut out);
        record.profile().encode(&mut out);
        out.count(record.slots().len());
        record.slots().keys().for_each(|id| _ = out.digest(id));
        if record.is_stripped() {
            out.u8(STRIPPED);
        }
        out.finish()
    }

    /// Verifies, then decodes.
    pub(super) fn open(
        bytes: &[u8],
        flock: &Digest,
        verifier: &dyn Verifier,
    ) -> Result<Self, FactError> {
        let mut input = Decoder::new(bytes);
        let header = Signed::<Header>::open(&mut input, flock, verifier)?;
        let profile = Profile::decode(&mut input)?;
        let count = input.count(SLOTS_MAX, "slots")?;
        let slots = (0..count).map(|_| input.digest("slot id"));
        let slots: Vec<_> = slots.collect::<Result<_, DecodeError>>()?;
        let stripped = slots.is_empty() && input.remaining() > 0;
        if stripped {
            input.version("end of a record", STRIPPED)?;
        }
        input.finish()?;
        Ok(Self { header, profile, slots, stripped })
    }

    pub(super) const fn author(&self) -> Principal {
        self.header.author()
    }

    /// The marker as merging orders it.
    fn total(&self) -> (Marker, Digest) {
        self.header.value().marker.total(self.header.id())
    }

    /// What a disk that has this is to have instead, if a record is news to it: newer, or its author departed
    /// and its slots can go.
    pub(super) fn replaced_by(stored: Option<&Self>, record: &Record) -> Option<Kept> {
        let is_news = stored.is_none_or(|stored| {
            let same = stored.total() == record.total();
            stored.total() < record.total() || (same && record.is_stripped() && !stored.stripped)
        });
        if !is_news {
            return None;
        }
        let before = stored.map_or(&[][..], |stored| &stored.slots);
        let dropped = before.iter().filter(|id| !record.slots().contains_key(*id));
        let added = record.slots().iter().filter(|(id, _)| before.binary_search(id).is_err());
        Some(Kept {
            bytes: Self::seal(record),
            added: added.map(|(id, slot)| (*id, slot.to_canonical())).collect(),
            dropped: dropped.copied().collect(),
        })
    }

    /// Puts the record together with its bodies; that they are those the header covers is checked.
    pub(super) fn complete(
        self,
        mut bodies: BTreeMap<Digest, Vec<u8>>,
    ) -> Result<Record, FactError> {
        if self.stripped {
            return Ok(Record::new_stripped(self.header, self.profile)?);
        }
        let mut slots = BTreeMap::new();
        for id in self.slots {
            let body = bodies.remove(&id).ok_or(FactError::PartMissing(id))?;
            slots.insert(id, Arc::new(Slot::from_canonical(&body)?));
        }
        Ok(Record::new(self.header, self.profile, slots)?)
    }
}
