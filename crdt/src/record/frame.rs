use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    Header, PROFILE_BYTES_MAX, Profile, Record, RecordError, SLOT_BYTES_MAX, SLOTS_MAX, Slot,
};
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::fact::FactError;
use crate::sign::{self, Signed, Verifier};
use crate::{Digest, Principal};

/// A record as it travels: a verified header with what came along. Its bodies may not be complete.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The header; its signature held.
    pub header: Signed<Header>,
    /// The profile as claimed.
    pub profile: Profile,
    /// The ids of all slots, ascending.
    pub slots: Vec<Digest>,
    /// The bodies that came along.
    pub bodies: BTreeMap<Digest, Arc<Slot>>,
}

impl Frame {
    /// Encodes a record, leaving out the bodies for which `known` holds and those that would take
    /// the frame over `budget` bytes.
    pub fn seal(
        out: &mut Encoder,
        record: &Record,
        budget: usize,
        known: impl Fn(&Digest) -> bool,
    ) {
        let start = out.len();
        record.header().seal(out);
        out.bytes(&record.profile().to_canonical());
        out.count(record.slots().len());
        record.slots().keys().for_each(|id| _ = out.digest(id));
        // Beside the bodies their count takes four bytes, and each length as many.
        let mut room = budget.saturating_sub(out.len() - start + 4);
        let mut bodies = Vec::new();
        for (_, slot) in record.slots().iter().filter(|(id, _)| !known(id)) {
            let body = slot.to_canonical();
            if body.len() + 4 > room {
                break;
            }
            room -= body.len() + 4;
            bodies.push(body);
        }
        out.count(bodies.len());
        bodies.iter().for_each(|body| _ = out.bytes(body));
    }

    /// Verifies, then decodes.
    ///
    /// # Errors
    /// [`FactError`].
    pub fn open(
        input: &mut Decoder<'_>,
        flock: &Digest,
        verifier: &dyn Verifier,
    ) -> Result<Self, FactError> {
        let header = Signed::open(input, flock, verifier)?;
        let profile = Profile::from_canonical(input.bytes(PROFILE_BYTES_MAX, "profile")?)?;
        let count = input.count(SLOTS_MAX, "slots")?;
        let slots: Vec<Digest> =
            (0..count).map(|_| input.digest("slot id")).collect::<Result<_, _>>()?;
        let count = input.count(SLOTS_MAX, "slot bodies")?;
        let mut bodies = BTreeMap::new();
        for _ in 0..count {
            let slot = Slot::from_canonical(input.bytes(SLOT_BYTES_MAX, "slot body")?)?;
            bodies.insert(slot.id(), Arc::new(slot));
        }
        Ok(Self { header, profile, slots, bodies })
    }

    /// The author of the next frame and its id, both unverified; the frame is skipped.
    pub(super) fn peek(input: &mut Decoder<'_>) -> Result<(Principal, Digest), DecodeError> {
        let found = sign::peek::<Header>(input)?;
        input.bytes(PROFILE_BYTES_MAX, "profile")?;
        let count = input.count(SLOTS_MAX, "slots")?;
        input.take(count * size_of::<Digest>(), "slot id")?;
        for _ in 0..input.count(SLOTS_MAX, "slot bodies")? {
            input.bytes(SLOT_BYTES_MAX, "slot body")?;
        }
        Ok(found)
    }

    /// Completes the frame with bodies of the author's record that is held. `None`: some are missing.
    ///
    /// # Errors
    /// The parts do not belong together.
    pub fn complete(self, held: Option<&Record>) -> Result<Option<Record>, RecordError> {
        let mut slots = BTreeMap::new();
        for id in &self.slots {
            let body = self.bodies.get(id).or_else(|| held.and_then(|held| held.slots().get(id)));
            match body {
                Some(body) => _ = slots.insert(*id, body.clone()),
                None if crate::planted!(HeadersOnly) => {}
                None => return Ok(None),
            }
        }
        Record::new(self.header, self.profile, slots).map(Some)
    }
}
