use super::{GENERATION_LIMIT, NOTE_BYTES_MAX};
use crate::Principal;
use crate::blob::BlobId;
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};

/// How many earlier generations a target names. Guess: what people go back to is among the last few.
pub const EARLIER_MAX: usize = 32;

/// An earlier generation of a target: what a list of them shows, and where its content is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// The generation of its document; from 1, below [`GENERATION_LIMIT`].
    pub generation: u64,
    /// The signer of its document.
    pub by: Principal,
    /// Its note.
    pub note: String,
    /// The blob that has its content.
    pub blob: BlobId,
}

impl Canonical for Earlier {
    fn encode(&self, out: &mut Encoder) {
        out.u64(self.generation).principal(&self.by).str(&self.note).fixed(&self.blob.0);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let generation = input.u64("earlier generation")?;
        if !(1..GENERATION_LIMIT).contains(&generation) {
            return Err(DecodeError::Invalid("earlier generation"));
        }
        Ok(Self {
            generation,
            by: input.principal("signer of an earlier generation")?,
            note: input.text(NOTE_BYTES_MAX, "note of an earlier generation")?.to_owned(),
            blob: BlobId(input.array("blob of an earlier generation")?),
        })
    }
}

/// Whether they are newest first, each once.
pub(super) fn is_in_order(all: &[Earlier]) -> bool {
    all.is_sorted_by(|newer, older| newer.generation > older.generation)
}

/// Whether they are in order, and every bound holds of each.
pub(super) fn are_valid(all: &[Earlier]) -> bool {
    let decodes = |it: &Earlier| Earlier::from_canonical(&it.to_canonical()).as_ref() == Ok(it);
    is_in_order(all) && all.iter().all(decodes)
}
