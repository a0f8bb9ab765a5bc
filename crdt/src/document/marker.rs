use super::body::decode_number;
use crate::Digest;
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};

/// Orders the documents under one key: by grants version, then generation, then id. The greatest wins. Never by a
/// clock, and never by the signer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Marker {
    /// The version of the grants that it was signed under.
    pub grants_version: u64,
    /// One more than the greatest that its signer saw under the key.
    pub generation: u64,
    /// The hash of signer and body, which makes the order total.
    pub id: Digest,
}

impl Marker {
    /// The order among rivals: by generation, then grants version, then id.
    pub const fn as_rival(self) -> (u64, u64, Digest) {
        (self.generation, self.grants_version, self.id)
    }
}

impl Canonical for Marker {
    fn encode(&self, out: &mut Encoder) {
        out.u64(self.grants_version).u64(self.generation).digest(&self.id);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            grants_version: decode_number(input, 0, "grants version")?,
            generation: decode_number(input, 1, "generation")?,
            id: input.digest("id of a document")?,
        })
    }
}
