//! A record as it travels: all of it, or without the bodies that the other side has.

use std::collections::BTreeMap;
use std::sync::Arc;

use crux_crdt::Digest;
use crux_crdt::act::Act;
use crux_crdt::canon::{Canonical, DecodeError, Decoder, Encoder};
use crux_crdt::hash::sha3;
use crux_crdt::record::{
    Header, PROFILE_BYTES_MAX, Profile, Record, RecordError, SLOT_BYTES_MAX, SLOTS_MAX, Slot,
};
use crux_crdt::sign::{OpenError, Signable as _, Signed, Verifier};

/// Why a frame was refused. Nothing was changed; whoever made it is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The frame is malformed.
    #[error("malformed: {0}")]
    Decode(#[from] DecodeError),
    /// A signature or a signed body is wrong.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The parts do not belong together.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl FrameError {
    /// The version or kind that this build does not know, if that is why, and its number: the bytes hold as far
    /// as they were read, so another version of Crux made them, rather than a peer that lies.
    pub const fn unknown(&self) -> Option<(&'static str, u8)> {
        match self {
            Self::Decode(error) => error.unknown(),
            Self::Open(error) => error.unknown(),
            Self::Record(_) => None,
        }
    }
}

/// A verified header with what came along. Its bodies may not be complete.
#[derive(Debug, Clone)]
pub struct RecordFrame {
    /// The header; its signature held.
    pub header: Signed<Header>,
    /// The profile as claimed.
    pub profile: Profile,
    /// The ids of all slots, ascending.
    pub slots: Vec<Digest>,
    /// The bodies that came along.
    pub bodies: BTreeMap<Digest, Arc<Slot>>,
}

impl RecordFrame {
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
    /// [`FrameError`].
    pub fn open(
        input: &mut Decoder<'_>,
        flock: &Digest,
        verifier: &dyn Verifier,
    ) -> Result<Self, FrameError> {
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

    /// Completes the frame with bodies of the author's record that is held. `None`: some are missing.
    ///
    /// # Errors
    /// [`FrameError::Record`]: the parts do not belong together.
    pub fn complete(self, held: Option<&Record>) -> Result<Option<Record>, FrameError> {
        let mut slots = BTreeMap::new();
        for id in &self.slots {
            let body = self.bodies.get(id).or_else(|| held.and_then(|held| held.slots().get(id)));
            match body {
                Some(body) => _ = slots.insert(*id, body.clone()),
                None if crux_crdt::planted!(HeadersOnly) => {}
                None => return Ok(None),
            }
        }
        Ok(Some(Record::new(self.header, self.profile, slots)?))
    }
}

/// Appends acts, with their count.
pub fn seal_acts<'a>(out: &mut Encoder, acts: impl ExactSizeIterator<Item = &'a Arc<Signed<Act>>>) {
    out.count(acts.len());
    acts.for_each(|act| act.seal(out));
}

/// Reads at most `limit` acts.
///
/// # Errors
/// [`FrameError`].
pub fn open_acts(
    input: &mut Decoder<'_>,
    limit: usize,
    flock: &Digest,
    verifier: &dyn Verifier,
) -> Result<Vec<Arc<Signed<Act>>>, FrameError> {
    let count = input.count(limit, "acts")?;
    (0..count).map(|_| Ok(Arc::new(Signed::open(input, flock, verifier)?))).collect()
}

/// Reads at most `limit` acts, and returns those whose ids are wanted. To know an id costs one hash; no other
/// signature is checked.
///
/// # Errors
/// [`FrameError`].
pub fn open_wanted_acts(
    input: &mut Decoder<'_>,
    limit: usize,
    (flock, verifier): (&Digest, &dyn Verifier),
    mut wanted: impl FnMut(&Digest) -> bool,
) -> Result<Vec<Arc<Signed<Act>>>, FrameError> {
    let count = input.count(limit, "acts")?;
    let mut acts = Vec::new();
    for _ in 0..count {
        let mut after = input.clone();
        let author = after.principal("author")?;
        after.take(64, "signature")?;
        let body = after.bytes(Act::BODY_MAX, "signed body")?;
        if wanted(&sha3(Act::DOMAIN, &[&author.0, body])) {
            acts.push(Arc::new(Signed::open(input, flock, verifier)?));
        }
        *input = after;
    }
    Ok(acts)
}
