use std::collections::BTreeMap;
use std::sync::Arc;

use super::stored::Stored;
use super::{Frame, Record};
use crate::canon::{DecodeError, Decoder, Encoder};
use crate::fact::{FactError, FactKind, Kept, Kind, Refused};
use crate::sign::{Terms, Trusting};
use crate::strew::{Index, Outcome, RecordOutcome, Strew};
use crate::{Digest, Principal};

/// The key of a record is its author, and its slots are its parts.
impl FactKind for Arc<Record> {
    type Arrived = Box<Frame>;

    fn key(&self) -> Digest {
        Digest(Record::author(self).0)
    }

    fn id(&self) -> Digest {
        Record::id(self)
    }

    fn author(&self) -> Principal {
        Record::author(self)
    }

    fn bytes(&self) -> usize {
        self.footprint()
    }

    fn replaces(&self, other: &Self) -> bool {
        let order = other.total().cmp(&self.total());
        // Of one record, what is stripped replaces the whole.
        let is_more = order.is_lt() || (order.is_eq() && self.is_stripped() >= other.is_stripped());
        FactKind::key(self) == FactKind::key(other) && is_more
    }

    fn peek(input: &mut Decoder<'_>) -> Result<(Digest, Digest), DecodeError> {
        let (author, id) = Frame::peek(input)?;
        Ok((Digest(author.0), id))
    }

    fn open(input: &mut Decoder<'_>, terms: &Terms<'_>) -> Result<Box<Frame>, FactError> {
        Ok(Box::new(Frame::open(input, &terms.flock, terms.verifier)?))
    }

    fn seal(&self, out: &mut Encoder, budget: usize, held: &dyn Fn(&Digest) -> bool) {
        Frame::seal(out, self, budget, held);
    }

    fn keep(&self, stored: Option<&[u8]>) -> Result<Option<Kept>, FactError> {
        let open = |bytes| Stored::open(bytes, &Digest::default(), &Trusting);
        let stored = stored.map(open).transpose()?;
        Ok(Stored::replaced_by(stored.as_ref(), self))
    }

    fn parts(bytes: &[u8]) -> Result<Vec<Digest>, FactError> {
        Ok(Stored::open(bytes, &Digest::default(), &Trusting)?.slots)
    }

    fn restore(
        key: &Digest,
        bytes: &[u8],
        parts: BTreeMap<Digest, Vec<u8>>,
        terms: &Terms<'_>,
    ) -> Result<Vec<Self>, FactError> {
        let stored = Stored::open(bytes, &terms.flock, terms.verifier)?;
        if stored.author().0 != key.0 {
            return Err(FactError::Another);
        }
        Ok(vec![Self::new(stored.complete(parts)?)])
    }

    fn without(bytes: &[u8], author: &Principal) -> Result<Option<Vec<u8>>, FactError> {
        let stored = Stored::open(bytes, &Digest::default(), &Trusting)?;
        Ok((stored.author() != *author).then(|| bytes.to_vec()))
    }

    fn index(strew: &Strew) -> &Index {
        strew.registers_index()
    }

    fn under(strew: &Strew, key: &Digest) -> Vec<Self> {
        strew.shown_record(&Principal(key.0)).cloned().into_iter().collect()
    }

    fn all(strew: &Strew) -> Vec<Self> {
        strew.records().cloned().collect()
    }

    fn held(strew: &Strew, key: &Digest) -> Vec<[u8; 8]> {
        let slots = strew.record(&Principal(key.0)).map(|record| record.slots().keys());
        slots.into_iter().flatten().filter_map(|id| id.0.first_chunk().copied()).collect()
    }

    fn lacks(strew: &Strew, key: &Digest, value: &Digest) -> bool {
        let held = strew.record(&Principal(key.0));
        held.is_none_or(|held| Record::id(held) != *value || strew.is_incomplete(held))
    }

    fn merge(self, strew: &mut Strew) -> Outcome {
        match strew.merge_record(self) {
            RecordOutcome::Newer | RecordOutcome::Twice { kept: true } => Outcome::New,
            RecordOutcome::Known | RecordOutcome::Older | RecordOutcome::Twice { kept: false } => {
                Outcome::Known
            }
            RecordOutcome::NoRoom => Outcome::NoRoom,
        }
    }

    fn may_state(requests: &[Vec<Self>], _: &Strew) -> Vec<Result<(), Refused>> {
        vec![Err(Refused::Kind(Kind::RECORD)); requests.len()]
    }
}
