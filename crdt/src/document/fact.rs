use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Document, Shelf, absorb, stored};
use crate::canon::{DecodeError, Decoder, Encoder};
use crate::fact::{Fact, FactError, FactKind, Kept, Refused};
use crate::sign::Terms;
use crate::strew::{Index, Outcome, Strew};
use crate::{Digest, Principal};

/// The key of a document is the digest of its name: several have it, one or two of each author.
impl FactKind for Arc<Document> {
    type Arrived = Fact;

    fn key(&self) -> Digest {
        Document::key(self).digest()
    }

    fn id(&self) -> Digest {
        Document::id(self)
    }

    fn author(&self) -> Principal {
        self.signer()
    }

    fn comes_first(&self) -> bool {
        Document::key(self).is_grant()
    }

    fn bytes(&self) -> usize {
        Document::bytes(self)
    }

    fn replaces(&self, other: &Self) -> bool {
        // Of three documents of an author two stay, so two alone decide nothing: see `kept`.
        self == other
    }

    fn kept(all: Vec<Self>) -> Vec<Self> {
        let mut kept = Vec::new();
        all.iter().for_each(|document| _ = absorb(&mut kept, document));
        kept
    }

    fn peek(input: &mut Decoder<'_>) -> Result<(Digest, Digest), DecodeError> {
        Document::peek(input)
    }

    fn open(input: &mut Decoder<'_>, terms: &Terms<'_>) -> Result<Fact, FactError> {
        Ok(Self::new(Document::open(input, terms)?).into())
    }

    fn seal(&self, out: &mut Encoder, _: usize, _: &dyn Fn(&Digest) -> bool) {
        Document::seal(self, out);
    }

    fn keep(&self, stored: Option<&[u8]>) -> Result<Option<Kept>, FactError> {
        Ok(stored::keep(stored, self)?.map(Kept::whole))
    }

    fn restore(
        key: &Digest,
        bytes: &[u8],
        _: BTreeMap<Digest, Vec<u8>>,
        terms: &Terms<'_>,
    ) -> Result<Vec<Self>, FactError> {
        let documents = stored::restore(bytes, terms)?;
        let ours = documents.iter().all(|document| FactKind::key(document) == *key);
        if ours { Ok(documents) } else { Err(FactError::Another) }
    }

    fn without(bytes: &[u8], author: &Principal) -> Result<Option<Vec<u8>>, FactError> {
        Ok(stored::without(bytes, author)?)
    }

    fn index(strew: &Strew) -> &Index {
        strew.documents().index()
    }

    fn under(strew: &Strew, key: &Digest) -> Vec<Self> {
        let shelf = strew.documents().shelf(key);
        shelf.map(|shelf| shelf.documents().cloned().collect()).unwrap_or_default()
    }

    fn all(strew: &Strew) -> Vec<Self> {
        strew.documents().documents().cloned().collect()
    }

    fn held(strew: &Strew, key: &Digest) -> Vec<[u8; 8]> {
        let ids = strew.documents().shelf(key).map(Shelf::documents).into_iter().flatten();
        let heads = ids.filter_map(|document| document.id().0.first_chunk().copied());
        let mut heads: Vec<_> = heads.collect();
        heads.sort_unstable();
        heads
    }

    fn lacks(strew: &Strew, key: &Digest, value: &Digest) -> bool {
        strew.documents().index().get(key) != Some(*value)
    }

    fn merge(self, strew: &mut Strew) -> Outcome {
        strew.merge_document(self)
    }

    fn may_state(requests: &[Vec<Self>], strew: &Strew) -> Vec<Result<(), Refused>> {
        let may = strew.documents().may_add_each(requests).into_iter().zip(requests);
        let check = |(may, documents): (Result<_, (usize, _)>, &Vec<Self>)| {
            may.map_err(|(_, refused)| refused)?;
            let room = documents.iter().all(|document| strew.takes_document(document));
            if room { Ok(()) } else { Err(Refused::NoRoom) }
        };
        may.map(check).collect()
    }
}
