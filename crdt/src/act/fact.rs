use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Act, Statement};
use crate::canon::{DecodeError, Decoder, Encoder};
use crate::fact::{Fact, FactError, FactKind, Kept, Kind, Refused};
use crate::sign::{self, OpenError, Signed, Terms};
use crate::strew::{ActOutcome, Index, Outcome, Strew};
use crate::{Digest, Principal};

/// Acts have no parts, and their key is their id: the disk has each once or not at all.
impl FactKind for Arc<Signed<Act>> {
    type Arrived = Fact;

    fn key(&self) -> Digest {
        Signed::id(self)
    }

    fn id(&self) -> Digest {
        Signed::id(self)
    }

    fn author(&self) -> Principal {
        Signed::author(self)
    }

    fn bytes(&self) -> usize {
        self.value().bytes()
    }

    /// An eviction has all members computed again, which costs least before there are any.
    fn comes_first(&self) -> bool {
        matches!(self.value().statement, Statement::Evict { .. })
    }

    fn replaces(&self, other: &Self) -> bool {
        self == other
    }

    fn peek(input: &mut Decoder<'_>) -> Result<(Digest, Digest), DecodeError> {
        let (_, id) = sign::peek::<Act>(input)?;
        Ok((id, id))
    }

    fn open(input: &mut Decoder<'_>, terms: &Terms<'_>) -> Result<Fact, FactError> {
        Ok(Self::new(Signed::open(input, &terms.flock, terms.verifier)?).into())
    }

    fn seal(&self, out: &mut Encoder, _: usize, _: &dyn Fn(&Digest) -> bool) {
        Signed::seal(self, out);
    }

    fn keep(&self, stored: Option<&[u8]>) -> Result<Option<Kept>, FactError> {
        if stored.is_some() {
            return Ok(None);
        }
        let mut out = Encoder::default();
        Signed::seal(self, &mut out);
        Ok(Some(Kept::whole(out.finish())))
    }

    fn restore(
        key: &Digest,
        bytes: &[u8],
        _: BTreeMap<Digest, Vec<u8>>,
        terms: &Terms<'_>,
    ) -> Result<Vec<Self>, FactError> {
        let mut input = Decoder::new(bytes);
        let act = Signed::<Act>::open(&mut input, &terms.flock, terms.verifier)?;
        input.finish().map_err(OpenError::Envelope)?;
        if act.id() == *key { Ok(vec![Self::new(act)]) } else { Err(FactError::Another) }
    }

    fn without(bytes: &[u8], author: &Principal) -> Result<Option<Vec<u8>>, FactError> {
        let (stored, _) = sign::peek::<Act>(&mut Decoder::new(bytes))?;
        Ok((stored != *author).then(|| bytes.to_vec()))
    }

    fn index(strew: &Strew) -> &Index {
        strew.acts_index()
    }

    fn under(strew: &Strew, key: &Digest) -> Vec<Self> {
        strew.act(key).cloned().into_iter().collect()
    }

    fn all(strew: &Strew) -> Vec<Self> {
        strew.acts().cloned().collect()
    }

    fn lacks(strew: &Strew, key: &Digest, _: &Digest) -> bool {
        strew.act(key).is_none()
    }

    fn merge(self, strew: &mut Strew) -> Outcome {
        match strew.merge_act(self) {
            ActOutcome::New(_) => Outcome::New,
            ActOutcome::Known => Outcome::Known,
            ActOutcome::TooMany => Outcome::TooMany,
            ActOutcome::NoRoom => Outcome::NoRoom,
        }
    }

    fn may_state(requests: &[Vec<Self>], _: &Strew) -> Vec<Result<(), Refused>> {
        vec![Err(Refused::Kind(Kind::ACT)); requests.len()]
    }
}
